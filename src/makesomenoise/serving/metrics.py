"""What the server counts, for Prometheus: requests, how long they take, who waits, and seconds of sound."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from makesomenoise.serving.worker import Worker

_SECONDS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 40.0, 80.0, 160.0)


class Metrics:
    """The counters of one server.

    Args:
        worker: is asked how many jobs wait and run.
    """

    def __init__(self, worker: Worker):
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "makesomenoise_requests", "Requests that were answered.", ("route", "status"), registry=self._registry
        )
        self._latency = Histogram(
            "makesomenoise_request_seconds",
            "From the head of a request to the end of its answer.",
            ("route",),
            registry=self._registry,
            buckets=_SECONDS,
        )
        self._sound = Counter(
            "makesomenoise_sound_seconds", "Seconds of sound heard and made.", ("direction",), registry=self._registry
        )
        for name, text, count in (
            ("waiting", "Jobs that wait for the model.", lambda: worker.waiting),
            ("running", "Jobs that the model works on.", lambda: worker.running),
            ("ready", "Whether the model is loaded.", lambda: worker.state == "ready"),
        ):
            Gauge(f"makesomenoise_{name}", text, registry=self._registry).set_function(count)

    def answered(self, route: str, status: int, seconds: float) -> None:
        """Counts a request."""
        self._requests.labels(route, str(status)).inc()
        self._latency.labels(route).observe(seconds)

    def heard(self, seconds: float) -> None:
        """Counts sound that was sent."""
        self._sound.labels("heard").inc(seconds)

    def made(self, seconds: float) -> None:
        """Counts sound that was made."""
        self._sound.labels("made").inc(seconds)

    def text(self) -> bytes:
        """All of it as Prometheus reads it."""
        return generate_latest(self._registry)
