"""What Prometheus reads: counts, gauges and histograms of one server, in a registry of its own."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
ROWS = (1, 2, 4, 8, 16, 32, 64, 128, 256)


class Metrics:
    """The metrics of one server; docs/serve.md lists them."""

    media_type = CONTENT_TYPE_LATEST

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        self.requests = Counter(
            "ecotone_requests", "Requests by route, method and status.",
            ("route", "method", "status"), registry=registry)
        self.request_seconds = Histogram(
            "ecotone_request_seconds", "From the head of a request to the end of its answer.",
            ("route",), buckets=SECONDS, registry=registry)
        self.pictures = Counter(
            "ecotone_pictures", "Pictures that were classified.", registry=registry)
        self.rejected = Counter(
            "ecotone_rejected", "Requests and pictures of batches without an answer, by reason.",
            ("reason",), registry=registry)
        self.queue = Gauge(
            "ecotone_queue_rows", "Pictures (or boxes) being read, waiting or at work.",
            registry=registry)
        self.queue_limit = Gauge(
            "ecotone_queue_limit_rows", "The most of them at once.", registry=registry)
        self.ready = Gauge(
            "ecotone_ready", "1 when pictures are taken, else 0.", registry=registry)
        self.batch_rows = Histogram(
            "ecotone_batch_rows", "Pictures (or boxes) in a batch of the model.", buckets=ROWS,
            registry=registry)
        self.decode_seconds = Histogram(
            "ecotone_decode_seconds", "Decoding and preparing one picture.", buckets=SECONDS,
            registry=registry)
        self.wait_seconds = Histogram(
            "ecotone_wait_seconds", "A picture's waiting: for a decoder and for the model.",
            buckets=SECONDS, registry=registry)
        self.model_seconds = Histogram(
            "ecotone_model_seconds", "One batch in the model.", buckets=SECONDS, registry=registry)
        self.model_failures = Counter(
            "ecotone_model_failures", "Batches on which the model failed.", registry=registry)
        self._model = Info("ecotone_model", "The model that is served.", registry=registry)

    def tell_model(self, name: str, classes: int, version: str) -> None:
        """Which model is served."""
        self._model.info({"model": name, "classes": str(classes), "version": version})

    def text(self) -> bytes:
        """All of them, as Prometheus reads them."""
        return generate_latest(self.registry)
