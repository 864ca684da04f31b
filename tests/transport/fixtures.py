"""Real servers for the tests of places: one S3 service for the session, one SFTP server per test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from transport.servers import PASSWORD, S3_KEYS, S3Server, SftpServer, s3_server, sftp_server


@pytest.fixture(scope="session")
def s3_service() -> Iterator[S3Server]:
    with s3_server() as server:
        yield server


@pytest.fixture
def s3(s3_service: S3Server, monkeypatch: pytest.MonkeyPatch) -> S3Server:
    for name, value in S3_KEYS.items():
        monkeypatch.setenv(name, value)
    return s3_service


@pytest.fixture
def sftp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SftpServer]:
    monkeypatch.setenv("TEST_SFTP_PASSWORD", PASSWORD)
    root = tmp_path / "sftp"
    root.mkdir()
    with sftp_server(root, tmp_path / "keys") as server:
        yield server


@pytest.fixture(params=["folder", "s3", "sftp"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of an empty place of each kind."""
    if request.param == "folder":
        return str(tmp_path / "place")
    if request.param == "s3":
        server: S3Server = request.getfixturevalue("s3")
        return server.url(f"place-{uuid4().hex}")
    sftp_server: SftpServer = request.getfixturevalue("sftp")
    (sftp_server.root / "place").mkdir()
    return sftp_server.url("place")
