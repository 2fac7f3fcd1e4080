"""An evaluation, whatever is evaluated: asks each question once and writes what was answered as JSON and Markdown.

`tokenizer.report` and `language.report` say what the questions are. What was measured before is not measured again.
"""

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import yaml
from pydantic import Field

from makesomenoise.config import Config
from makesomenoise.errors import RequestError
from makesomenoise.evaluation.benchmark import describe_machine
from makesomenoise.evaluation.cache import ResultCache
from makesomenoise.files import write_text

CACHE_FOLDER = "cache"

_log = logging.getLogger(__name__)


class EvaluationError(RequestError):
    """An evaluation that cannot be made; the message is one sentence for the user."""


class EvaluationConfig(Config):
    """What every evaluation may be told.

    Attributes:
        limit: look at no more than so many clips of each dataset, for a quick look; none takes all.
        fresh: measure anew what was measured before.
        vocoder: what `AudioTokenizer.load` takes.
    """

    limit: int | None = Field(default=None, ge=1)
    fresh: bool = False
    vocoder: str = "default"

    @classmethod
    def from_settings(cls, settings: Sequence[str], given: Mapping[str, Any] | None = None) -> Self:
        """The configuration with some settings that are not the usual ones.

        Args:
            settings: such as `guidance=3` or `questions=[speed]`; a later one replaces an earlier one.
            given: values of some keys, which settings replace.

        Raises:
            EvaluationError: if one has no name or no value.
            ConfigError: if there is no such setting, or the value does not fit.
        """
        values = dict(given or {})
        for setting in settings:
            name, equals, value = setting.partition("=")
            if not (name and equals and value):
                raise EvaluationError(f"Cannot read the setting '{setting}'; write it as limit=20.")
            try:
                values[name] = yaml.safe_load(value)
            except yaml.YAMLError:
                raise EvaluationError(f"Cannot read the value of '{setting}'; it is not YAML.") from None
        return cls.from_dict(values, origin="the settings")


def run_evaluation(
    questions: Mapping[str, Callable[[], Any]],
    settings: Mapping[str, Any],
    caches: Sequence[ResultCache],
    to_markdown: Callable[[Mapping], str],
    output: Path,
) -> dict:
    """Asks each question and writes the report.

    Args:
        questions: what finds the answer to each, as JSON takes it, by its name in the report.
        settings: what was evaluated, and how.
        caches: where the questions keep what they measure.
        to_markdown: the report of the content of `results.json`.
        output: folder that gets `results.json` and `results.md`.

    Returns:
        The content of `results.json`: `machine`, `settings`, the answers, and under `provenance` the version and the
        commits of what was measured, now or before.
    """
    answers = {}
    for name, ask in questions.items():
        _log.info("asking about %s", name)
        answers[name] = ask()
    provenance = {name: noted for cache in caches for name, noted in cache.provenance.items()}
    results = {"machine": describe_machine(), "settings": settings, **answers, "provenance": provenance}
    results = json.loads(json.dumps(results))
    for name, text in (("results.json", json.dumps(results, indent=2) + "\n"), ("results.md", to_markdown(results))):
        write_text(output / name, text)
    return results
