"""Puts the page for people beside the routes when the model is there: importing Gradio takes longer than loading it."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from fastapi import FastAPI
from starlette.concurrency import run_in_threadpool
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from makesomenoise.serving.refusals import Refusal
from makesomenoise.serving.worker import Worker

log = logging.getLogger(__name__)
_LOOK_SECONDS = 0.05
_HTML = """<!doctype html><html lang="en"><meta charset="utf-8">{head}<title>makesomenoise</title>
<body style="font-family: system-ui, sans-serif; margin: 3em"><p>{text}</p></body></html>"""
_SOON = _HTML.format(
    head='<meta http-equiv="refresh" content="1">',
    text="The page is being built, which takes a few seconds: it will show itself.",
)
_MISSING = "The page needs {module}, which is not installed: run pip install 'makesomenoise[serve]' and start again."
_BROKEN = "The page could not be built: the server's log tells why."
_ROUTES = "The routes under /v1 answer without it."


class LatePage:
    """ASGI application that says to wait until the page is there.

    Args:
        worker: its model comes first.
        build: gives the page; called in another thread.
    """

    def __init__(self, worker: Worker, build: Callable[[], FastAPI]):
        self._worker, self._build = worker, build
        self._page: ASGIApp | None = None
        self._absent = ""  # why there will be none

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers as the page, once it is there."""
        if self._page is not None:
            await self._page(scope, receive, send)
        elif scope["type"] == "http":
            await (self._nothing_yet if not self._absent else self._nothing)(scope["path"])(scope, receive, send)

    def _nothing_yet(self, path: str) -> Response:
        if path == "/":
            return HTMLResponse(_SOON, 503, {"Retry-After": "1"})
        refusal = Refusal(503, "The page is being built: try again in a few seconds.", "page_loading", None, 1)
        return JSONResponse(refusal.body(), refusal.status, refusal.headers())

    def _nothing(self, path: str) -> Response:
        if path == "/":
            return HTMLResponse(_HTML.format(head="", text=f"{self._absent} {_ROUTES}"), 503)
        refusal = Refusal(404, "There is no such address.")
        return JSONResponse(refusal.body(), refusal.status, refusal.headers())

    @asynccontextmanager
    async def lifespan(self, _: FastAPI) -> AsyncIterator[None]:
        """Builds the page while the server runs, and ends it with the server."""
        ending = asyncio.Event()
        running = asyncio.create_task(self._run(ending))
        try:
            yield
        finally:
            ending.set()
            await running

    async def _run(self, ending: asyncio.Event) -> None:
        try:
            while self._worker.state == "loading" and not ending.is_set():
                await asyncio.sleep(_LOOK_SECONDS)
            if ending.is_set():
                return
            page = await run_in_threadpool(self._build)
            async with page.router.lifespan_context(page):
                self._page = page
                await ending.wait()
        except ModuleNotFoundError as error:
            self._absent = _MISSING.format(module=error.name)
            log.warning("%s", self._absent)
        except Exception:
            self._absent = _BROKEN
            log.exception("the page could not be built")
