"""Runs an application on a socket until it is told to stop: what runs is finished, within a limit, the rest refused."""

import logging
import socket
from types import FrameType

import uvicorn
from fastapi import FastAPI

from makesomenoise.errors import ModelError, RequestError
from makesomenoise.serving.worker import Worker

log = logging.getLogger(__name__)
_KEEP_ALIVE = 5


class Server(uvicorn.Server):
    """uvicorn, which drains the worker at the first signal, and ends where there is no model to serve.

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

    async def on_tick(self, counter: int) -> bool:
        """Looks whether the model could be loaded, ten times a second."""
        self.should_exit |= self._worker.state == "failed"
        return await super().on_tick(counter)


def serve(app: FastAPI, worker: Worker, host: str, port: int, grace_seconds: int) -> None:
    """Serves until SIGTERM or SIGINT.

    Args:
        app: of `create_app`.
        worker: was started; is stopped in the end.
        host: address to listen on.
        port: to listen on; 0 takes a free one.
        grace_seconds: how long what runs may go on after the signal.

    Raises:
        RequestError: if nothing can listen on the address.
        ModelError: if the model could not be loaded.
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
        with _listening(host, port) as listening:
            log.info("listening on http://%s:%d", host, listening.getsockname()[1])
            Server(config, worker).run([listening])
    finally:
        worker.stop(timeout=1.0)
    if worker.state == "failed":
        raise ModelError(worker.error)


def _listening(host: str, port: int) -> socket.socket:
    try:
        return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        message = f"Cannot listen on {host}, port {port} ({error.strerror}): give another --host or --port."
        raise RequestError(message) from None
