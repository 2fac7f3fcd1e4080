"""What those who run a server rely on: keys, limits, queues, metrics, logs without contents, and an orderly end."""

import json
import logging
import socket
import sys
import threading
import time

import httpx
import pytest
from starlette.testclient import TestClient

from makesomenoise.errors import MakeSomeNoiseError, ModelError, RequestError
from makesomenoise.serving.app import create_app
from makesomenoise.serving.logs import JsonLines
from makesomenoise.serving.refusals import Refusal
from makesomenoise.serving.server import serve
from makesomenoise.serving.settings import Settings
from makesomenoise.serving.tasks import Tokenize
from makesomenoise.serving.worker import Done, Failed, Worker
from tests.processes import start_msn


class Held:
    """A job that runs until it is let go."""

    def __init__(self):
        self.began, self.let_go, self.closed = threading.Event(), threading.Event(), False

    def run(self, *_):
        try:
            self.began.set()
            while not self.let_go.is_set():
                time.sleep(0.001)
                yield None
            yield "done"
        finally:
            self.closed = True


@pytest.fixture
def worker(model):
    worker = Worker(lambda: model, queue=2, together=1)
    worker.start()
    while worker.state == "loading":
        time.sleep(0.001)
    yield worker
    worker.stop(1)


def waited(condition, seconds: float = 10.0, pause: float = 0.002) -> bool:
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(pause)
    return condition()


def test_more_than_the_queue_holds_is_refused(worker):
    held, made = Held(), []
    worker.submit(held, made.append)
    assert held.began.wait(10)
    tickets = [worker.submit(Held(), made.append) for _ in range(2)]
    with pytest.raises(Refusal) as refused:
        worker.submit(Held(), made.append)
    assert refused.value.status == 429
    assert int(refused.value.headers()["Retry-After"]) >= 1
    for ticket in tickets:
        ticket.cancel()
    held.let_go.set()
    assert waited(lambda: not worker.running and not worker.waiting)
    assert made[0] == "done"
    assert isinstance(made[1], Done)
    assert len(made) == 2


def test_what_runs_is_finished_and_the_rest_refused(worker):
    held, made, refused = Held(), [], []
    worker.submit(held, made.append)
    assert held.began.wait(10)
    worker.submit(Held(), refused.append)
    worker.drain()
    assert refused[0].refusal.status == 503
    with pytest.raises(Refusal, match="is stopping"):
        worker.submit(Held(), refused.append)
    held.let_go.set()
    assert waited(lambda: len(made) == 2)
    worker.stop(5)
    assert held.closed


def test_a_bug_ends_one_job_and_not_the_worker(worker, tone):
    class Broken:
        def run(self, *_):
            raise KeyError("secret")
            yield

    made: list = []
    worker.submit(Broken(), made.append)
    assert waited(lambda: made)
    assert isinstance(made[0], Failed)
    assert made[0].refusal.status == 500
    assert "secret" not in made[0].refusal.message
    worker.submit(Tokenize(tone(0.3)), made.append)
    assert waited(lambda: len(made) == 3)


def no_model():
    raise ModelError("The weights are missing.")


def test_a_model_that_cannot_be_loaded():
    worker = Worker(no_model)
    worker.start()
    client = TestClient(create_app(worker, Settings()))
    assert waited(lambda: worker.state == "failed")
    assert client.get("/health").json() == {"status": "failed"}
    answer = client.post("/v1/audio/generate", json={"input": "rain"})
    assert answer.status_code == 503
    assert "could not be loaded" in answer.json()["error"]["message"]


def test_a_server_ends_without_a_model():
    worker = Worker(no_model)
    worker.start()
    with pytest.raises(ModelError, match="The weights are missing"):
        serve(create_app(worker, Settings()), worker, "127.0.0.1", 0, 1)


def test_an_address_that_is_taken_is_one_sentence(model):
    worker = Worker(lambda: model)
    worker.start()
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(RequestError, match="Cannot listen on 127"):
        serve(create_app(worker, Settings()), worker, "127.0.0.1", taken.getsockname()[1], 1)


def test_health_is_ready_only_with_the_model(running, model):
    go = threading.Event()

    def load():
        go.wait(10)
        return model

    server = running(Worker(load))
    loading = httpx.get(f"{server.url}/health")
    assert (loading.status_code, loading.json()) == (503, {"status": "loading"})
    refused = httpx.post(f"{server.url}/v1/audio/generate", json={"input": "rain"})
    assert refused.status_code == 503
    assert int(refused.headers["retry-after"]) > 0
    go.set()
    assert waited(lambda: httpx.get(f"{server.url}/health").status_code == 200, pause=0.05)


def test_keys(running, model):
    server = running(Worker(lambda: model), Settings(api_keys=("first", "second"))).ready()
    for headers in ({}, {"Authorization": "Bearer third"}, {"Authorization": "first"}):
        answer = httpx.get(f"{server.url}/v1/models", headers=headers)
        assert answer.status_code == 401
        assert answer.json()["error"]["code"] == "invalid_api_key"
    assert httpx.get(f"{server.url}/metrics").status_code == 401
    assert httpx.get(f"{server.url}/health").status_code == 200
    assert [found.id for found in server.client(api_key="second").models.list()] == ["makesomenoise"]
    assert httpx.get(f"{server.url}/v1/models", headers={"xi-api-key": "first"}).status_code == 200


def test_bodies_have_a_limit_and_a_pace(running, model):
    settings = Settings(max_body=10_000, body_timeout=0.3)
    server = running(Worker(lambda: model), settings).ready()
    body = b"x" * 20_000
    whole = httpx.post(f"{server.url}/v1/audio/generate", content=body)
    assert (whole.status_code, whole.json()["error"]["code"]) == (413, "body_too_large")

    def chunks():
        for _ in range(20):
            yield b" " * 1000

    assert httpx.post(f"{server.url}/v1/audio/generate", content=chunks()).status_code == 413

    def stalled():
        yield b"{"
        time.sleep(1.0)

    assert httpx.post(f"{server.url}/v1/audio/generate", content=stalled()).status_code == 408


def test_the_log_says_what_was_asked_for_and_not_what_was_said(server, caplog):
    with caplog.at_level(logging.INFO, "makesomenoise.access"):
        body = {"messages": [{"role": "user", "content": "a secret"}], "max_tokens": 2}
        answer = httpx.post(f"{server.url}/v1/chat/completions?key=hidden", json=body, timeout=60)
        assert waited(lambda: caplog.records)
    written = [JsonLines().format(record) for record in caplog.records]
    line = json.loads(written[-1])
    assert (line["logger"], line["level"], line["message"]) == ("makesomenoise.access", "info", "request")
    assert (line["method"], line["path"], line["status"]) == ("POST", "/v1/chat/completions", 200)
    assert line["id"] == answer.headers["x-request-id"]
    assert "secret" not in "".join(written)
    assert "hidden" not in "".join(written)


def test_a_line_of_the_log_is_one_document(caplog):
    try:
        raise KeyError("gone")
    except KeyError:
        logging.getLogger("uvicorn.error").exception("two\nlines of %s", "text")
    (record,) = caplog.records
    line = JsonLines().format(record)
    assert "\n" not in line
    assert json.loads(line)["message"] == "two\nlines of text"
    assert "KeyError" in json.loads(line)["traceback"]


def test_a_page_that_cannot_be_built_says_what_is_missing(running, model, monkeypatch, caplog):
    monkeypatch.setitem(sys.modules, "gradio", None)
    monkeypatch.delitem(sys.modules, "makesomenoise.serving.page", raising=False)
    server = running(Worker(lambda: model), Settings(page=True)).ready()
    assert waited(lambda: "not installed" in httpx.get(server.url).text, pause=0.05)
    answer = httpx.get(server.url)
    assert answer.status_code == 503
    assert "The page needs gradio, which is not installed: run pip install" in answer.text
    assert "refresh" not in answer.text
    assert httpx.get(f"{server.url}/favicon.ico").status_code == 404
    assert httpx.get(f"{server.url}/v1/models").status_code == 200
    assert [record.levelname for record in caplog.records if "gradio" in record.getMessage()] == ["WARNING"]


def test_what_prometheus_reads(server):
    httpx.get(f"{server.url}/v1/models")
    text = httpx.get(f"{server.url}/metrics").text
    assert 'makesomenoise_requests_total{route="/v1/models",status="200"}' in text
    assert "makesomenoise_waiting 0.0" in text
    assert "makesomenoise_ready 1.0" in text
    assert "makesomenoise_request_seconds_bucket" in text
    assert "makesomenoise_sound_seconds_total" in text or "sound_seconds" in text


def test_addresses_that_are_not_there(server):
    answer = httpx.get(f"{server.url}/v1/nothing")
    assert answer.status_code == 404
    assert answer.json()["error"]["message"] == "There is no such address."
    assert httpx.put(f"{server.url}/v1/chat/completions").status_code == 405
    assert httpx.get(f"{server.url}/v1/models/other").json()["error"]["code"] == "model_not_found"


@pytest.mark.slow
def test_sigterm_lets_what_runs_finish(folders, tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = ["--model", folders.language, "--tokenizer", folders.tokenizer, "--vocoder", folders.vocoder]
    words = ["serve", "--no-page", "--port", port, *options]
    url = f"http://127.0.0.1:{port}"
    started = start_msn(words, tmp_path / "log", {})
    try:
        assert waited(lambda: is_ready(url), 120, pause=0.2)
        body = {"input": "rain", "seconds": 5, "response_format": "pcm"}
        with httpx.stream("POST", f"{url}/v1/audio/speech", json=body, timeout=60) as answer:
            size = 0
            for number, piece in enumerate(answer.iter_raw()):
                if not number:
                    started.process.terminate()
                size += len(piece)
        assert size == 2 * 5 * 24_000
        assert started.ended(30) in (0, 143)  # uvicorn raises the signal again at the end
    finally:
        started.process.kill()
    assert "Traceback" not in started.told()


def is_ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/health", timeout=5).status_code == 200
    except httpx.TransportError:
        return False


def test_keys_are_read_from_a_file(tmp_path):
    from makesomenoise.cli.serve import keys

    (tmp_path / "keys").write_text("# ours\nfirst\n\n second \n")
    assert keys(tmp_path / "keys") == ("first", "second")
    assert keys(None) == ()
    (tmp_path / "empty").write_text("# none\n")
    with pytest.raises(MakeSomeNoiseError, match="holds no key"):
        keys(tmp_path / "empty")
    with pytest.raises(MakeSomeNoiseError, match="Cannot read the keys"):
        keys(tmp_path / "missing")
