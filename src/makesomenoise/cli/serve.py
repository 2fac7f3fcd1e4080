"""`msn serve`."""

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from makesomenoise.cli.options import Device, EngineChoice, LanguageName, TokenizerName, VocoderName
from makesomenoise.errors import FileError, RequestError

if TYPE_CHECKING:
    from makesomenoise.pipeline import AudioLanguageModel

LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}
Host = Annotated[str, typer.Option(help="Address to listen on; 0.0.0.0 lets other machines in.")]
Port = Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 takes a free one.")]
KeyFile = Annotated[
    Path | None,
    typer.Option("--api-key-file", help="Keys that clients must bring, one a line.", show_default=False),
]
MostSeconds = Annotated[float, typer.Option("--max-seconds", min=1, help="The longest sound in or out.")]
MostBody = Annotated[int, typer.Option("--max-body", min=1024, help="The largest request, bytes.")]
Queue = Annotated[int, typer.Option("--queue", min=1, help="How many requests may wait before others get 429.")]
Grace = Annotated[int, typer.Option("--grace", min=0, help="Seconds that what runs may take after SIGTERM.")]
Page = Annotated[bool, typer.Option("--page/--no-page", help="Whether there is a page for people at /.")]
LogLevel = Annotated[str, typer.Option("--log-level", help=f"One of {', '.join(LEVELS)}.")]


def serve(  # noqa: PLR0913 - each is an option
    *,
    host: Host = "127.0.0.1",
    port: Port = 8000,
    api_key_file: KeyFile = None,
    max_seconds: MostSeconds = 600.0,
    max_body: MostBody = 64 << 20,
    queue: Queue = 64,
    grace: Grace = 30,
    page: Page = True,
    log_level: LogLevel = "info",
    model: LanguageName = "language",
    tokenizer: TokenizerName = "default",
    vocoder: VocoderName = "default",
    device: Device = "cpu",
    engine: EngineChoice = "auto",
) -> None:
    """Serve OpenAI's API and a page for people: `msn serve`, then open http://127.0.0.1:8000."""
    from makesomenoise.serving.logs import log_to_stderr
    from makesomenoise.serving.settings import Settings
    from makesomenoise.serving.worker import Worker

    if log_level not in LEVELS:
        raise RequestError(f"Unknown log level '{log_level}': give one of {', '.join(LEVELS)}.")
    settings = Settings(api_keys=keys(api_key_file), max_seconds=max_seconds, max_body=max_body, page=page)
    log_to_stderr(LEVELS[log_level])

    def load() -> "AudioLanguageModel":
        from makesomenoise.pipeline import AudioLanguageModel

        return AudioLanguageModel.load(model, tokenizer, vocoder, device, engine)

    worker = Worker(load, queue)
    worker.start()  # before what takes as long to import as the model to load
    from makesomenoise.serving.app import create_app
    from makesomenoise.serving.server import serve as run

    run(create_app(worker, settings), worker, host, port, grace)


def keys(file: Path | None) -> tuple[str, ...]:
    """The keys of a file, one a line; what begins with # says nothing.

    Raises:
        FileError: if it cannot be read.
        RequestError: if it holds none.
    """
    if file is None:
        return ()
    try:
        lines = [line.strip() for line in file.read_text(encoding="utf-8").splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise FileError(f"Cannot read the keys in {file}: {reason}.") from None
    found = tuple(line for line in lines if line and not line.startswith("#"))
    if not found:
        raise RequestError(f"{file} holds no key: write one a line, or leave out --api-key-file to let everybody in.")
    return found
