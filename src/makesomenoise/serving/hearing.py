"""What is heard in a file: `/v1/audio/transcriptions`, `/v1/audio/classifications`, `/v1/audio/tokens`."""

import json
from collections.abc import AsyncIterator
from typing import Annotated, Literal

from fastapi import APIRouter, File, Form, Request, UploadFile
from fastapi.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse

from makesomenoise.audio import arrays
from makesomenoise.language import events
from makesomenoise.language.listening import Answered
from makesomenoise.language.naming import Ranked
from makesomenoise.language.prompts import Sound
from makesomenoise.serving.chat import NOT_KEPT, event_of
from makesomenoise.serving.refusals import Refusal, refusal_of
from makesomenoise.serving.schemas import (
    MOST_LABELS,
    Classification,
    LabelProbability,
    Segment,
    TextFormat,
    Tokens,
    Transcription,
    VerboseTranscription,
)
from makesomenoise.serving.service import SAMPLE_RATE, Service, service_of
from makesomenoise.serving.tasks import Classify, Listen, Tokenize
from makesomenoise.tokenizer import bitstream
from makesomenoise.tokenizer.bitstream import Bitstream

router = APIRouter()
Upload = Annotated[UploadFile, File(description="A sound file; its bytes decide on the format.")]
ModelName = Annotated[str | None, Form()]
Window = Annotated[float, Form(ge=0.05, le=60.0, allow_inf_nan=False, description="Length of the windows, seconds.")]


@router.post("/v1/audio/transcriptions", response_model=None, summary="What is heard when")
async def transcribe(
    request: Request,
    file: Upload,
    model: ModelName = None,
    response_format: Annotated[TextFormat, Form()] = "json",
    window: Window = events.WINDOW,
    stream: Annotated[bool, Form()] = False,
) -> Response:
    """Says what is heard in a file of any length, window by window; the same answers in a row are one event."""
    service = service_of(request)
    service.check_model(model)
    sound = await service.read(await file.read())
    job = Listen(sound, window)
    if stream:
        pieces = await service.begun(request, job)
        return StreamingResponse(_deltas(pieces), media_type="text/event-stream", headers=NOT_KEPT)
    answered = [piece for piece in await service.all(request, job) if isinstance(piece, Answered)]
    return _transcription(events.joined(answered), len(sound) / SAMPLE_RATE, response_format)


def _transcription(found: list[events.Event], seconds: float, name: TextFormat) -> Response:
    text = "\n".join(event.text for event in found)
    if name == "verbose_json":
        segments = [
            Segment(id=number, start=round(event.start, 3), end=round(event.end, 3), text=event.text)
            for number, event in enumerate(found)
        ]
        verbose = VerboseTranscription(text=text, duration=round(seconds, 3), segments=segments)
        return JSONResponse(verbose.model_dump())
    if name == "json":
        return JSONResponse(Transcription(text=text).model_dump())
    kinds = {"text": "text/plain", "srt": "application/x-subrip", "vtt": "text/vtt"}
    body = f"{text}\n" if name == "text" else events.FORMATS[name](found)
    return PlainTextResponse(body, media_type=kinds[name])


async def _deltas(pieces: AsyncIterator[object]) -> AsyncIterator[str]:
    texts: list[str] = []
    try:
        async for piece in pieces:
            if isinstance(piece, Answered) and (not texts or texts[-1] != piece.text):
                delta = f"\n{piece.text}" if texts else piece.text
                texts.append(piece.text)
                yield event_of({"type": "transcript.text.delta", "delta": delta})
        yield event_of({"type": "transcript.text.done", "text": "\n".join(texts)})
    except Exception as error:
        yield event_of(refusal_of(error).body())


@router.post("/v1/audio/classifications", response_model=Classification, summary="Which of these names fits")
async def classify(
    request: Request,
    file: Upload,
    labels: Annotated[list[str], Form(description="Names: one a field, or separated by commas, or a JSON list.")],
    model: ModelName = None,
    window: Annotated[float | None, Form(ge=0.05, le=60.0, allow_inf_nan=False)] = None,
    prior: Annotated[float, Form(ge=0.0, le=1.0, allow_inf_nan=False)] = 0.5,
) -> Classification:
    """Ranks names for a sound, as `msn classify` does."""
    service = service_of(request)
    service.check_model(model)
    names = tuple(name for field in labels for name in _names(field))
    if len(names) > MOST_LABELS:
        raise Refusal(400, f"Expected {MOST_LABELS} labels at most; got {len(names)}.", param="labels")
    sound = await service.read(await file.read())
    (ranked,) = await service.all(request, Classify(sound, names, window, prior))
    found: list[Ranked] = ranked  # pyright: ignore[reportAssignmentType] - it yields one list
    rows = [LabelProbability(label=one.label, probability=one.probability) for one in found]
    return Classification(model=service.settings.model_id, labels=rows)


def _names(text: str) -> list[str]:
    if text.lstrip().startswith("["):
        try:
            names = json.loads(text)
        except ValueError:
            names = None
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise Refusal(400, 'Expected a JSON list of names, ["dog", "rain"].', param="labels")
        return names
    return text.split(",")


@router.post("/v1/audio/tokens", response_model=Tokens, summary="Sound to codes")
async def tokens(
    request: Request,
    file: Upload,
    model: ModelName = None,
    response_format: Annotated[Literal["json", "msn"], Form()] = "json",
) -> object:
    """The codes of a sound, 23 a second, as JSON or as an `.msn` file."""
    service = service_of(request)
    service.check_model(model)
    waveform = await service.read(await file.read())
    (heard,) = await service.all(request, Tokenize(waveform))
    sound: Sound = heard  # pyright: ignore[reportAssignmentType] - it yields one
    if response_format == "msn":
        return Response(_msn(service, sound, len(waveform)), media_type="application/octet-stream")
    tokenizer = service.worker.tokenizer
    return Tokens(
        model=service.settings.model_id,
        codes=list(sound.codes),
        sample_count=len(waveform),
        sample_rate=SAMPLE_RATE,
        seconds=len(waveform) / SAMPLE_RATE,
        code_rate=tokenizer.code_rate,
        bits_per_second=tokenizer.bits_per_second,
        fingerprint=tokenizer.fingerprint,
    )


def _msn(service: Service, sound: Sound, sample_count: int) -> bytes:
    tokenizer = service.worker.tokenizer
    return bitstream.to_bytes(
        Bitstream(
            arrays.integers(sound.codes),
            sample_count,
            tokenizer.fingerprint,
            tokenizer.sample_rate,
            tokenizer.samples_per_code,
            tokenizer.bits_per_code,
        )
    )
