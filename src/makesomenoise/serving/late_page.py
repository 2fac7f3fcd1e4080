"""Puts the page for people beside the routes when somebody first opens it, and the model is there.

Importing Gradio takes longer than loading the model, and memory that a server needs not which only answers routes.
"""

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
_PROGRAMS = ("/config", "/gradio_api/")  # where the clients of a page begin, which cannot read that they have to wait


class LatePage:
    """ASGI application that builds the page for the first who asks, and tells people to wait meanwhile.

    Args:
        worker: its model comes first.
        build: gives the page; called in another thread.
    """

    def __init__(self, worker: Worker, build: Callable[[], FastAPI]):
        self._worker, self._build = worker, build
        self._page: ASGIApp | None = None
        self._absent = ""  # why there will be none
        self._asked, self._settled = asyncio.Event(), asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers as the page, once it is there."""
        program = scope["type"] == "http" and scope["path"].startswith(_PROGRAMS)
        if program or scope.get("path") == "/":
            self._asked.set()
        if program:
            await self._settled.wait()
        if self._page is not None:
            await self._page(scope, receive, send)
        elif scope["type"] == "http":
            await (self._nothing_yet if not self._absent else self._nothing)(scope["path"])(scope, receive, send)

    def _nothing_yet(self, path: str) -> Response:
        if path == "/":
            return HTMLResponse(_SOON, 503, {"Retry-After": "1"})
        if not self._asked.is_set():
            return self._nothing(path)
        refusal = Refusal(503, "The page is being built: try again in a few seconds.", "page_loading", None, 1)
        return JSONResponse(refusal.body(), refusal.status, refusal.headers())

    def _nothing(self, path: str) -> Response:
        if path == "/":
            return HTMLResponse(_HTML.format(head="", text=f"{self._absent} {_ROUTES}"), 503)
        refusal = Refusal(404, "There is no such address.")
        return JSONResponse(refusal.body(), refusal.status, refusal.headers())

    @asynccontextmanager
    async def lifespan(self, _: FastAPI) -> AsyncIterator[None]:
        """Builds the page once somebody asks for it, and ends it with the server."""
        ending = asyncio.Event()
        running = asyncio.create_task(self._run(ending))
        try:
            yield
        finally:
            ending.set()
            self._asked.set()
            await running

    async def _run(self, ending: asyncio.Event) -> None:
        try:
            await self._asked.wait()
            while self._worker.state == "loading" and not ending.is_set():
                await asyncio.sleep(_LOOK_SECONDS)
            if ending.is_set():
                return
            page = await run_in_threadpool(self._build)
            async with page.router.lifespan_context(page):
                self._page = page
                self._settled.set()
                await ending.wait()
        except ModuleNotFoundError as error:
            self._absent = _MISSING.format(module=error.name)
            log.warning("%s", self._absent)
        except Exception:
            self._absent = _BROKEN
            log.exception("the page could not be built")
        finally:
            self._settled.set()
