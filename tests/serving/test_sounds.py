"""Text and codes to sound: the bytes are those of the command line's files."""

import base64
import json

import httpx
import numpy as np
import pytest

from makesomenoise.audio import io
from makesomenoise.language.orders import sound_order
from makesomenoise.pipeline import Generation
from makesomenoise.serving import formats


def post(server, path: str, body: dict) -> httpx.Response:
    return httpx.post(f"{server.url}{path}", json=body, timeout=60)


def wav(waveform) -> bytes:
    return formats.encoded(np.asarray(waveform), 24_000, "wav")


def test_the_names_of_vllm_omni(server, model):
    body = {"input": "rain", "audio_length": 0.6, "seed": 3, "guidance_scale": 2.0, "num_inference_steps": 2}
    answer = post(server, "/v1/audio/generate", body)
    assert answer.headers["content-type"] == "audio/wav"
    assert answer.headers["x-seed"] == "3"
    expected = model.generate("rain", 0.6, seed=3, generation=Generation(guidance=2.0, steps=2))[0]
    assert answer.content == wav(expected)
    other = post(server, "/v1/audio/generate", body | {"negative_prompt": "wind"})
    assert len(other.content) == len(answer.content)
    asked = [sound_order(model.language, "rain", 0.6, without) for without in ("", "wind")]
    assert asked[0].prompt == asked[1].prompt
    assert asked[0].nothing != asked[1].nothing != asked[1].prompt


def test_a_seed_that_is_not_given_is_told(server):
    first = post(server, "/v1/audio/generate", {"input": "rain", "audio_length": 0.3})
    again = {"input": "rain", "audio_length": 0.3, "seed": int(first.headers["x-seed"])}
    assert post(server, "/v1/audio/generate", again).content == first.content


def test_the_names_of_elevenlabs(server, model):
    body = {"text": "rain", "duration_seconds": 0.6, "prompt_influence": 0.3, "seed": 3}
    answer = post(server, "/v1/sound-generation?output_format=wav_24000", body)
    assert answer.content == wav(model.generate("rain", 0.6, seed=3)[0])
    mp3 = post(server, "/v1/sound-generation?output_format=mp3_44100_128", body)
    assert mp3.headers["content-type"] == "audio/mpeg"
    assert len(io.load(mp3.content)) == pytest.approx(14_400, abs=2500)
    pcm = post(server, "/v1/sound-generation?output_format=pcm_16000", body)
    assert len(pcm.content) == 2 * 9600


def test_the_names_of_openai(client, model):
    made = client.audio.speech.create(
        model="makesomenoise",
        voice="alloy",
        input="rain",
        response_format="flac",
        extra_body={"seconds": 0.5, "seed": 1},
    )
    expected = formats.encoded(np.asarray(model.generate("rain", 0.5, seed=1)[0]), 24_000, "flac")
    assert made.content == expected


def test_samples_are_streamed(server):
    body = {"input": "rain", "seconds": 4.0, "seed": 1, "response_format": "pcm"}
    with httpx.stream("POST", f"{server.url}/v1/audio/speech", json=body, timeout=60) as answer:
        pieces = list(answer.iter_raw())
    assert len(pieces) > 2
    assert sum(map(len, pieces)) == 2 * 96_000
    events = post(server, "/v1/audio/speech", body | {"stream_format": "sse"}).text.strip().split("\n\n")
    found = [json.loads(event.removeprefix("data: ")) for event in events]
    assert b"".join(base64.b64decode(one["audio"]) for one in found[:-1]) == b"".join(pieces)
    assert found[-1]["type"] == "speech.audio.done"
    assert found[-1]["usage"]["output_tokens"] == 94


def test_codes_go_out_and_in(server, model, tone, tmp_path):
    io.save(tmp_path / "tone.wav", tone(1.3))
    data = (tmp_path / "tone.wav").read_bytes()
    tokens = httpx.post(f"{server.url}/v1/audio/tokens", files={"file": ("x.mp3", data)}, timeout=60).json()
    heard = model.hear(tmp_path / "tone.wav")
    assert tuple(tokens["codes"]) == heard.codes
    assert tokens["sample_count"] == 31_200
    assert tokens["fingerprint"] == model.tokenizer.fingerprint
    body = {"codes": tokens["codes"], "sample_count": 31_200, "seed": 2}
    sound = post(server, "/v1/audio/detokenize", body)
    assert sound.content == wav(model.render(heard, seed=2)[:31_200])
    files = {"file": ("tone.wav", data)}
    msn = httpx.post(f"{server.url}/v1/audio/tokens", data={"response_format": "msn"}, files=files, timeout=60).content
    again = httpx.post(
        f"{server.url}/v1/audio/detokenize/file", data={"seed": "2"}, files={"file": ("a.msn", msn)}, timeout=60
    )
    assert again.content == sound.content
    broken = httpx.post(f"{server.url}/v1/audio/detokenize/file", files={"file": ("a.msn", msn[:-1])}, timeout=60)
    assert broken.status_code == 400
    assert "checksum" in broken.json()["error"]["message"]


@pytest.mark.parametrize(
    ("path", "body", "sentence"),
    [
        ("audio/generate", {"input": ""}, "text is empty"),
        ("audio/generate", {"input": "x", "audio_length": 0}, "greater than 0"),
        ("audio/generate", {"input": "x", "audio_length": 1e-9}, "less than a sample"),
        ("audio/generate", {"input": "x", "speed": 2}, "less than or equal to 1"),
        ("audio/generate", {"input": "x", "response_format": "xyz"}, "'wav'"),
        ("audio/generate", {"input": "x", "stream_format": "sse"}, "Events bring pcm"),
        ("audio/speech", {"input": "x", "seconds": 61}, "60 s at most"),
        ("sound-generation", {"text": "x", "loop": True}, "False"),
        ("sound-generation?output_format=mp9", {"text": "x"}, "Expected an output_format"),
        ("sound-generation?output_format=mp3_999999", {"text": "x"}, "usual sample rate"),
        ("audio/detokenize", {"codes": [1024]}, "got the code 1024"),
        ("audio/detokenize", {"codes": []}, "at least 1 item"),
    ],
)
def test_what_cannot_be_made_is_one_sentence(server, path: str, body: dict, sentence: str):
    answer = post(server, f"/v1/{path}", body)
    assert answer.status_code == 400
    assert sentence in answer.json()["error"]["message"]


def test_pieces_of_samples_can_be_joined(tone):
    waveform, pcm = np.asarray(tone(0.1)), formats.PcmPieces()
    pieces = [data for part in np.split(waveform, range(7, len(waveform), 7)) for data in pcm.after(part)] + list(
        pcm.rest()
    )
    assert b"".join(pieces) == formats.pcm16(waveform)
    assert all(len(piece) % 6 == 0 for piece in pieces[:-1])
    values = np.frombuffer(formats.encoded(waveform, 24_000, "pcm16"), "<i2")
    assert np.abs(values - np.rint(waveform * 32767)).max() == 0
