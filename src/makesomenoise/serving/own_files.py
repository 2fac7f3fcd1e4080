"""Keeps the page's own interface from fetching: Gradio takes an address where a file is expected, and downloads it."""

import json
from collections.abc import Iterator

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_PREFIX, _UPLOAD = "/gradio_api/", "/gradio_api/upload"
_MOST_BYTES = 4 << 20  # of a document; sounds are uploaded before
_FILES = ("path", "sound")  # a file in Gradio's form, and the argument of tools that take one


class OwnFilesOnly:
    """ASGI middleware that refuses documents in which a file is an address.

    Args:
        app: is behind it.
    """

    def __init__(self, app: ASGIApp):
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Lets a request through, or refuses it."""
        if scope["type"] != "http" or scope["method"] != "POST" or not self._looked_at(scope["path"]):
            await self._app(scope, receive, send)
            return
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body") or len(body) > _MOST_BYTES:
                break
        if len(body) > _MOST_BYTES or _names_an_address(body):
            text = "Files are not fetched from addresses: upload them first."
            await JSONResponse({"error": text, "detail": text}, 400)(scope, receive, send)
            return
        given = iter([{"type": "http.request", "body": body, "more_body": False}])

        async def replayed() -> Message:
            return next(given, None) or await receive()

        await self._app(scope, replayed, send)

    def _looked_at(self, path: str) -> bool:
        return path.startswith(_PREFIX) and not path.startswith(_UPLOAD)


def _names_an_address(body: bytes) -> bool:
    try:
        document = json.loads(body)
    except ValueError:
        return False
    return any("://" in value for value in _files(document))


def _files(document: object) -> Iterator[str]:
    """What stands wherever a file is expected."""
    if isinstance(document, dict):
        for key, value in document.items():
            if key in _FILES and isinstance(value, str):
                yield value
            yield from _files(value)
    elif isinstance(document, list):
        for value in document:
            yield from _files(value)
