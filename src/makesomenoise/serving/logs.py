"""What the server says on standard error: one JSON document a line, its own lines and those of uvicorn alike."""

import json
import logging
import sys
import time
from collections.abc import Mapping

_ACCESS = logging.getLogger("makesomenoise.access")


def tell_request(fields: Mapping[str, object]) -> None:
    """Says that a request was answered.

    Args:
        fields: who asked for what and how it ended; never what was said.
    """
    _ACCESS.info("request", extra={"fields": dict(fields)})


class JsonLines(logging.Formatter):
    """Records as JSON: `time`, `level`, `logger` and `message`, the fields of a request, the traceback of an error."""

    def format(self, record: logging.LogRecord) -> str:
        """One line."""
        moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        line: dict[str, object] = {
            "time": f"{moment}.{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False, default=str)


def log_to_stderr(level: int) -> None:
    """Sends all that is logged to standard error.

    Args:
        level: from which lines of the server are told; warnings of libraries and requests always are.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.WARNING)
    for name in ("makesomenoise", "uvicorn"):
        logging.getLogger(name).setLevel(level)
    _ACCESS.setLevel(min(level, logging.INFO))
