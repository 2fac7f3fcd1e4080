"""Text to sound, and codes to sound: `/v1/audio/generate`, `/v1/audio/speech`, `/v1/sound-generation`, detokenizing."""

import base64
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Annotated, Any

import numpy as np
from fastapi import APIRouter, File, Form, Request, UploadFile
from fastapi.responses import Response, StreamingResponse

from makesomenoise.pipeline import AS_CODED, USUAL, Generation
from makesomenoise.serving.chat import NOT_KEPT, event_of, usage
from makesomenoise.serving.formats import MEDIA_TYPES, PcmPieces
from makesomenoise.serving.jobs import Ended, Make, Read, Sounded
from makesomenoise.serving.refusals import Refusal, refusal_of
from makesomenoise.serving.schemas import (
    DetokenizeRequest,
    GenerateRequest,
    Quality,
    Seed,
    SoundFormat,
    SoundGenerationRequest,
    SpeechRequest,
)
from makesomenoise.serving.service import SAMPLE_RATE, Service, any_seed, aside, service_of
from makesomenoise.serving.tasks import Detokenize
from makesomenoise.tokenizer import bitstream

router = APIRouter()
_ELEVEN_FORMAT = re.compile(r"(mp3|pcm|wav|opus|flac)(?:_(\d{4,6}))?(?:_\d{1,4})?")
_ELEVEN_SECONDS = 5.0
_USUAL_INFLUENCE = 0.3
SOUND: dict[int | str, dict[str, Any]] = {
    200: {"content": {kind: {} for kind in sorted(set(MEDIA_TYPES.values()))}, "description": "A sound file."}
}


@router.post("/v1/audio/generate", response_class=Response, responses=SOUND, summary="Make a sound from a text")
async def generate(request: Request, body: GenerateRequest) -> Response:
    """Makes the sound that `msn generate` makes of the same text, length and seed; in the names of vllm-omni."""
    service = service_of(request)
    service.check_model(body.model)
    service.check_seconds(body.audio_length, "audio_length")
    job = Make(
        body.input,
        body.audio_length,
        any_seed(body.seed),
        generation=Generation(
            body.temperature,
            guidance=body.guidance_scale,
            top_p=body.top_p,
            steps=body.num_inference_steps,
            quality=body.quality,
        ),
        candidates=body.candidates,
        without=body.negative_prompt,
    )
    return await answer(service, request, job, body.response_format, body.stream_format == "sse")


@router.post("/v1/audio/speech", response_class=Response, responses=SOUND, summary="Make a sound from a text")
async def speech(request: Request, body: SpeechRequest) -> Response:
    """The same in the names of OpenAI's speech route: what `input` describes is heard, not its words."""
    service = service_of(request)
    service.check_model(body.model)
    service.check_seconds(body.seconds, "seconds")
    how = Generation(guidance=body.guidance)
    job = Make(body.input, body.seconds, any_seed(body.seed), generation=how, candidates=body.candidates)
    return await answer(service, request, job, body.response_format, body.stream_format == "sse")


@router.post("/v1/sound-generation", response_class=Response, responses=SOUND, summary="Make a sound from a text")
async def sound_generation(
    request: Request, body: SoundGenerationRequest, output_format: str = "mp3_24000_128"
) -> Response:
    """The same in the names of ElevenLabs; `output_format` is a codec and a sample rate, `mp3_44100_128`."""
    service = service_of(request)
    service.check_model(body.model_id, "model_id")
    seconds = _ELEVEN_SECONDS if body.duration_seconds is None else body.duration_seconds
    service.check_seconds(seconds, "duration_seconds")
    found = _ELEVEN_FORMAT.fullmatch(output_format)
    if not found:
        message = "Expected an output_format such as mp3_44100_128, pcm_24000, wav_24000 or opus_48000_64."
        raise Refusal(400, message, param="output_format")
    rate = int(found[2]) if found[2] else None
    if rate is not None and rate not in (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000):
        raise Refusal(400, "Expected a usual sample rate from 8000 to 48000 Hz.", param="output_format")
    influence = _USUAL_INFLUENCE if body.prompt_influence is None else body.prompt_influence
    guidance = 1.0 + (USUAL.guidance - 1.0) * influence / _USUAL_INFLUENCE
    job = Make(body.text, seconds, any_seed(body.seed), generation=Generation(guidance=guidance))
    return await answer(service, request, job, found[1], events=False, rate=rate)


@router.post("/v1/audio/detokenize", response_class=Response, responses=SOUND, summary="Codes to sound")
async def detokenize(request: Request, body: DetokenizeRequest) -> Response:
    """Makes a sound of codes, as `msn decode` does."""
    service = service_of(request)
    service.check_seconds(len(body.codes) * 1024 / SAMPLE_RATE, "codes")
    how = replace(AS_CODED, steps=body.num_inference_steps, quality=body.quality)
    job = Detokenize(tuple(body.codes), body.sample_count, body.seed, how)
    return await _decoded(service, request, job, body.response_format)


@router.post("/v1/audio/detokenize/file", response_class=Response, responses=SOUND, summary="A file of codes to sound")
async def detokenize_file(
    request: Request,
    file: Annotated[UploadFile, File(description="An .msn file.")],
    response_format: Annotated[SoundFormat, Form()] = "wav",
    seed: Annotated[Seed, Form()] = 0,
    quality: Annotated[Quality, Form()] = "fast",
) -> Response:
    """Makes a sound of an `.msn` file, as `msn decode` does."""
    service = service_of(request)
    service.check_ready()
    data = await file.read()
    read = await aside(lambda: bitstream.from_bytes(data, "the file"), "file")
    own = service.worker.tokenizer.fingerprint
    if read.fingerprint != own:
        message = f"The file was made by the tokenizer {read.fingerprint}, and this server has {own}."
        raise Refusal(400, message, param="file")
    service.check_seconds(read.seconds, "file")
    job = Detokenize(tuple(read.codes.tolist()), read.sample_count, seed, replace(AS_CODED, quality=quality))
    return await _decoded(service, request, job, response_format)


async def _decoded(service: Service, request: Request, job: Detokenize, name: str) -> Response:
    (waveform,) = await service.all(request, job)
    data = await service.encoded(waveform, name)  # pyright: ignore[reportArgumentType] - it yields one waveform
    return Response(data, media_type=MEDIA_TYPES[name])


async def answer(
    service: Service, request: Request, job: Make, name: str, events: bool, rate: int | None = None
) -> Response:
    """A made sound: as a file, as raw samples while the rest is made, or as server-sent events.

    Raises:
        Refusal: if it cannot be made, or the format cannot be written.
    """
    head = {"X-Seed": str(job.seed)}
    raw = name in ("pcm", "pcm16") and rate in (None, SAMPLE_RATE)
    if raw or events:
        if not raw:
            raise Refusal(400, "Events bring pcm: ask for that format, or for no events.", param="response_format")
        pieces = await service.begun(request, replace(job, streamed=True))
        if events:
            stream = _events(service, pieces)
            return StreamingResponse(stream, media_type="text/event-stream", headers=head | NOT_KEPT)
        return StreamingResponse(_raw(service, pieces), media_type=MEDIA_TYPES[name], headers=head)
    made = await service.all(request, job)
    waveform = np.concatenate([piece.waveform for piece in made if isinstance(piece, Sounded)])
    return Response(await service.encoded(waveform, name, rate), media_type=MEDIA_TYPES[name], headers=head)


async def _raw(service: Service, pieces: AsyncIterator[object]) -> AsyncIterator[bytes]:
    pcm = PcmPieces()
    async for piece in pieces:
        if isinstance(piece, Sounded):
            service.metrics.made(len(piece.waveform) / SAMPLE_RATE)
            for data in pcm.after(piece.waveform):
                yield data
    for data in pcm.rest():
        yield data


async def _events(service: Service, pieces: AsyncIterator[object]) -> AsyncIterator[str]:
    read, ended = Read(0, 0), list[Ended]()

    async def seen() -> AsyncIterator[object]:
        nonlocal read
        async for piece in pieces:
            if isinstance(piece, Read):
                read = piece
            elif isinstance(piece, Ended):
                ended.append(piece)
            yield piece

    try:
        async for data in _raw(service, seen()):
            yield event_of({"type": "speech.audio.delta", "audio": base64.b64encode(data).decode()})
        used = usage(read, ended)
        counts = {"input_tokens": used.prompt_tokens, "output_tokens": used.completion_tokens}
        counts |= {"total_tokens": used.total_tokens}
        yield event_of({"type": "speech.audio.done", "usage": counts})
    except Exception as error:
        yield event_of(refusal_of(error).body())
