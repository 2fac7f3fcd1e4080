"""How far a command is: on standard error, where that is a terminal, once it has taken two seconds."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Timer

PATIENCE_SECONDS = 2.0
Report = Callable[[float, float | None], None]


@contextmanager
def progress(what: str, quiet: bool = False) -> Iterator[Report]:
    """Shows a bar with an estimate until the context ends, and leaves nothing of it.

    Args:
        what: is done, as in `Encoding`.
        quiet: show nothing.

    Yields:
        what takes how much is done, and of how much; none where that is not known.
    """
    if quiet or not sys.stderr.isatty():
        yield lambda done, total: None  # noqa: ARG005 - nobody is told
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        Progress,
        TaskProgressColumn,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn()
    bar = Progress(
        *columns,
        TextColumn("left"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
        redirect_stdout=sys.stdout.isatty(),  # else lines for a file or a pipe would go to the terminal
    )
    task = bar.add_task(what, total=None)
    timer = Timer(PATIENCE_SECONDS, bar.start)
    timer.daemon = True
    timer.start()
    try:
        yield lambda done, total: bar.update(task, completed=done, total=total)
    finally:
        timer.cancel()
        timer.join()
        bar.stop()
