"""Real servers on 127.0.0.1 for tests: S3 (moto), SFTP (asyncssh). Each is started by the test and stops with it."""

from __future__ import annotations

import asyncio
import os
import socket
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncssh
import boto3
from moto.core import DEFAULT_ACCOUNT_ID
from moto.s3.models import s3_backends
from moto.server import ThreadedMotoServer

S3_KEYS = {"AWS_ACCESS_KEY_ID": "test-id", "AWS_SECRET_ACCESS_KEY": "test-secret", "AWS_REGION": "us-east-1"}


@dataclass
class S3Server:
    """An S3 service with one bucket `drops`."""

    endpoint: str

    @property
    def client(self) -> Any:
        return boto3.client("s3", endpoint_url=self.endpoint, aws_access_key_id="test-id", aws_secret_access_key="test-secret",
                            region_name="us-east-1")  # fmt: skip

    def add_objects(self, keys: Iterable[str]) -> None:
        """Many small objects, past the HTTP interface: that would take 13 ms each."""
        backend = s3_backends[DEFAULT_ACCOUNT_ID]["aws"]
        for key in keys:
            backend.put_object("drops", key, b"x")

    def url(self, prefix: str = "") -> str:
        return f"s3://drops/{prefix}?endpoint={self.endpoint}"


@contextmanager
def s3_server(port: int = 0) -> Iterator[S3Server]:
    server = ThreadedMotoServer("127.0.0.1", port, verbose=False)
    server.start()
    host, actual = server.get_host_and_port()
    s3 = S3Server(f"http://{host}:{actual}")
    s3.client.create_bucket(Bucket="drops")
    try:
        yield s3
    finally:
        server.stop()


@dataclass
class SftpServer:
    """An SFTP server over a folder; user `acme`, password in the environment variable TEST_SFTP_PASSWORD, or a key."""

    root: Path
    port: int
    host_key: str
    private_key: Path
    connections: list[asyncssh.SSHServerConnection]
    loop: asyncio.AbstractEventLoop

    def url(self, folder: str = "", **parameters: str) -> str:
        given = {"password_env": "TEST_SFTP_PASSWORD", "host_key": self.host_key} | parameters
        return f"sftp://acme@127.0.0.1:{self.port}/{folder}?" + "&".join(f"{k}={v}" for k, v in given.items() if v)

    def hang_up(self) -> None:
        """Cut every open connection, as a bad network does."""
        for connection in list(self.connections):
            self.loop.call_soon_threadsafe(connection.abort)
        self.connections.clear()


PASSWORD = "correct-horse"


@contextmanager
def sftp_server(root: Path, keys: Path, port: int = 0) -> Iterator[SftpServer]:
    keys.mkdir(exist_ok=True)
    user_key, host_key = asyncssh.generate_private_key("ssh-ed25519"), asyncssh.generate_private_key("ssh-ed25519")
    user_key.write_private_key(keys / "id_ed25519")
    (keys / "id_ed25519").chmod(0o600)
    connections: list[asyncssh.SSHServerConnection] = []

    class Server(asyncssh.SSHServer):
        def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
            connections.append(conn)

        def password_auth_supported(self) -> bool:
            return True

        def validate_password(self, username: str, password: str) -> bool:
            return username == "acme" and password == PASSWORD

        def public_key_auth_supported(self) -> bool:
            return True

        def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
            return username == "acme" and key.public_data == user_key.public_data

    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()

    async def start() -> Any:
        return await asyncssh.create_server(
            Server, "127.0.0.1", port, server_host_keys=[host_key],
            sftp_factory=lambda channel: asyncssh.SFTPServer(channel, chroot=os.fsencode(root)),
        )  # fmt: skip

    listener = asyncio.run_coroutine_threadsafe(start(), loop).result(10)
    try:
        yield SftpServer(root, listener.get_port(), host_key.get_fingerprint(), keys / "id_ed25519", connections, loop)
    finally:

        async def stop() -> None:
            listener.close()
            for connection in connections:
                connection.abort()
            await listener.wait_closed()

        asyncio.run_coroutine_threadsafe(stop(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
