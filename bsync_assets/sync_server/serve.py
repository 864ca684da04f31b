"""Starting the service: workers, logs, shutdown."""

from __future__ import annotations

import json
import logging
import os
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import uvicorn
from starlette.applications import Starlette

from bsync_assets.catalog import workspace_home
from bsync_assets.workspace import open_catalog

_STAND_IN = "BSYNC_SERVE_STAND_IN"  # to the workers, which start anew
_PLAIN = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "color_message", "taskName"}


class JsonLines(logging.Formatter):
    """One line of JSON per message. IDs of visitors are never given to it."""

    def format(self, record: logging.LogRecord) -> str:
        """The message with what was given as `extra`."""
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "event": record.getMessage(),
            **{key: value for key, value in record.__dict__.items() if key not in _PLAIN},
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str, ensure_ascii=False)


def app() -> Starlette:
    """What each worker runs: the service of the workspace that BSYNC_HOME names."""
    from bsync_assets.sync_server.app import create_app

    return create_app(open_catalog(workspace_home()), os.environ.get(_STAND_IN))


def serve(home: Path, host: str, port: int, workers: int, demo_page: bool, verbose: bool) -> None:
    """Serve until stopped. Several workers share one port, and what they know; a worker that dies is started again."""
    os.environ["BSYNC_HOME"] = str(home)
    if demo_page:
        os.environ[_STAND_IN] = f"http://localhost:{port}"
    level = "DEBUG" if verbose else "INFO"
    logs = {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"json": {"()": JsonLines}},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "json"}},
        "loggers": {
            "bsync": {"handlers": ["stderr"], "level": level, "propagate": False},
            "uvicorn": {"handlers": ["stderr"], "level": "INFO", "propagate": False},
        },
    }
    with tempfile.TemporaryDirectory(prefix="bsync-metrics-") as shared:
        if workers > 1:
            os.environ["PROMETHEUS_MULTIPROC_DIR"] = shared
        uvicorn.run(
            "bsync_assets.sync_server.serve:app",
            factory=True,
            host=host,
            port=port,
            workers=workers,
            access_log=False,  # it would show URLs, which hold IDs
            server_header=False,
            log_config=logs,
            backlog=4096,
            timeout_graceful_shutdown=10,
            timeout_worker_healthcheck=60,  # on a busy machine a slow worker is not a dead one
        )
