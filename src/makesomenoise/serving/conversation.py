"""The messages of a chat request to what the model is asked: base64 to sounds, ids to codes; asks no model."""

import base64
import binascii
import re
from collections.abc import Sequence

import numpy as np

from makesomenoise.errors import MakeSomeNoiseError
from makesomenoise.language import wording
from makesomenoise.language.prompts import Role, Sound
from makesomenoise.serving import formats
from makesomenoise.serving.jobs import Message
from makesomenoise.serving.refusals import Refusal
from makesomenoise.serving.schemas import AudioPart, ChatMessage
from makesomenoise.serving.store import SoundStore

_PREFIX = re.compile(r"^\s*data:[^,]{0,200},")
_SPACE = re.compile(r"\s+")
_ADDRESS = re.compile(r"^\s*(https?|ftp|file):", re.IGNORECASE)


def messages_of(
    given: Sequence[ChatMessage], store: SoundStore, sample_rate: int, most_seconds: float
) -> tuple[Message, ...]:
    """What is said in a request; neighbours of one role are one message.

    Args:
        given: at least one.
        store: sounds that may be named by id.
        sample_rate: of the waveforms, Hz.
        most_seconds: the longest sound, all of them together.

    Raises:
        Refusal: if a sound cannot be read, an id is unknown, or the user does not speak last.
    """
    found: list[Message] = []
    left = most_seconds
    for number, message in enumerate(given):
        said = _said(message, f"messages[{number}]", store, sample_rate, left)
        left -= sum(len(sound) / sample_rate for sound in said.sounds if isinstance(sound, np.ndarray))
        if found and found[-1].role == said.role:
            texts = [text for text in (found[-1].text, said.text) if text]
            found[-1] = Message(said.role, "\n".join(texts), (*found[-1].sounds, *said.sounds))
        else:
            found.append(said)
    last = found[-1]
    if last.role != "user":
        raise Refusal(400, "The last message must be the user's.", param="messages")
    if not last.text and not last.sounds:
        raise Refusal(400, "The last message is empty: say something, or send a sound.", param="messages")
    return tuple(message for message in found if message.text or message.sounds)


def asked_about(messages: tuple[Message, ...]) -> tuple[Message, ...]:
    """The same, where a sound that comes without words is to be described."""
    last = messages[-1]
    return (*messages[:-1], Message(last.role, last.text or wording.CAPTION, last.sounds))


def sound_file(text: str, param: str) -> bytes:
    """The bytes of base64, with or without a `data:` prefix, line breaks and padding.

    Raises:
        Refusal: if it is none.
    """
    if _ADDRESS.match(text):
        raise Refusal(400, "Sounds are not fetched from addresses: send the bytes in base64.", param=param)
    plain = _SPACE.sub("", _PREFIX.sub("", text, count=1)).rstrip("=")
    try:
        data = base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise Refusal(400, "The sound is not base64: send the bytes of a sound file in base64.", param=param) from None
    if not data:
        raise Refusal(400, "The sound is empty: send the bytes of a sound file in base64.", param=param)
    return data


def _said(message: ChatMessage, where: str, store: SoundStore, sample_rate: int, most_seconds: float) -> Message:
    role: Role = "system" if message.role == "developer" else message.role
    parts = message.content if isinstance(message.content, list) else []
    texts = [message.content] if isinstance(message.content, str) else []
    sounds: list[np.ndarray | Sound] = []
    for number, part in enumerate(parts):
        if not isinstance(part, AudioPart):
            texts.append(part.text)
            continue
        param = f"{where}.content[{number}].input_audio.data"
        if role != "user":
            raise Refusal(400, f"Only the user sends sounds; got one of the {role}.", param=param)
        try:
            sound = formats.read(sound_file(part.input_audio.data, param), sample_rate, most_seconds)
        except MakeSomeNoiseError as error:
            raise Refusal(400, str(error), "invalid_audio", param) from None
        sounds.append(sound)
        most_seconds -= len(sound) / sample_rate
    if message.audio is not None:
        sounds.append(_made(message.audio.id, f"{where}.audio.id", store, role))
    return Message(role, " ".join(text.strip() for text in texts if text.strip()), tuple(sounds))


def _made(name: str, param: str, store: SoundStore, role: Role) -> Sound:
    sound = store.find(name)
    if role != "assistant" or sound is None:
        message = "There is no sound of this id: it was made too long ago, or elsewhere; send its bytes as input_audio."
        raise Refusal(404, message, "audio_not_found", param)
    return sound
