"""Metrics of a server, in Prometheus's text format."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector
from starlette.exceptions import HTTPException

from numpyclip.server.monitoring.metrics_folder import allocate_metrics, metrics_are_shared

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_BATCH_SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256)


class Metrics:
    """Counters, gauges and histograms of one server, in a registry of their own."""

    def __init__(self) -> None:
        if metrics_are_shared():
            allocate_metrics()
        self._registry = registry = CollectorRegistry()
        self.requests = Counter("numpyclip_requests", "Requests answered.", ("route", "status"), registry=registry)
        description = "Seconds from the first byte of a request to the last byte of its response."
        self.seconds = Histogram(
            "numpyclip_request_seconds", description, ("route",), buckets=_SECONDS, registry=registry
        )
        self.embedded = Counter("numpyclip_embedded", "Texts and images embedded.", ("kind",), registry=registry)
        self.batches = Histogram(
            "numpyclip_batch_size", "Texts or images in a batch.", ("kind",), buckets=_BATCH_SIZES, registry=registry
        )
        self.waiting = Gauge(
            "numpyclip_waiting", "Texts and images in the queue.", registry=registry, multiprocess_mode="livesum"
        )

    def exposition(self) -> bytes:
        """Return all metrics in the text format; those of all workers together.

        Raises
        ------
        HTTPException
            503 if those of the workers cannot be read.
        """
        if not metrics_are_shared():
            return generate_latest(self._registry)
        registry = CollectorRegistry()
        try:
            MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
            return generate_latest(registry)
        except Exception as error:  # of whatever type: the package parses files that may be deleted or damaged
            raise HTTPException(503, "the workers' metrics were deleted or damaged; restart the server.") from error
