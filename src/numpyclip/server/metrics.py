"""What Prometheus may ask."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256)


class Metrics:
    """Counters of one server."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self.requests = Counter(
            "numpyclip_requests", "Requests answered.", ("route", "status"), registry=self._registry
        )
        self.seconds = Histogram(
            "numpyclip_request_seconds",
            "From the first byte of a request to the last one of its answer.",
            ("route",),
            buckets=_SECONDS,
            registry=self._registry,
        )
        self.embedded = Counter(
            "numpyclip_embedded", "Texts and pictures embedded.", ("kind",), registry=self._registry
        )
        self.batches = Histogram(
            "numpyclip_batch_size",
            "Texts or pictures embedded at once.",
            ("kind",),
            buckets=_SIZES,
            registry=self._registry,
        )
        self.waiting = Gauge(
            "numpyclip_waiting", "Texts and pictures that wait to be embedded.", registry=self._registry
        )

    def written(self) -> bytes:
        """Write them in Prometheus's text format."""
        return generate_latest(self._registry)
