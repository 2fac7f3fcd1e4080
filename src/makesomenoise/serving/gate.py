"""What every request passes before a route sees it: keys, the size and pace of its body, counting, the access log.

Plain ASGI, so that streams stay streams. The log says who asked for what and how it ended, never what was said.
"""

import asyncio
import hmac
import secrets
import time
from dataclasses import dataclass, field

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from makesomenoise.serving.logs import tell_request
from makesomenoise.serving.metrics import Metrics
from makesomenoise.serving.refusals import Refusal
from makesomenoise.serving.settings import Settings

_OPEN = ("/health",)
_GUARDED = ("/v1/", "/metrics")


@dataclass
class _Passage:
    """A request on its way.

    Attributes:
        id: by which client and log name it.
        began: when, seconds.
        received: bytes of its body so far.
        sent: bytes of the answer so far.
        status: of the answer; 499 if the client left before it.
    """

    id: str = field(default_factory=lambda: f"req_{secrets.token_hex(8)}")
    began: float = field(default_factory=time.monotonic)
    received: int = 0
    sent: int = 0
    status: int = 499


class Gate:
    """ASGI middleware.

    Args:
        app: what is behind it.
        settings: keys and limits.
        metrics: counts.
    """

    def __init__(self, app: ASGIApp, settings: Settings, metrics: Metrics):
        self._app, self._settings, self._metrics = app, settings, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Lets a request through, or refuses it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        passage = _Passage()

        async def counted(message: Message) -> None:
            if message["type"] == "http.response.start":
                passage.status = message["status"]
                message["headers"] = [*message.get("headers", []), (b"x-request-id", passage.id.encode())]
            passage.sent += len(message.get("body", b""))
            await send(message)

        try:
            self._check(scope)
            await self._app(scope, self._limited(receive, passage), counted)
        except Refusal as refusal:
            if passage.status == 499:  # noqa: PLR2004 - nothing was sent yet
                await JSONResponse(refusal.body(), refusal.status, refusal.headers())(scope, receive, counted)
        finally:
            self._write(scope, passage)

    def _check(self, scope: Scope) -> None:
        headers = Headers(scope=scope)
        guarded = scope["path"].startswith(_GUARDED) and scope["path"] not in _OPEN
        if self._settings.api_keys and guarded:
            scheme, _, key = headers.get("authorization", "").partition(" ")
            given = key.strip() if scheme.lower() == "bearer" else headers.get("xi-api-key", "")
            if not any(hmac.compare_digest(given.encode(), known.encode()) for known in self._settings.api_keys):
                message = "Incorrect API key: send one that the server knows as `Authorization: Bearer KEY`."
                raise Refusal(401, message, "invalid_api_key")
        length = headers.get("content-length", "0")
        if length.isdecimal() and int(length) > self._settings.max_body:
            raise self._too_large()

    def _limited(self, receive: Receive, passage: _Passage) -> Receive:
        complete = False

        async def limited() -> Message:
            nonlocal complete
            if complete:  # nothing more comes but that the client leaves, however late
                return await receive()
            try:
                message = await asyncio.wait_for(receive(), self._settings.body_timeout)
            except TimeoutError:
                seconds = self._settings.body_timeout
                raise Refusal(408, f"Nothing came for {seconds:g} s: send the whole body.", "timeout") from None
            passage.received += len(message.get("body", b""))
            complete = not message.get("more_body", False)
            if passage.received > self._settings.max_body:
                raise self._too_large()
            return message

        return limited

    def _too_large(self) -> Refusal:
        most = self._settings.max_body
        return Refusal(413, f"The body is larger than {most} bytes, the limit of this server.", "body_too_large")

    def _write(self, scope: Scope, passage: _Passage) -> None:
        seconds = time.monotonic() - passage.began
        route = getattr(scope.get("route"), "path", None)
        self._metrics.answered(route or "other", passage.status, seconds)
        client = scope.get("client") or ("", 0)
        tell_request(
            {
                "id": passage.id,
                "client": client[0],
                "method": scope["method"],
                "path": scope["path"],
                "status": passage.status,
                "seconds": round(seconds, 3),
                "received": passage.received,
                "sent": passage.sent,
            }
        )
