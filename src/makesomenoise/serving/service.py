"""What every route needs: handing jobs to the worker and taking what they make, until the client goes."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from fastapi import Request
from starlette.concurrency import run_in_threadpool

from makesomenoise.serving import formats
from makesomenoise.serving.metrics import Metrics
from makesomenoise.serving.refusals import Refusal, refusal_of
from makesomenoise.serving.settings import Settings
from makesomenoise.serving.store import SoundStore
from makesomenoise.serving.worker import Done, Failed, Job, Worker

SAMPLE_RATE = formats.io.SAMPLE_RATE
_LOOK_SECONDS = 0.5  # how often it is looked whether the client is still there
_LEFT = 499  # what nginx calls it; nobody sees it but the log
Result = TypeVar("Result")


@dataclass(frozen=True)
class Service:
    """The parts of a server.

    Attributes:
        worker: owns the model.
        settings: how it answers.
        store: sounds that may be named by id.
        metrics: what it counts.
    """

    worker: Worker
    settings: Settings
    store: SoundStore
    metrics: Metrics

    async def pieces(self, request: Request, job: Job) -> AsyncIterator[object]:
        """What a job makes, as it comes.

        Raises:
            Refusal: if the job cannot be done, or the client has gone.
        """
        loop, made = asyncio.get_running_loop(), asyncio.Queue[object]()

        def deliver(piece: object) -> None:
            loop.call_soon_threadsafe(made.put_nowait, piece)

        ticket = self.worker.submit(job, deliver)
        try:
            while True:
                piece = await _next(made, request)
                if isinstance(piece, Failed):
                    raise piece.refusal
                if isinstance(piece, Done):
                    return
                yield piece
        finally:
            ticket.cancel()

    async def all(self, request: Request, job: Job) -> list[object]:
        """All that a job makes; errors are those of `pieces`."""
        return [piece async for piece in self.pieces(request, job)]

    async def begun(self, request: Request, job: Job) -> AsyncIterator[object]:
        """The same as `pieces`, once the first is there: what is refused before has a status of its own."""
        pieces = self.pieces(request, job)
        first = await anext(pieces)

        async def joined() -> AsyncIterator[object]:
            try:
                yield first
                async for piece in pieces:
                    yield piece
            finally:
                await pieces.aclose()  # pyright: ignore[reportAttributeAccessIssue] - it is a generator

        return joined()

    async def read(self, data: bytes) -> np.ndarray:
        """The waveform [S] of a sound file.

        Raises:
            Refusal: if it cannot be read.
        """
        self.check_ready()
        waveform = await aside(lambda: formats.read(data, SAMPLE_RATE, self.settings.max_seconds), "file")
        self.metrics.heard(len(waveform) / SAMPLE_RATE)
        return waveform

    async def encoded(self, waveform: np.ndarray, name: str, rate: int | None = None) -> bytes:
        """The bytes of a sound file.

        Raises:
            Refusal: if the format cannot be written.
        """
        self.metrics.made(len(waveform) / SAMPLE_RATE)
        return await aside(lambda: formats.encoded(waveform, SAMPLE_RATE, name, rate), "response_format")

    def check_ready(self) -> None:
        """Refuses early what would be refused after much work.

        Raises:
            Refusal: if the model is not there.
        """
        if self.worker.state != "ready":
            raise self.worker.away()

    def check_model(self, name: str | None, param: str = "model") -> None:
        """Refuses other models.

        Raises:
            Refusal: if a model is named that is not the served one.
        """
        if name is not None and name != self.settings.model_id:
            message = f"There is no model '{name[:100]}': this server has {self.settings.model_id}."
            raise Refusal(404, message, "model_not_found", param)

    def check_seconds(self, seconds: float, param: str) -> None:
        """Refuses sounds that are longer than the server makes.

        Raises:
            Refusal: if there are too many seconds.
        """
        if seconds > self.settings.max_seconds:
            most = self.settings.max_seconds
            message = f"Cannot make {seconds:g} s of sound: this server makes {most:g} s at most."
            raise Refusal(400, message, param=param)


async def aside(work: Callable[[], Result], param: str | None = None) -> Result:
    """Does work of the processor in another thread.

    Raises:
        Refusal: if it raises an error for users; the request's field `param` is blamed.
    """
    try:
        return await run_in_threadpool(work)
    except Exception as error:
        refusal = refusal_of(error)
        if refusal.status == 500:  # noqa: PLR2004 - a bug keeps its traceback for the log
            raise
        refusal.param = refusal.param or param
        raise refusal from None


def service_of(request: Request) -> Service:
    """The parts of the server that a request has come to."""
    return request.app.state.service


def any_seed(seed: int | None) -> int:
    """The seed that was given, or one that nobody knows before."""
    return secrets.randbelow(1 << 31) if seed is None else seed


async def _next(made: asyncio.Queue[object], request: Request) -> object:
    while True:
        try:
            return await asyncio.wait_for(made.get(), _LOOK_SECONDS)
        except TimeoutError:
            if await request.is_disconnected():
                raise Refusal(_LEFT, "The client has gone.") from None
