"""One thread owns the model; requests wait for it in a queue, and those that wait together are answered together.

Knows jobs as iterators, nothing of HTTP. Each turn takes one step of every job that runs, so that a short answer is not
kept by a long one; a job whose client has gone is dropped at its next step.
"""

import contextlib
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal, Protocol

from makesomenoise.language.side_by_side import SideBySide
from makesomenoise.pipeline import AudioLanguageModel
from makesomenoise.serving.refusals import Refusal, refusal_of
from makesomenoise.tokenizer.model import AudioTokenizer

log = logging.getLogger(__name__)

State = Literal["loading", "ready", "failed", "stopping"]
_LONGEST_WAIT = 60
_REMEMBERED = 0.8  # of the mean time of a job, when another one is done


class Job(Protocol):
    """Something that is to be done with the model."""

    def run(self, model: AudioLanguageModel, batch: SideBySide) -> Iterator[object]:
        """Does it step by step.

        Args:
            model: does it.
            batch: where tokens are drawn together with those of other jobs.

        Yields:
            what was made, or None where there is nothing yet.
        """
        ...


@dataclass(frozen=True)
class Failed:
    """The last thing that is delivered where a job could not be done."""

    refusal: Refusal


class Done:
    """The last thing that is delivered of a job."""


Deliver = Callable[[object], None]


class Ticket:
    """A job that was handed in.

    Args:
        job: what is to be done.
        deliver: is called from the worker's thread with all that the job yields, and then with `Done` or `Failed`.
    """

    def __init__(self, job: Job, deliver: Deliver):
        self.job, self._deliver = job, deliver
        self.began = time.monotonic()
        self.gone = False

    def cancel(self) -> None:
        """Says that nobody waits for it any more."""
        self.gone = True

    def give(self, piece: object) -> None:
        """Delivers; whoever cannot take it has gone."""
        if not self.gone:
            try:
                self._deliver(piece)
            except RuntimeError:  # the loop that waited for it was closed
                self.gone = True


@dataclass(eq=False)
class _Running:
    ticket: Ticket
    steps: Iterator[object]


class Worker:
    """The thread that owns the model.

    Args:
        load: gives the model; called in the thread.
        queue: how many jobs may wait.
        together: how many jobs may run at once.
        rows: how many rows of the batch may be taken before another job begins.
    """

    def __init__(self, load: Callable[[], AudioLanguageModel], queue: int = 64, together: int = 16, rows: int = 24):
        self._load, self._queue, self._together, self._rows = load, queue, together, rows
        self._waiting: deque[Ticket] = deque()
        self._running: list[_Running] = []
        self._changed = threading.Condition()
        self._stopped = False
        self._mean_seconds = 1.0
        self._thread = threading.Thread(target=self._work, name="model", daemon=True)
        self._tokenizer: AudioTokenizer | None = None
        self.state: State = "loading"
        self.error = ""

    @property
    def tokenizer(self) -> AudioTokenizer:
        """That of the model, for what it says of itself; it is asked for nothing but in the worker's thread.

        Raises:
            Refusal: if it is not there yet.
        """
        if self._tokenizer is None:
            raise self.away()
        return self._tokenizer

    @property
    def waiting(self) -> int:
        """How many jobs wait."""
        return len(self._waiting)

    @property
    def running(self) -> int:
        """How many jobs run."""
        return len(self._running)

    def start(self) -> None:
        """Begins to load the model."""
        self._thread.start()

    def submit(self, job: Job, deliver: Deliver) -> Ticket:
        """Hands in a job.

        Raises:
            Refusal: if the model is not there yet or no more, or if too many jobs wait.
        """
        with self._changed:
            if self.state != "ready":
                raise self.away()
            if len(self._waiting) >= self._queue:
                wait = self._mean_seconds * len(self._waiting) / self._together
                seconds = int(min(max(wait, 1.0), _LONGEST_WAIT))
                raise Refusal(
                    429, f"Too many requests wait: try again in {seconds} s.", "queue_full", retry_after=seconds
                )
            ticket = Ticket(job, deliver)
            self._waiting.append(ticket)
            self._changed.notify()
            return ticket

    def drain(self) -> None:
        """Refuses what waits and what comes, and lets what runs finish."""
        with self._changed:
            if self.state != "failed":
                self.state = "stopping"
            refused, self._waiting = list(self._waiting), deque()
        for ticket in refused:
            ticket.give(Failed(self.away()))

    def stop(self, timeout: float | None = None) -> None:
        """Ends the thread after what runs, or drops it after so many seconds."""
        self.drain()
        end = None if timeout is None else time.monotonic() + timeout
        while self._running and (end is None or time.monotonic() < end):
            time.sleep(0.02)
        with self._changed:
            self._stopped = True
            self._changed.notify()
        if self._thread.ident is not None:
            self._thread.join(timeout)

    def away(self) -> Refusal:
        """Why the model answers nothing now."""
        messages = {
            "loading": ("The model is being loaded: try again in a few seconds.", 5),
            "stopping": ("The server is stopping: try another one, or again when it is back.", 30),
            "failed": (f"The model could not be loaded: {self.error}", None),
        }
        message, seconds = messages[self.state]
        return Refusal(503, message, f"model_{self.state}", retry_after=seconds)

    def _work(self) -> None:
        try:
            model = self._load()
            batch, self._tokenizer = SideBySide(model.language), model.tokenizer
        except Exception as error:
            log.error("the model could not be loaded: %s", error)
            self.error = refusal_of(error).message
            self.state = "failed"
            return
        with self._changed:
            self.state = "ready" if self.state == "loading" else self.state
        while self._admitted(model, batch):
            self._turn()
            if not self._running and batch.rows:  # a job that failed left some behind
                batch = SideBySide(model.language)

    def _admitted(self, model: AudioLanguageModel, batch: SideBySide) -> bool:
        """Lets waiting jobs begin; waits for one where none runs. False at the end."""
        with self._changed:
            while not self._waiting and not self._running and not self._stopped:
                self._changed.wait()
            room = self._together - len(self._running) if batch.rows < self._rows else 0
            tickets = [self._waiting.popleft() for _ in range(min(room, len(self._waiting)))]
            self._running += [_Running(ticket, ticket.job.run(model, batch)) for ticket in tickets]
            return not self._stopped

    def _turn(self) -> None:
        """One step of every job that runs."""
        for running in tuple(self._running):
            try:
                if running.ticket.gone:
                    self._end(running)
                    continue
                piece = next(running.steps)
                if piece is not None:
                    running.ticket.give(piece)
            except StopIteration:
                self._end(running, Done())
            except Exception as error:
                refusal = refusal_of(error)
                if refusal.status == 500:  # noqa: PLR2004 - a bug
                    log.exception("a job failed")
                self._end(running, Failed(refusal))

    def _end(self, running: _Running, last: object = None) -> None:
        with contextlib.suppress(Exception):
            running.steps.close()  # pyright: ignore[reportAttributeAccessIssue] - jobs are generators
        self._running.remove(running)
        if last is not None:
            seconds = time.monotonic() - running.ticket.began
            self._mean_seconds = _REMEMBERED * self._mean_seconds + (1.0 - _REMEMBERED) * seconds
            running.ticket.give(last)
