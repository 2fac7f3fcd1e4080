"""`POST /v1/chat/completions`: a conversation in text and sound, whole or as a stream, in OpenAI's form."""

import base64
import json
import secrets
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
from fastapi import APIRouter, Request
from fastapi.responses import StreamingResponse

from makesomenoise.language import wording
from makesomenoise.language.sampling import TALKING, Sampling
from makesomenoise.pipeline import USUAL, Generation
from makesomenoise.serving.conversation import asked_about, messages_of
from makesomenoise.serving.formats import PcmPieces
from makesomenoise.serving.jobs import Ended, Make, Message, Read, Reply, Said, Sounded
from makesomenoise.serving.refusals import Refusal, refusal_of
from makesomenoise.serving.schemas import (
    AnswerMessage,
    ChatCompletion,
    ChatRequest,
    Choice,
    MessageAudio,
    TokenDetails,
    Usage,
)
from makesomenoise.serving.service import SAMPLE_RATE, Service, any_seed, aside, service_of
from makesomenoise.serving.store import Kept

router = APIRouter()


@router.post("/v1/chat/completions", response_model=ChatCompletion, summary="Talk in text and sound")
async def complete(request: Request, body: ChatRequest) -> object:
    """Answers a conversation in which sounds may be sent, and made where `modalities` has `audio`.

    With `seconds`, a sound of exactly that length is made from the last message, as `msn generate` makes it; if that
    brings a sound and no words, it is how that sound goes on. Without, the model decides on what it says, as in
    `msn chat`.
    """
    service = service_of(request)
    service.check_model(body.model)
    service.check_ready()
    check(service, body)
    most = service.settings.max_seconds
    messages = await aside(lambda: messages_of(body.messages, service.store, SAMPLE_RATE, most))
    heard = sum(len(sound) for message in messages for sound in message.sounds if isinstance(sound, np.ndarray))
    service.metrics.heard(heard / SAMPLE_RATE)
    job, transcript = asked(body, messages)
    if body.stream:
        stream = Stream(service, body, transcript)
        pieces = await service.begun(request, job)
        return StreamingResponse(stream.events(pieces), media_type="text/event-stream", headers=NOT_KEPT)
    answer = Answer(transcript, body.n or 1)
    async for piece in service.pieces(request, job):
        answer.add(piece)
    name = body.audio.format if body.audio and body.audio.format else "wav"
    return await answer.completion(service, name)


NOT_KEPT = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}


def check(service: Service, body: ChatRequest) -> None:
    """Refuses what contradicts itself.

    Raises:
        Refusal: if it does.
    """
    audio = "audio" in (body.modalities or ())
    if body.seconds is not None:
        service.check_seconds(body.seconds, "seconds")
        if body.modalities is not None and not audio:
            raise Refusal(400, 'A length needs a sound: add "audio" to modalities.', param="seconds")
    if body.stream and body.audio and body.audio.format not in (None, "pcm16", "pcm"):
        raise Refusal(400, "Sound is streamed as pcm16: ask for it, or leave out stream.", param="audio.format")


def asked(body: ChatRequest, messages: tuple[Message, ...]) -> tuple[Reply | Make, str]:
    """What the model is to do, and what a sound that it makes is said to be."""
    seed, choices, streamed = any_seed(body.seed), body.n or 1, bool(body.stream)
    if body.seconds is not None:
        last = messages[-1]
        how = Generation(
            USUAL.temperature if body.temperature is None else body.temperature,
            guidance=USUAL.guidance if body.guidance is None else body.guidance,
            top_p=body.top_p or 1.0,
        )
        after = last.sounds[-1] if last.sounds and not last.text else None
        make = Make(last.text, body.seconds, seed, choices, how, body.candidates or 1, "", after)
        return replace(make, streamed=streamed), wording.clause(last.text)
    sounds = "audio" in (body.modalities or ())
    sampling = None
    if body.temperature is not None or body.top_p is not None:
        usual = TALKING if sounds else Sampling(0.0)
        temperature = usual.temperature if body.temperature is None else body.temperature
        sampling = Sampling(temperature, usual.top_k, top_p=body.top_p or 1.0)
    most = body.max_completion_tokens or body.max_tokens
    return Reply(asked_about(messages), choices, seed, sampling, most, sounds, streamed), ""


@dataclass
class _Spoken:
    """An answer so far."""

    texts: list[str] = field(default_factory=list)
    waveforms: list[np.ndarray] = field(default_factory=list)
    ended: Ended | None = None


class Answer:
    """What came of a request, as one document.

    Args:
        transcript: what a made sound is said to be, where the answer has no words.
        choices: how many answers there are.
    """

    def __init__(self, transcript: str, choices: int):
        self._transcript, self._read = transcript, Read(0, 0)
        self._spoken = [_Spoken() for _ in range(choices)]

    def add(self, piece: object) -> None:
        """Takes a piece that a job made."""
        if isinstance(piece, Read):
            self._read = piece
        elif isinstance(piece, Said):
            self._spoken[piece.choice].texts.append(piece.text)
        elif isinstance(piece, Sounded):
            self._spoken[piece.choice].waveforms.append(piece.waveform)
        elif isinstance(piece, Ended):
            self._spoken[piece.choice].ended = piece

    async def completion(self, service: Service, audio_format: str) -> ChatCompletion:
        """The document.

        Raises:
            Refusal: if the format cannot be written.
        """
        choices = [
            await self._choice(service, number, spoken, audio_format) for number, spoken in enumerate(self._spoken)
        ]
        used = usage(self._read, [spoken.ended for spoken in self._spoken if spoken.ended])
        head = {"id": f"chatcmpl-{secrets.token_hex(12)}", "created": int(time.time())}
        return ChatCompletion(**head, model=service.settings.model_id, choices=choices, usage=used)

    async def _choice(self, service: Service, number: int, spoken: _Spoken, audio_format: str) -> Choice:
        text, audio = "".join(spoken.texts), None
        if spoken.waveforms and spoken.ended and spoken.ended.sound:
            kept = service.store.name()
            data = await service.encoded(np.concatenate(spoken.waveforms), audio_format)
            service.store.keep(kept, spoken.ended.sound)
            audio = MessageAudio(
                id=kept.id,
                data=base64.b64encode(data).decode(),
                transcript=text or self._transcript,
                expires_at=kept.expires_at,
            )
        message = AnswerMessage(content=text or (None if audio else ""), audio=audio)
        return Choice(index=number, message=message, finish_reason=reason(spoken.ended))


class Stream:
    """What came of a request, as server-sent events.

    Args:
        service: keeps the sounds that are made.
        body: the request.
        transcript: what a made sound is said to be.
    """

    def __init__(self, service: Service, body: ChatRequest, transcript: str):
        self._service, self._transcript = service, transcript
        self._id, self._created = f"chatcmpl-{secrets.token_hex(12)}", int(time.time())
        self._usage = bool(body.stream_options and body.stream_options.include_usage)
        self._pcm: dict[int, PcmPieces] = {}
        self._kept: dict[int, Kept] = {}
        self._read, self._ended = Read(0, 0), list[Ended]()

    async def events(self, pieces: AsyncIterator[object]) -> AsyncIterator[str]:
        """The events of an answer whose first piece is there."""
        greeted: set[int] = set()
        try:
            async for piece in pieces:
                if isinstance(piece, Read):
                    self._read = piece
                    continue
                if isinstance(piece, Said | Sounded | Ended) and piece.choice not in greeted:
                    greeted.add(piece.choice)
                    yield self._delta(piece.choice, {"role": "assistant", "content": ""})
                for event in self._of(piece):
                    yield event
            if self._usage:
                used = usage(self._read, self._ended).model_dump()
                yield event_of({**self._head(), "choices": [], "usage": used})
            yield "data: [DONE]\n\n"
        except Exception as error:
            yield event_of(refusal_of(error).body())

    def _of(self, piece: object) -> Iterator[str]:
        if isinstance(piece, Said):
            yield self._delta(piece.choice, {"content": piece.text})
        elif isinstance(piece, Sounded):
            yield from self._sound(piece)
        elif isinstance(piece, Ended):
            self._ended.append(piece)
            yield from self._end(piece)

    def _sound(self, piece: Sounded) -> Iterator[str]:
        if piece.choice not in self._pcm:
            self._pcm[piece.choice] = PcmPieces()
            self._kept[piece.choice] = kept = self._service.store.name()
            yield self._delta(piece.choice, {"audio": {"id": kept.id, "transcript": self._transcript}})
        self._service.metrics.made(len(piece.waveform) / SAMPLE_RATE)
        for data in self._pcm[piece.choice].after(piece.waveform):
            yield self._data(piece.choice, data)

    def _end(self, piece: Ended) -> Iterator[str]:
        if piece.choice in self._pcm and piece.sound is not None:
            kept = self._kept[piece.choice]
            self._service.store.keep(kept, piece.sound)
            for data in self._pcm[piece.choice].rest():
                yield self._data(piece.choice, data)
            yield self._delta(piece.choice, {"audio": {"expires_at": kept.expires_at}})
        yield self._delta(piece.choice, {}, reason(piece))

    def _data(self, choice: int, data: bytes) -> str:
        return self._delta(choice, {"audio": {"data": base64.b64encode(data).decode()}})

    def _head(self) -> dict:
        return {
            "id": self._id,
            "object": "chat.completion.chunk",
            "created": self._created,
            "model": self._service.settings.model_id,
        }

    def _delta(self, choice: int, delta: dict, finish: str | None = None) -> str:
        chosen = {"index": choice, "delta": delta, "logprobs": None, "finish_reason": finish}
        return event_of({**self._head(), "choices": [chosen]})


def event_of(document: dict) -> str:
    """A server-sent event."""
    return f"data: {json.dumps(document)}\n\n"


def reason(ended: Ended | None) -> Literal["stop", "length"]:
    """Why an answer ended, in OpenAI's words."""
    return "stop" if ended is None or ended.complete else "length"


def usage(read: Read, ended: list[Ended]) -> Usage:
    """How many tokens were read, and drawn by all answers."""
    text, audio = sum(one.text_tokens for one in ended), sum(one.audio_tokens for one in ended)
    prompt = read.text_tokens + read.audio_tokens
    return Usage(
        prompt_tokens=prompt,
        completion_tokens=text + audio,
        total_tokens=prompt + text + audio,
        prompt_tokens_details=TokenDetails(text_tokens=read.text_tokens, audio_tokens=read.audio_tokens),
        completion_tokens_details=TokenDetails(text_tokens=text, audio_tokens=audio),
    )
