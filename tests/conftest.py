"""What all tests share: the demo workspace after its three days, made once for all workers."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from pathlib import Path

import pytest
from demo import copy_demo


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the demo workspace that `bsync demo` ran; for reading only."""
    base = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        base = base.parent
    home = base / "demo"
    with open(base / "demo.lock", "a") as lock:  # freed when the worker ends, however it ends
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not home.exists():
            copy_demo(home)
            command = [sys.executable, "-m", "bsync_assets.cli", "demo"]
            done = subprocess.run(
                command, env=os.environ | {"BSYNC_HOME": str(home)}, capture_output=True, text=True, check=False
            )
            (home / "demo.txt").write_text(done.stdout + done.stderr)
            assert done.returncode == 0, done.stdout + done.stderr
    return home
