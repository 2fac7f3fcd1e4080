"""`create_app`: the routes, behind the gate, around one worker; holds no module-global state."""

import logging
import time
from functools import partial
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException

from makesomenoise.serving import chat, hearing, sounds
from makesomenoise.serving.gate import Gate
from makesomenoise.serving.late_page import LatePage
from makesomenoise.serving.metrics import Metrics
from makesomenoise.serving.refusals import Refusal, refusal_of
from makesomenoise.serving.schemas import ErrorBody, Health, ModelList, ServedModel
from makesomenoise.serving.service import Service
from makesomenoise.serving.settings import Settings
from makesomenoise.serving.store import SoundStore
from makesomenoise.serving.worker import Worker

log = logging.getLogger(__name__)
ABOUT = "Sound in and out of one language model, in the forms of OpenAI's API."


def create_app(worker: Worker, settings: Settings) -> FastAPI:
    """A server as an ASGI application.

    Args:
        worker: owns the model; whoever starts the server starts and stops it.
        settings: how it answers.
    """
    metrics = Metrics(worker)
    service = Service(worker, settings, SoundStore(settings.keep_seconds), metrics)
    refused: dict[int | str, dict[str, Any]] = {
        status: {"model": ErrorBody} for status in (400, 401, 404, 413, 429, 503)
    }
    page = LatePage(worker, partial(_page, service)) if settings.page else None
    app = FastAPI(
        lifespan=page.lifespan if page else None,
        title="makesomenoise",
        description=ABOUT,
        docs_url=None,
        redoc_url=None,
        responses=refused,
        version="1",
        strict_content_type=False,
    )
    app.state.service = service
    for router in (chat.router, sounds.router, hearing.router):
        app.include_router(router)
    _add_operation(app, service)
    app.add_exception_handler(Refusal, _refused)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Exception, _failed)
    app.add_middleware(Gate, settings=settings, metrics=metrics)
    if page:
        app.mount("/", page)
    return app


def _page(service: Service) -> FastAPI:
    from makesomenoise.serving.page import page_app  # noqa: PLC0415 - it takes seconds to import

    return page_app(service)


def _add_operation(app: FastAPI, service: Service) -> None:
    created = int(time.time())

    @app.get("/health", response_model=Health, summary="Whether the model is loaded")
    async def health() -> Response:
        ready = service.worker.state == "ready"
        return JSONResponse({"status": service.worker.state}, 200 if ready else 503)

    @app.get("/metrics", response_class=Response, summary="What Prometheus reads")
    async def metrics() -> Response:
        return Response(service.metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")

    @app.get("/v1/models", summary="The model that is served")
    async def models() -> ModelList:
        return ModelList(data=[ServedModel(id=service.settings.model_id, created=created)])

    @app.get("/v1/models/{name}", summary="One model")
    async def model(name: str) -> ServedModel:
        service.check_model(name)
        return ServedModel(id=name, created=created)


async def _refused(_: Request, error: Exception) -> Response:
    refusal = refusal_of(error)
    return JSONResponse(refusal.body(), refusal.status, refusal.headers())


async def _invalid(_: Request, error: Exception) -> Response:
    """What does not fit the schema: the first thing that is wrong, and where, but not what was sent."""
    problems = error.errors() if isinstance(error, RequestValidationError) else []
    if not problems:
        return await _refused(_, Refusal(400, "The request does not fit the schema."))
    first = problems[0]
    where = [str(part) for part in first["loc"] if part not in ("body", "query", "path")]
    if first["type"] == "json_invalid":
        return await _refused(_, Refusal(400, f"The body is not JSON: {first['ctx']['error'].rstrip('.')}."))
    param = "".join(f"[{part}]" if part.isdecimal() else f".{part}" for part in where).removeprefix(".") or None
    said = first["msg"].removeprefix("Value error, ").rstrip(".")
    message = f"{param or 'The body'}: {said}."
    return await _refused(_, Refusal(400, message, param=param))


async def _http(_: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    if isinstance(error.__cause__, Refusal):  # of the gate, while a body was read
        return await _refused(_, error.__cause__)
    detail = error.detail if isinstance(error, HTTPException) else ""
    known = {404: "There is no such address.", 405: "This address takes another method."}
    message = known.get(status, f"{detail}".rstrip(".") + ".")
    return await _refused(_, Refusal(400 if status == 422 else status, message))  # noqa: PLR2004 - unprocessable


async def _failed(_: Request, error: Exception) -> Response:
    log.error("a request failed", exc_info=error)
    return await _refused(_, error)
