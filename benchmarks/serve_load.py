"""Loads a running server: clients that ask for captions, names, answers and sounds, for a time, and what came of it.

    python benchmarks/serve_load.py --clients 32 --seconds 300

starts a server of its own and ends it; one that runs already is named by `--url`, and by `--pid` if its memory is to be
told.

Says how many requests were answered, refused, lost (the server was gone: kill it under load, and start it again) and
wrong (the same input and seed must give the same bytes as when nobody else asked), how much one client got done beside
many, how soon the first piece of a streamed sound was there, and how the server's memory grew. What a request costs of
the processor tells more than the clock where others use the machine too.
"""

import argparse
import base64
import itertools
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import numpy as np

RATE = 24_000


@dataclass(frozen=True)
class Server:
    """What is loaded.

    Attributes:
        url: where it answers.
        pid: its process, or none where that is not known.
    """

    url: str
    pid: int | None


@contextmanager
def running(url: str | None, pid: int | None) -> Iterator[Server]:
    """The server that is named, or one that is started here and ended again."""
    if url is not None:
        yield Server(url, pid)
        return
    command = [sys.executable, "-m", "makesomenoise", "serve", "--port", "0", "--log-level", "info"]
    with tempfile.TemporaryDirectory() as folder, (Path(folder) / "log").open("w") as log:
        process = subprocess.Popen(command, stderr=log)
        try:
            yield Server(_address(process, Path(folder) / "log"), process.pid)
        finally:
            process.terminate()
            process.wait()


def _address(process: subprocess.Popen, log: Path) -> str:
    """Where a server answers that has just been started, once it is ready."""
    while not (found := re.search("http://[0-9.]+:[0-9]+", log.read_text(encoding="utf-8"))):
        if process.poll() is not None:
            raise SystemExit(log.read_text(encoding="utf-8"))
        time.sleep(0.1)
    while httpx.get(f"{found[0]}/health").status_code != httpx.codes.OK:
        time.sleep(0.1)
    return found[0]


def wav(seed: int, seconds: float) -> bytes:
    """A WAV file of a gliding tone."""
    time_ = np.arange(int(seconds * RATE)) / RATE
    samples = (0.4 * np.sin(2 * np.pi * (200 + 40 * seed) * time_ * (1 + 0.1 * time_)) * 32767).astype("<i2").tobytes()
    size = len(samples)
    head = b"RIFF" + (36 + size).to_bytes(4, "little") + b"WAVEfmt " + (16).to_bytes(4, "little")
    head += b"\x01\x00\x01\x00" + RATE.to_bytes(4, "little") + (2 * RATE).to_bytes(4, "little") + b"\x02\x00\x10\x00"
    return head + b"data" + size.to_bytes(4, "little") + samples


def requests(seconds: float) -> list[tuple[str, dict]]:
    """The mixed requests: a path and what httpx sends."""
    found: list[tuple[str, dict]] = []
    for seed in range(2):
        sound = wav(seed, seconds)
        part = {"type": "input_audio", "input_audio": {"data": base64.b64encode(sound).decode(), "format": "wav"}}
        asked = [part, {"type": "text", "text": "What do you hear?"}]
        found.append(("/v1/chat/completions", {"json": {"messages": [{"role": "user", "content": asked}]}}))
        found.append(("/v1/audio/transcriptions", {"files": {"file": sound}, "data": {"response_format": "srt"}}))
        labels = {"labels": "dog,rain,siren"}
        found.append(("/v1/audio/classifications", {"files": {"file": sound}, "data": labels}))
        body = {"input": "a dog barks", "audio_length": seconds, "seed": seed}
        found.append(("/v1/audio/generate", {"json": body}))
    return found


def answer(response: httpx.Response) -> bytes:
    """What must be the same each time."""
    if "completions" in str(response.url):
        return json.dumps(response.json()["choices"]).encode()
    return response.content


class Load:
    """Clients that ask until the time is over."""

    def __init__(self, url: str, mixed: list[tuple[str, dict]], expected: dict[int, bytes]):
        self._url, self._mixed, self._expected = url, mixed, expected
        self._next, self._lock = itertools.count(), threading.Lock()
        self.counts: Counter = Counter()

    def run(self, clients: int, seconds: float) -> float:
        """Asks, and gives the requests that were answered a second."""
        self.counts.clear()
        end = time.monotonic() + seconds
        began = time.monotonic()
        threads = [threading.Thread(target=self._ask, args=(end,)) for _ in range(clients)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return self.counts["answered"] / (time.monotonic() - began)

    def _ask(self, end: float) -> None:
        with httpx.Client(base_url=self._url, timeout=600) as client:
            while time.monotonic() < end:
                with self._lock:
                    number = next(self._next) % len(self._mixed)
                path, sent = self._mixed[number]
                try:
                    response = client.post(path, **sent)
                except httpx.TransportError:
                    with self._lock:
                        self.counts["lost"] += 1
                    time.sleep(1.0)
                    continue
                with self._lock:
                    self._count(number, response)
                if "retry-after" in response.headers:
                    time.sleep(float(response.headers["retry-after"]))

    def _count(self, number: int, response: httpx.Response) -> None:
        if response.status_code == httpx.codes.TOO_MANY_REQUESTS:
            self.counts["refused"] += 1
        elif response.status_code != httpx.codes.OK:
            self.counts[f"status {response.status_code}"] += 1
        else:
            self.counts["answered"] += 1
            kind = self._mixed[number][0].rsplit("/", 1)[1]
            self.counts[f"other {kind}"] += answer(response) != self._expected[number]


def first_share(url: str, seconds: float) -> float:
    """When the first piece of a streamed sound is there, as a share of the time that all of it takes."""
    body = {"input": "rain", "seconds": seconds, "seed": 1, "response_format": "pcm"}
    began = time.monotonic()
    with httpx.stream("POST", f"{url}/v1/audio/speech", json=body, timeout=600) as response:
        times = [time.monotonic() - began for piece in response.iter_raw() if piece]
    return times[0] / times[-1]


def resident(pid: int | None) -> float:
    """Memory of a process, MB."""
    if pid is None:
        return 0.0
    text = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    return int(text.split("VmRSS:")[1].split()[0]) / 1024


def processor(pid: int | None) -> float:
    """Seconds of processor time that a process has used."""
    if pid is None:
        return 0.0
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def cost(load: Load, clients: int, seconds: float, pid: int | None) -> tuple[float, float]:
    """Answered requests a second, and seconds of the processor for each of them."""
    before = processor(pid)
    rate = load.run(clients, seconds)
    return rate, (processor(pid) - before) / max(load.counts["answered"], 1)


def main() -> None:
    """Reads the options and says what came of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", help="of a server that runs; none: one is started here")
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--seconds", type=float, default=300.0)
    parser.add_argument("--alone", type=float, default=60.0, help="how long one client asks before")
    parser.add_argument("--sound", type=float, default=2.0, help="length of the sounds, seconds")
    parser.add_argument("--pid", type=int, help="of the server, whose memory is told")
    asked = parser.parse_args()
    with running(asked.url, asked.pid) as server:
        print(json.dumps(measured(asked, server), indent=1))


def measured(asked: argparse.Namespace, server: Server) -> dict[str, float | int | None]:
    """What came of one client, and then of many."""
    mixed = requests(asked.sound)
    with httpx.Client(base_url=server.url, timeout=600) as client:
        expected = {number: answer(client.post(path, **sent)) for number, (path, sent) in enumerate(mixed)}
    share = first_share(server.url, 10.0)
    load, memory = Load(server.url, mixed, expected), list[float]()
    alone, alone_cost = cost(load, 1, asked.alone, server.pid)
    stop = threading.Event()

    def watch() -> None:
        while not stop.wait(1.0):
            memory.append(resident(server.pid))

    watcher = threading.Thread(target=watch)
    watcher.start()
    together, together_cost = cost(load, asked.clients, asked.seconds, server.pid)
    stop.set()
    watcher.join()
    minute = min(60, max(len(memory) // 3, 1))
    grown = float(np.mean(memory[-minute:]) - np.mean(memory[minute : 2 * minute])) if memory else 0.0
    found = {
        "requests/s, one client": round(alone, 3),
        "requests/s, all clients": round(together, 3),
        "times": round(together / alone, 2) if alone else None,
        "processor s a request, one client": round(alone_cost, 2),
        "processor s a request, all clients": round(together_cost, 2),
        "first piece of 10 s, share": round(share, 3),
        "memory MB": round(memory[-1]) if memory else None,
        "grown MB, last minute against second": round(grown, 1),
    }
    return {**found, **load.counts}


if __name__ == "__main__":
    main()
