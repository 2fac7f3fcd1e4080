"""`/v1/chat/completions` through the official client: the answers are those of the command line."""

import asyncio
import base64
import json
import threading
import time

import httpx
import numpy as np
import openai
import pytest

from makesomenoise.audio import io
from makesomenoise.language import naming
from makesomenoise.pipeline import USUAL
from makesomenoise.serving import formats

QUESTION = "What is it?"


def speaking(*parts: str | np.ndarray) -> list[dict]:
    return [{"role": "user", "content": [part_of(part) for part in parts]}]


def part_of(part: str | np.ndarray) -> dict:
    if isinstance(part, str):
        return {"type": "text", "text": part}
    data = base64.b64encode(wav(part)).decode()
    return {"type": "input_audio", "input_audio": {"data": data, "format": "mp3"}}


@pytest.fixture
def sound(tone) -> np.ndarray:
    return (np.rint(np.asarray(tone(1.2)) * 32767) / 32768).astype(np.float32)  # what 16 bits hold


def pcm(data: str | bytes) -> np.ndarray:
    values = np.frombuffer(base64.b64decode(data) if isinstance(data, str) else data, "<i2")
    return values.astype(np.float32) / 32767.0


def wav(waveform) -> bytes:
    return formats.encoded(np.asarray(waveform), 24_000, "wav")


def test_a_question_about_a_sound_is_answered_as_by_msn_ask(client, model, sound):
    heard = io.load(wav(sound))
    found = client.chat.completions.create(model="makesomenoise", messages=speaking(sound, QUESTION))
    assert found.choices[0].message.content == "".join(model.stream_answer(heard, QUESTION))
    assert found.choices[0].message.audio is None
    details = found.usage.prompt_tokens_details
    assert details.audio_tokens == 29 + 2
    assert found.usage.total_tokens == found.usage.prompt_tokens + found.usage.completion_tokens
    alone = client.chat.completions.create(model="makesomenoise", messages=speaking(sound))
    assert alone.choices[0].message.content == model.caption([heard])[0]


def test_requests_together_get_the_answers_they_get_alone(client, model, sound):
    heard = io.load(wav(sound))
    questions = [f"{QUESTION} {'x' * n}" for n in range(3)]
    expected = ["".join(model.stream_answer(heard, question)) for question in questions]
    made = model.generate("rain", 0.8, seed=3)[0]
    found: dict[object, object] = {}

    def ask(question: str) -> None:
        messages = speaking(sound, question)
        found[question] = client.chat.completions.create(model="makesomenoise", messages=messages)

    def make() -> None:
        found[0] = client.post(
            "/audio/generate", body={"input": "rain", "audio_length": 0.8, "seed": 3}, cast_to=httpx.Response
        )

    threads = [threading.Thread(target=ask, args=(question,)) for question in questions]
    threads.append(threading.Thread(target=make))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [found[question].choices[0].message.content for question in questions] == expected
    assert found[0].content == wav(made)


def test_several_choices_have_seeds_of_their_own(client):
    several = {"model": "makesomenoise", "messages": speaking("Hello"), "temperature": 1.5, "top_p": 0.95}
    found = client.chat.completions.create(n=3, seed=5, max_completion_tokens=12, **several)
    again = client.chat.completions.create(n=1, seed=6, max_completion_tokens=12, **several)
    texts = [choice.message.content for choice in found.choices]
    assert [choice.index for choice in found.choices] == [0, 1, 2]
    assert texts[1] == again.choices[0].message.content != texts[0]
    short = client.chat.completions.create(max_tokens=2, **several)
    assert short.choices[0].finish_reason == "length"
    assert short.usage.completion_tokens == 2


def test_a_sound_is_made_and_named_by_a_later_turn(client, model):
    asked = {"model": "makesomenoise", "modalities": ["text", "audio"], "messages": speaking("A dog barks.")}
    made = client.chat.completions.create(
        audio={"voice": "alloy", "format": "wav"}, seed=2, extra_body={"seconds": 0.9}, **asked
    )
    audio = made.choices[0].message.audio
    assert made.choices[0].message.content is None
    expected = model.generate("A dog barks.", 0.9, seed=2)[0]
    assert base64.b64decode(audio.data) == wav(expected)
    assert audio.transcript == "a dog barks"
    assert audio.expires_at > time.time()
    assert made.usage.completion_tokens_details.audio_tokens == 22
    turns = [*asked["messages"], {"role": "assistant", "audio": {"id": audio.id}}]
    turns.append({"role": "user", "content": "What was it?"})
    later = client.chat.completions.create(model="makesomenoise", messages=turns)
    assert later.usage.prompt_tokens_details.audio_tokens == 22 + 2
    turns[1]["audio"]["id"] = "audio_unknown"
    with pytest.raises(openai.NotFoundError, match="no sound of this id"):
        client.chat.completions.create(model="makesomenoise", messages=turns)


@pytest.mark.parametrize("name", ["wav", "flac", "mp3", "opus", "pcm16"])
def test_sounds_come_in_the_format_that_is_asked_for(client, name: str):
    made = client.chat.completions.create(
        model="makesomenoise",
        modalities=["text", "audio"],
        audio={"voice": "alloy", "format": name},
        messages=speaking("rain"),
        extra_body={"seconds": 0.5},
    )
    data = base64.b64decode(made.choices[0].message.audio.data)
    assert len(pcm(data) if name == "pcm16" else io.load(data)) == pytest.approx(12_000, abs=1200)


def test_a_sound_goes_on(client, sound):
    made = client.chat.completions.create(
        model="makesomenoise", messages=speaking(sound), seed=1, extra_body={"seconds": 0.5}
    )
    assert len(io.load(base64.b64decode(made.choices[0].message.audio.data))) == 12_000
    assert made.usage.prompt_tokens_details.audio_tokens == 31


def test_the_best_of_several_candidates_is_kept(client, model):
    sounds = [model.compose("rain", 0.4, seed)[0] for seed in (7, 8, 9)]
    scores = naming.recognised(model.language, sounds, "rain")
    made = client.chat.completions.create(
        model="makesomenoise", messages=speaking("rain"), seed=7, extra_body={"seconds": 0.4, "candidates": 3}
    )
    best = scores.index(max(scores))
    expected = model.render(sounds[best], 0.4, 7 + best, USUAL)
    assert base64.b64decode(made.choices[0].message.audio.data) == wav(expected)


def test_text_is_streamed_to_what_comes_as_a_whole(client, sound):
    asked = {"model": "makesomenoise", "messages": speaking(sound, QUESTION)}
    chunks = list(client.chat.completions.create(stream=True, stream_options={"include_usage": True}, **asked))
    whole = client.chat.completions.create(**asked)
    assert chunks[0].choices[0].delta.role == "assistant"
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert text == whole.choices[0].message.content
    assert chunks[-2].choices[0].finish_reason == whole.choices[0].finish_reason
    assert chunks[-1].usage == whole.usage
    assert len({chunk.id for chunk in chunks}) == 1


def test_sound_is_streamed_in_pieces_that_can_be_joined(client):
    asked = {"model": "makesomenoise", "messages": speaking("rain"), "modalities": ["text", "audio"], "seed": 4}
    stream = client.chat.completions.create(
        stream=True, audio={"voice": "x", "format": "pcm16"}, extra_body={"seconds": 4.0}, **asked
    )
    deltas = [getattr(chunk.choices[0].delta, "audio", None) for chunk in stream]
    sounds = [{key: value for key, value in dict(one).items() if value is not None} for one in deltas if one]
    pieces = [one["data"] for one in sounds if "data" in one]
    assert [key for one in sounds for key in one if key != "data"] == ["id", "transcript", "expires_at"]
    assert len(pieces) > 2
    assert all(len(base64.b64decode(piece)) % 3 == 0 for piece in pieces[:-1])
    assert len(pcm("".join(pieces))) == 96_000
    turns = [{"role": "assistant", "audio": {"id": sounds[0]["id"]}}, {"role": "user", "content": QUESTION}]
    later = client.chat.completions.create(model="makesomenoise", messages=[*speaking("rain"), *turns])
    assert later.usage.prompt_tokens_details.audio_tokens == 94 + 2


def test_the_model_may_say_text_and_sounds_as_it_likes(client):
    found = client.chat.completions.create(
        model="makesomenoise",
        modalities=["text", "audio"],
        audio={"voice": "x", "format": "wav"},
        messages=speaking("Hello"),
        seed=11,
        max_completion_tokens=40,
    )
    assert found.choices[0].message.content or found.choices[0].message.audio
    assert found.usage.completion_tokens <= 41


def test_the_asynchronous_client(server, sound):
    async def ask() -> list[str]:
        async with openai.AsyncOpenAI(base_url=f"{server.url}/v1", api_key="none", max_retries=0) as client:
            stream = await client.chat.completions.create(
                model="makesomenoise", messages=speaking(sound, QUESTION), stream=True
            )
            return [chunk.choices[0].delta.content or "" async for chunk in stream]

    assert asyncio.run(ask())


def test_a_client_that_leaves_frees_the_worker(server):
    body = {"messages": speaking("rain"), "stream": True, "seconds": 30.0, "audio": {"format": "pcm16"}}
    with httpx.stream("POST", f"{server.url}/v1/chat/completions", json=body, timeout=60) as answer:
        assert answer.status_code == 200
        next(answer.iter_lines())
        assert server.worker.running == 1
    with pytest.raises(httpx.ReadTimeout):
        httpx.post(f"{server.url}/v1/chat/completions", json=body | {"stream": False}, timeout=0.2)
    end = time.monotonic() + 10
    while server.worker.running and time.monotonic() < end:
        time.sleep(0.02)
    assert server.worker.running == 0


@pytest.mark.parametrize(
    ("body", "status", "param", "sentence"),
    [
        ({"messages": []}, 400, "messages", "at least 1 item"),
        ({"messages": [{"role": "tool", "content": "x"}]}, 400, "messages[0].role", "'system'"),
        ({"messages": [{"role": "assistant", "content": "x"}]}, 400, "messages", "must be the user's"),
        ({"messages": speaking(" ")}, 400, "messages", "say something"),
        ({"messages": speaking("x"), "model": "gpt-9"}, 404, "model", "no model 'gpt-9'"),
        ({"messages": speaking("x"), "temperature": 3}, 400, "temperature", "less than or equal to 2"),
        ({"messages": speaking("x"), "n": 9}, 400, "n", "less than or equal to 8"),
        ({"messages": speaking("x"), "seconds": 61}, 400, "seconds", "60 s at most"),
        ({"messages": speaking("x"), "seconds": 50}, 400, None, "fit into the context"),
        ({"messages": speaking("x"), "seconds": 1, "modalities": ["text"]}, 400, "seconds", '"audio"'),
        ({"messages": speaking("x" * 2000)}, 400, None, "send fewer turns"),
        ({"messages": speaking("x"), "stream": True, "audio": {"format": "mp3"}}, 400, "audio.format", "pcm16"),
        (b"{", 400, None, "not JSON"),
    ],
)
def test_what_cannot_be_answered_is_one_sentence(server, body, status: int, param: str | None, sentence: str):
    sent = {"content": body} if isinstance(body, bytes) else {"json": body}
    answer = httpx.post(f"{server.url}/v1/chat/completions", **sent, timeout=60)
    assert answer.status_code == status
    error = answer.json()["error"]
    assert error["type"] == "invalid_request_error"
    assert error["param"] == param
    assert sentence in error["message"]
    assert error["message"].endswith(".")


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        ("!!!", "not base64"),
        ("", "is empty"),
        (base64.b64encode(b"words").decode(), "Cannot read"),
        ("https://example.com/dog.wav", "not fetched from addresses"),
        (base64.b64encode(formats.encoded(np.zeros(24_000 * 61), 24_000, "flac")).decode(), "longer than 60 s"),
    ],
)
def test_a_sound_that_cannot_be_read_is_one_sentence(server, data: str, sentence: str):
    messages = [{"role": "user", "content": [{"type": "input_audio", "input_audio": {"data": data, "format": "wav"}}]}]
    answer = httpx.post(f"{server.url}/v1/chat/completions", json={"messages": messages}, timeout=60)
    assert answer.status_code == 400
    assert sentence in answer.json()["error"]["message"]
    assert answer.json()["error"]["param"] == "messages[0].content[0].input_audio.data"


def test_base64_may_have_a_prefix_and_line_breaks(client, sound):
    part = part_of(sound)
    plain = part["input_audio"]["data"]
    lines = "\r\n".join(plain[first : first + 76] for first in range(0, len(plain), 76))
    part["input_audio"]["data"] = f"data:audio/wav;base64,{lines.rstrip('=')}"
    messages = [{"role": "user", "content": [part, {"type": "text", "text": QUESTION}]}]
    found = client.chat.completions.create(model="makesomenoise", messages=messages)
    expected = client.chat.completions.create(model="makesomenoise", messages=speaking(sound, QUESTION))
    assert found.choices[0].message.content == expected.choices[0].message.content


def test_events_are_json_and_end(server):
    body = {"messages": speaking("x"), "stream": True, "max_tokens": 3}
    lines = httpx.post(f"{server.url}/v1/chat/completions", json=body, timeout=60).text.split("\n\n")
    assert lines[-2:] == ["data: [DONE]", ""]
    assert all(json.loads(line.removeprefix("data: "))["object"] == "chat.completion.chunk" for line in lines[:-2])
