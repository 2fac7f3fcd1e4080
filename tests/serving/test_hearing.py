"""Files to captions with times, to names and to codes."""

import json

import httpx
import openai
import pytest

from makesomenoise.audio import io
from makesomenoise.language import events, wording
from makesomenoise.language.listening import answer_windows


@pytest.fixture
def file(tmp_path, tone) -> tuple[str, bytes]:
    io.save(tmp_path / "tone.flac", tone(2.3))
    return "what.wav", (tmp_path / "tone.flac").read_bytes()


def heard_when(model, path, window: float) -> list[events.Event]:
    return events.joined(answer_windows(model.language, model.hear(path), wording.CAPTION, window))


def test_what_is_heard_when(client, model, file, tmp_path):
    expected = heard_when(model, tmp_path / "tone.flac", 1.0)
    asked = {"model": "makesomenoise", "file": file, "extra_body": {"window": 1.0}}
    verbose = client.audio.transcriptions.create(response_format="verbose_json", **asked)
    assert [segment.text for segment in verbose.segments] == [event.text for event in expected]
    assert verbose.segments[-1].end == pytest.approx(expected[-1].end, abs=1e-3)
    assert verbose.duration == 2.3
    assert client.audio.transcriptions.create(**asked).text == "\n".join(event.text for event in expected)
    assert client.audio.transcriptions.create(response_format="srt", **asked) == events.as_srt(expected)
    assert client.audio.transcriptions.create(response_format="vtt", **asked) == events.as_vtt(expected)


def test_captions_are_streamed(client, file):
    asked = {"model": "makesomenoise", "file": file, "extra_body": {"window": 1.0}}
    found = list(client.audio.transcriptions.create(stream=True, **asked))
    assert found[-1].type == "transcript.text.done"
    assert "".join(event.delta for event in found[:-1]) == found[-1].text


def test_names_are_ranked(server, model, file, tmp_path):
    expected = model.classify([tmp_path / "tone.flac"], ["dog", "rain", "siren"])[0]
    for labels in ("dog,rain, siren", ["dog", "rain", "siren"], json.dumps(["dog", "rain", "siren"])):
        answer = httpx.post(
            f"{server.url}/v1/audio/classifications", data={"labels": labels}, files={"file": file}, timeout=60
        )
        assert [row["label"] for row in answer.json()["labels"]] == [one.label for one in expected]
        assert answer.json()["labels"][0]["probability"] == pytest.approx(expected[0].probability)


@pytest.mark.parametrize(
    ("path", "data", "sentence"),
    [
        ("classifications", {"labels": "dog,Dog"}, "given twice"),
        ("classifications", {"labels": '["dog", 1]'}, "JSON list"),
        ("classifications", {}, "labels: Field required"),
        ("transcriptions", {"response_format": "doc"}, "'json'"),
        ("transcriptions", {"window": "0"}, "greater than or equal to 0.05"),
        ("transcriptions", {"window": "nan"}, "finite number"),
        ("tokens", {"model": "other"}, "no model 'other'"),
    ],
)
def test_what_cannot_be_heard_is_one_sentence(server, file, path: str, data: dict, sentence: str):
    answer = httpx.post(f"{server.url}/v1/audio/{path}", data=data, files={"file": file}, timeout=60)
    assert answer.status_code in (400, 404)
    assert sentence in answer.json()["error"]["message"]


def test_a_file_that_is_no_sound_is_one_sentence(client, server):
    with pytest.raises(openai.BadRequestError, match="Cannot read"):
        client.audio.transcriptions.create(model="makesomenoise", file=("dog.wav", b"words"))
    missing = httpx.post(f"{server.url}/v1/audio/tokens", data={"model": "makesomenoise"})
    assert missing.json()["error"]["param"] == "file"
