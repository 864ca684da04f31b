"""What the service counts, as Prometheus reads it. With several workers the counts of all are shown, whichever is asked."""

from __future__ import annotations

import os

from prometheus_client import CollectorRegistry, Counter, Histogram, disable_created_metrics, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)


class Metrics:
    """The counts of one process."""

    def __init__(self) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self._registry = CollectorRegistry()
        self.calls = Counter("bsync_calls", "Answered calls.", ["call", "outcome"], registry=self._registry)
        self.errors = Counter("bsync_call_errors", "Codes in answers.", ["code"], registry=self._registry)
        self.redirects = Counter("bsync_redirects", "Redirects asked for.", ["outcome"], registry=self._registry)
        self.syncs = Counter("bsync_syncs_started", "Calls to partners handed to visitors.", ["partner"], registry=self._registry)
        self.rejected = Counter("bsync_requests_rejected", "Requests that are no calls.", ["status"], registry=self._registry)
        self.seconds = Histogram("bsync_call_seconds", "Time to the answer.", ["call"], buckets=_BUCKETS, registry=self._registry)

    def text(self) -> bytes:
        """The exposition format."""
        if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
            return generate_latest(self._registry)
        registry = CollectorRegistry()
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        return generate_latest(registry)
