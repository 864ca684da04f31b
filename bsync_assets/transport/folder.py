"""A folder on a local disk as a place. What partners put there cannot lead out of it: links are never followed."""

from __future__ import annotations

import errno
import os
import shutil
import stat
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from bsync_assets.transport.places import FileChanged, Found, PlaceError, draft_name, proper_name

_CHUNK_BYTES = 4 << 20


class Folder:
    """Files below one folder; it need not exist."""

    appears_whole = False
    has_day_folders = True

    def __init__(self, root: Path) -> None:
        self._root = root
        self.shown = str(root)

    def files(self, prefix: str = "") -> Iterator[Found]:
        """See Place."""
        yield from self._walk(self._root, prefix)

    def _walk(self, folder: Path, prefix: str) -> Iterator[Found]:
        if prefix:
            for part in proper_name(prefix.rstrip("/")).split("/"):
                folder = folder / part
                if folder.is_symlink():
                    return
        try:
            entries = list(os.scandir(folder))
        except (FileNotFoundError, NotADirectoryError):
            return
        except PermissionError as error:
            raise PlaceError(f"cannot list {folder}: permission denied") from error
        for entry in entries:
            if entry.name.startswith("."):
                continue
            if entry.is_dir(follow_symlinks=False):
                yield from self._walk(Path(entry.path), "")
            elif entry.is_file(follow_symlinks=False):
                try:
                    status = entry.stat(follow_symlinks=False)
                except FileNotFoundError:
                    continue
                yield Found(os.path.relpath(entry.path, self._root), status.st_size, _modified_at(status))

    def size(self, name: str) -> int | None:
        """See Place."""
        try:
            return (self._root / proper_name(name)).lstat().st_size
        except FileNotFoundError:
            return None

    def read(self, file: Found, offset: int) -> Iterator[bytes]:
        """See Place."""
        with open(self._open_below(file.name), "rb", buffering=0) as source:
            status = os.fstat(source.fileno())
            if not stat.S_ISREG(status.st_mode) or (status.st_size, _modified_at(status)) != (file.size, file.modified_at):
                raise FileChanged(f"{file.name} is not as it was listed")
            source.seek(offset)
            while chunk := source.read(_CHUNK_BYTES):
                yield chunk
            status = os.fstat(source.fileno())
            if (status.st_size, _modified_at(status)) != (file.size, file.modified_at):
                raise FileChanged(f"{file.name} was written to while it was read")

    def _open_below(self, name: str) -> int:
        """Open a file step by step so that no link, put there between listing and reading, leads elsewhere."""
        *folders, last = proper_name(name).split("/")
        try:
            at = self._folder_below(folders)
            try:
                return os.open(last, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=at)
            finally:
                os.close(at)
        except OSError as error:
            if error.errno in (errno.ENOENT, errno.ELOOP, errno.ENOTDIR, errno.ENXIO):
                raise FileChanged(f"{name} is not as it was listed") from error
            raise PlaceError(f"cannot read {name} at {self.shown}: {error.strerror}") from error

    def _folder_below(self, folders: Sequence[str], make: bool = False) -> int:
        """A handle of the folder, reached step by step without following a link; `make` those that are missing."""
        at = os.open(self._root, os.O_RDONLY | os.O_DIRECTORY)
        for part in folders:
            try:
                if make:
                    with suppress(FileExistsError):
                        os.mkdir(part, dir_fd=at)
                inner = os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=at)
            finally:
                os.close(at)
            at = inner
        return at

    def md5(self, file: Found) -> str | None:
        """See Place."""
        return None

    def put(self, source: Path, name: str) -> None:
        """See Place. Partners may write here too, so no link of theirs is followed: neither a folder nor the draft can be one."""
        *folders, last = proper_name(name).split("/")
        draft = draft_name(last)
        try:
            self._root.mkdir(parents=True, exist_ok=True)
            at = self._folder_below(folders, make=True)
            try:
                with suppress(FileNotFoundError):
                    os.unlink(draft, dir_fd=at)  # left by a process of the same number that was killed
                made = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o666, dir_fd=at)
                with open(made, "wb") as copy, open(source, "rb") as original:
                    shutil.copyfileobj(original, copy, _CHUNK_BYTES)
                    copy.flush()
                    os.fsync(copy.fileno())
                    if copy.tell() != source.stat().st_size:
                        raise PlaceError(f"{name} is not whole at {self.shown}", passing=True)
                os.replace(draft, last, src_dir_fd=at, dst_dir_fd=at)
            finally:
                with suppress(FileNotFoundError):
                    os.unlink(draft, dir_fd=at)
                os.close(at)
        except PlaceError:
            raise
        except OSError as error:
            raise PlaceError(f"cannot write {name} at {self.shown}: {error.strerror}") from error

    def rename(self, old: str, new: str) -> None:
        """See Place."""
        os.replace(self._root / proper_name(old), self._root / proper_name(new))

    def remove(self, name: str) -> None:
        """See Place."""
        (self._root / proper_name(name)).unlink(missing_ok=True)

    def close(self) -> None:
        """See Place."""


def _modified_at(status: os.stat_result) -> datetime:
    return datetime.fromtimestamp(status.st_mtime_ns // 1000 / 1e6, UTC).replace(tzinfo=None)
