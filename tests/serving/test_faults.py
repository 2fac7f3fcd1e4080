"""Requests that nobody should send: none is a 500, none leaves anything behind, and the next is answered."""

import json
import tempfile
from pathlib import Path

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
PARTS = st.lists(
    st.fixed_dictionaries({"type": st.sampled_from(["text", "input_audio", "image_url"])}, optional={"text": JSON})
    | st.fixed_dictionaries(
        {"type": st.just("input_audio"), "input_audio": st.fixed_dictionaries({"data": st.text(max_size=60) | JSON})}
    ),
    max_size=3,
)
MESSAGE = st.fixed_dictionaries(
    {"role": st.sampled_from(["user", "assistant", "system", "tool"]) | JSON, "content": st.text(max_size=20) | PARTS}
)
NAMES = ["model", "modalities", "audio", "n", "seed", "temperature", "top_p", "max_tokens", "stream", "seconds"]
NAMES += ["stream_options", "guidance", "candidates", "input", "text", "response_format", "audio_length", "codes"]
NAMES += ["sample_count", "duration_seconds", "loop", "quality", "max_completion_tokens"]
ROUTES = ["chat/completions", "audio/generate", "audio/speech", "sound-generation", "audio/detokenize"]
BODIES = st.builds(
    lambda messages, more: {"messages": messages, **more},
    st.lists(MESSAGE, max_size=3),
    st.dictionaries(st.sampled_from(NAMES), JSON, max_size=4),
)
QUICK = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)


def left_behind() -> set[Path]:
    return set(Path(tempfile.gettempdir()).glob("makesomenoise-*"))


@pytest.fixture(scope="module")
def url(server) -> str:
    return server.url


@QUICK
@given(route=st.sampled_from(ROUTES), body=BODIES | JSON)
def test_no_document_is_a_fault_of_the_server(url, route: str, body):
    try:
        content = json.dumps(body).encode()
    except (ValueError, UnicodeEncodeError):
        return
    answer = httpx.post(f"{url}/v1/{route}", content=content, headers={"Content-Type": "application/json"}, timeout=60)
    assert answer.status_code in (200, 400, 404)
    if answer.status_code != 200:
        assert set(answer.json()["error"]) == {"message", "type", "param", "code"}
        assert "Traceback" not in answer.text


@QUICK
@given(
    route=st.sampled_from(["transcriptions", "classifications", "tokens", "detokenize/file"]),
    data=st.binary(max_size=200) | st.binary(max_size=50).map(lambda rest: b"RIFF\x00\x00\x00\x00WAVEfmt " + rest),
    more=st.dictionaries(st.sampled_from(["labels", "window", "response_format", "seed"]), st.text(max_size=10)),
)
def test_no_file_is_a_fault_of_the_server(url, route: str, data: bytes, more: dict):
    before = left_behind()
    answer = httpx.post(f"{url}/v1/audio/{route}", files={"file": ("x", data)}, data=more, timeout=60)
    assert answer.status_code == 400
    assert set(answer.json()["error"]) == {"message", "type", "param", "code"}
    assert left_behind() == before


@pytest.mark.parametrize("body", [b"", b"\xff\xfe", b"[" * 5000, b'{"messages": ' + b'[{"role":' * 500])
def test_bytes_that_are_no_document(server, body: bytes):
    for route in ROUTES:
        answer = httpx.post(f"{server.url}/v1/{route}", content=body, headers={"Content-Type": "application/json"})
        assert answer.status_code == 400
    assert server.worker.running == server.worker.waiting == 0
