"""A folder of an SFTP server as a place, over asyncssh.

asyncssh rather than paramiko: it keeps a bounded number of requests under way, where paramiko's prefetch stalls on large files
with some servers and its plain reads are many times slower; and it renames over an existing file where the server can.
"""

from __future__ import annotations

import asyncio
import os
import stat
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import parse_qs, unquote, urlsplit

import asyncssh

from bsync_assets.transport.places import PAUSE_SECONDS, FileChanged, Found, PlaceError, draft_name, proper_name

_CHUNK_BYTES = 4 << 20
_CONNECT_SECONDS = 15
_WAIT_SECONDS = 120  # for one answer of a server, or one chunk
_PARAMETERS = {"password_env", "key_env", "host_key"}

_Answer = TypeVar("_Answer")


@cache
def _loop() -> asyncio.AbstractEventLoop:
    """The event loop that all connections live on, in a thread of its own: callers may be anywhere, in a loop or not."""
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, name="bsync-sftp", daemon=True).start()
    return loop


class SftpFolder:
    """Files below one folder of a server. Connects on first use, and anew after a connection was lost."""

    appears_whole = False
    has_day_folders = False

    def __init__(self, address: str) -> None:
        url = urlsplit(address)
        given = {name: values[-1] for name, values in parse_qs(url.query).items()}
        if not url.hostname or set(given) - _PARAMETERS or url.password is not None:
            raise PlaceError(f"expected sftp://user@host/folder without a password, and of parameters only {sorted(_PARAMETERS)}")
        self._host, self._port, self._user = url.hostname, url.port or 22, unquote(url.username) if url.username else None
        folder = unquote(url.path).rstrip("/")
        self._root = folder.removeprefix("/~/") if folder.startswith("/~/") else (folder or "/")
        self._given = given
        self.shown = f"sftp://{url.netloc}{url.path}".rstrip("/")
        self._connection: asyncssh.SSHClientConnection | None = None
        self._client: asyncssh.SFTPClient | None = None

    def _options(self) -> dict[str, Any]:
        """How to log in, and which host key to believe. Secrets come from the environment variables that the address names."""
        options: dict[str, Any] = {"username": self._user} if self._user else {}
        if name := self._given.get("password_env"):
            options |= {"password": self._secret(name), "client_keys": None, "agent_path": None}
        if name := self._given.get("key_env"):
            key = self._secret(name)
            try:
                loaded = asyncssh.import_private_key(key) if key.startswith("-----BEGIN") else asyncssh.read_private_key(key)
            except (OSError, asyncssh.KeyImportError):
                raise PlaceError(f"{self.shown}: the private key that {name} names cannot be read") from None
            options |= {"client_keys": [loaded], "agent_path": None}
        if pins := self._given.get("host_key"):
            trusted = {pin.strip() for pin in pins.replace(" ", "+").split(",")}  # `+` in a query means a blank
            options |= {"known_hosts": ([], [], []), "client_factory": lambda: _Pinned(trusted)}
        return options

    def _secret(self, name: str) -> str:
        value = os.environ.get(name)
        if not value:
            raise PlaceError(f"{self.shown}: the environment variable {name} is not set")
        return value

    async def _connected(self) -> asyncssh.SFTPClient:
        if self._client is None:
            self._connection = await asyncssh.connect(
                self._host, self._port, config=None, connect_timeout=_CONNECT_SECONDS, login_timeout=_CONNECT_SECONDS,
                keepalive_interval=15, **self._options(),
            )  # fmt: skip
            # Names are bytes on the server; what is not UTF-8 is carried along as it is.
            self._client = await self._connection.start_sftp_client(path_errors="surrogateescape")
        return self._client

    def _do(
        self,
        doing: str,
        work: Callable[[], Coroutine[Any, Any, _Answer]],
        *,
        seconds: float | None = _WAIT_SECONDS,
        again: int = 2,
    ) -> _Answer:
        """Wait for `work` on the loop of the connections; what goes wrong becomes a PlaceError.

        What may pass is tried again so often, over a new connection: one that was left open is often dead when it is needed.
        """
        for attempt in range(again + 1):
            try:
                return self._do_once(doing, work(), seconds)
            except PlaceError as error:
                if not error.passing or attempt == again:
                    raise
                time.sleep(PAUSE_SECONDS * 2**attempt)
        raise AssertionError("not reached")

    def _do_once(self, doing: str, work: Coroutine[Any, Any, _Answer], seconds: float | None) -> _Answer:
        future = asyncio.run_coroutine_threadsafe(work, _loop())
        with self._telling(doing):
            try:
                return future.result(seconds)
            except TimeoutError:
                future.cancel()
                raise

    @contextmanager
    def _telling(self, doing: str) -> Iterator[None]:
        what = f"cannot {doing} at {self.shown}"
        try:
            yield
        except (asyncssh.SFTPNoSuchFile, asyncssh.SFTPNoSuchPath) as error:
            raise FileChanged(f"{what}: it is not there") from error
        except asyncssh.SFTPPermissionDenied as error:
            raise PlaceError(f"{what}: permission denied") from error
        except (asyncssh.PermissionDenied, asyncssh.HostKeyNotVerifiable) as error:
            self.close()
            raise PlaceError(f"{what}: {error.reason}") from error
        except (TimeoutError, OSError, asyncssh.Error) as error:
            if isinstance(error, PlaceError):
                raise
            self.close()
            raise PlaceError(f"{what}: {error or type(error).__name__}", passing=True) from error

    def files(self, prefix: str = "") -> Iterator[Found]:
        """See Place."""
        folder = proper_name(prefix.rstrip("/")) if prefix else ""
        yield from self._do(f"list {folder or 'the files'}", lambda: self._list(folder))

    async def _list(self, folder: str) -> list[Found]:
        client = await self._connected()
        parts = folder.split("/") if folder else []
        for depth in range(1, len(parts) + 1):
            try:
                attributes = await client.lstat(self._path("/".join(parts[:depth])))
            except (asyncssh.SFTPNoSuchFile, asyncssh.SFTPNoSuchPath):
                return []
            if not stat.S_ISDIR(attributes.permissions or 0):
                return []
        found: list[Found] = []
        pending = [folder]
        while pending:
            current = pending.pop()
            async for entry in client.scandir(self._path(current)):
                name, mode = str(entry.filename), entry.attrs.permissions or 0
                below = f"{current}/{name}" if current else name
                if name.startswith(".") or "/" in name:
                    continue
                if stat.S_ISDIR(mode):
                    pending.append(below)
                elif stat.S_ISREG(mode):
                    found.append(_found(below, entry.attrs))
        return found

    def size(self, name: str) -> int | None:
        """See Place."""
        try:
            return self._do(f"look at {name}", lambda: self._attributes(name)).size
        except FileChanged:
            return None

    async def _attributes(self, name: str) -> asyncssh.SFTPAttrs:
        return await (await self._connected()).lstat(self._path(proper_name(name)))

    def read(self, file: Found, offset: int) -> Iterator[bytes]:
        """See Place."""
        source = self._do(f"open {file.name}", lambda: self._open(file), again=0)
        try:
            while chunk := self._do_once(f"read {file.name}", source.read(_CHUNK_BYTES, offset), _WAIT_SECONDS):
                offset += len(chunk)
                yield bytes(chunk)
            if _found(file.name, self._do_once(f"look at {file.name}", source.stat(), _WAIT_SECONDS)) != file:
                raise FileChanged(f"{file.name} was written to while it was read")
        finally:
            if self._client is not None:
                self._do_once(f"close {file.name}", source.close(), _WAIT_SECONDS)

    async def _open(self, file: Found) -> Any:
        if _found(file.name, await self._attributes(file.name)) != file:  # lstat: a link put there meanwhile differs
            raise FileChanged(f"{file.name} is not as it was listed")
        return await (await self._connected()).open(self._path(file.name), "rb")

    def md5(self, file: Found) -> str | None:
        """See Place."""
        return None

    def put(self, source: Path, name: str) -> None:
        """See Place."""
        self._do(f"write {name}", lambda: self._put(source, proper_name(name)), seconds=None)

    async def _put(self, source: Path, name: str) -> None:
        client = await self._connected()
        draft, folder = self._path(draft_name(name)), self._path(name).rpartition("/")[0]
        if folder:
            await client.makedirs(folder, exist_ok=True)
        try:
            await client.put(str(source), draft)
            if (await client.stat(draft)).size != source.stat().st_size:
                raise PlaceError(f"{name} is not whole at {self.shown}", passing=True)
            await _replace(client, draft, self._path(name))
        except BaseException:
            if await client.lexists(draft):
                await client.remove(draft)
            raise

    def rename(self, old: str, new: str) -> None:
        """See Place."""
        self._do(f"rename {old}", lambda: self._rename(proper_name(old), proper_name(new)))

    async def _rename(self, old: str, new: str) -> None:
        await _replace(await self._connected(), self._path(old), self._path(new))

    def remove(self, name: str) -> None:
        """See Place."""
        try:
            self._do(f"remove {name}", lambda: self._remove(proper_name(name)))
        except FileChanged:
            return

    async def _remove(self, name: str) -> None:
        await (await self._connected()).remove(self._path(name))

    def close(self) -> None:
        """See Place."""
        connection, self._connection, self._client = self._connection, None, None
        if connection is not None:
            _loop().call_soon_threadsafe(connection.abort)

    def _path(self, name: str) -> str:
        return f"{self._root.rstrip('/')}/{name}" if name else self._root


class _Pinned(asyncssh.SSHClient):
    """A client that believes in nothing but the given fingerprints."""

    def __init__(self, trusted: set[str]) -> None:
        self._trusted = trusted

    def validate_host_public_key(self, host: str, addr: str, port: int, key: asyncssh.SSHKey) -> bool:
        return key.get_fingerprint() in self._trusted


async def _replace(client: asyncssh.SFTPClient, old: str, new: str) -> None:
    """Rename over an existing file, in one step where the server can."""
    try:
        await client.posix_rename(old, new)
    except asyncssh.SFTPOpUnsupported:
        if await client.lexists(new):
            await client.remove(new)
        await client.rename(old, new)


def _found(name: str, attributes: asyncssh.SFTPAttrs) -> Found:
    modified = datetime.fromtimestamp(attributes.mtime or 0, UTC).replace(tzinfo=None)
    return Found(name, attributes.size or 0, modified)
