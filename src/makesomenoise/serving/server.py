"""Runs an application on a socket until it is told to stop: what runs is finished, within a limit, the rest refused."""

from types import FrameType

import uvicorn
from fastapi import FastAPI

from makesomenoise.serving.worker import Worker

_KEEP_ALIVE = 5


class Server(uvicorn.Server):
    """uvicorn, which drains the worker at the first signal.

    Args:
        config: of uvicorn.
        worker: is drained.
    """

    def __init__(self, config: uvicorn.Config, worker: Worker):
        super().__init__(config)
        self._worker = worker

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Stops what waits; uvicorn then takes no new connection and waits for those that are open."""
        self._worker.drain()
        super().handle_exit(sig, frame)


def serve(app: FastAPI, worker: Worker, host: str, port: int, grace_seconds: int) -> None:
    """Serves until SIGTERM or SIGINT.

    Args:
        app: of `create_app`.
        worker: was started; is stopped in the end.
        host: address to listen on.
        port: to listen on; 0 takes a free one.
        grace_seconds: how long what runs may go on after the signal.
    """
    config = uvicorn.Config(
        app,
        host,
        port,
        log_config=None,
        access_log=False,
        timeout_keep_alive=_KEEP_ALIVE,
        timeout_graceful_shutdown=grace_seconds,
        server_header=False,
    )
    try:
        Server(config, worker).run()
    finally:
        worker.stop(timeout=1.0)
