"""Every kind of place keeps the same promises, tried against a real server of each kind."""

from __future__ import annotations

import hashlib
import os
import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from transport.servers import S3Server, SftpServer, free_port

from bsync_assets.transport import places
from bsync_assets.transport.places import FileChanged, Place, PlaceError, TransferRefused, fetch, open_place


@pytest.fixture
def place(address: str, tmp_path: Path) -> Iterator[Place]:
    opened = open_place(address, tmp_path)
    yield opened
    opened.close()


def test_what_is_put_is_listed_and_fetched_byte_for_byte(place: Place, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(random.Random(1).randbytes(9_000_001))
    place.put(source, "acme/date=2026-01-05/a.sync.gz")
    (file,) = place.files("acme")
    assert (file.name, file.size) == ("acme/date=2026-01-05/a.sync.gz", 9_000_001)
    assert fetch(place, file, tmp_path / "copy") == hashlib.sha256(source.read_bytes()).hexdigest()
    assert (tmp_path / "copy").read_bytes() == source.read_bytes()
    assert place.size(file.name) == 9_000_001


def test_a_folder_is_listed_at_any_depth_and_only_below_its_prefix(place: Place, tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"x")
    names = ["acme/1", "acme/sub/2", "acme_two/3", "globex/4", "acme/.hidden", "acme/.d/5"]
    for name in names:
        place.put(tmp_path / "x", name)
    assert sorted(file.name for file in place.files("acme")) == ["acme/1", "acme/sub/2"]
    assert sorted(file.name for file in place.files()) == ["acme/1", "acme/sub/2", "acme_two/3", "globex/4"]
    assert list(place.files("nobody")) == []


def test_put_replaces_and_leaves_no_draft(place: Place, tmp_path: Path) -> None:
    for content in (b"old content", b"new"):
        (tmp_path / "x").write_bytes(content)
        place.put(tmp_path / "x", "out/file")
    assert [(file.name, file.size) for file in place.files()] == [("out/file", 3)]


def test_rename_replaces_and_remove_forgives(place: Place, tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"x")
    place.put(tmp_path / "x", "a.sync")
    place.put(tmp_path / "x", "a.processed")
    place.rename("a.sync", "a.processed")
    assert [file.name for file in place.files()] == ["a.processed"]
    assert place.size("a.sync") is None
    place.remove("a.processed")
    place.remove("a.processed")
    assert list(place.files()) == []


def test_an_empty_file_is_a_file(place: Place, tmp_path: Path) -> None:
    (tmp_path / "x").touch()
    place.put(tmp_path / "x", "empty")
    (file,) = place.files()
    assert fetch(place, file, tmp_path / "copy") == hashlib.sha256().hexdigest()


def test_a_file_that_was_replaced_since_it_was_listed_is_not_fetched(place: Place, tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"first")
    place.put(tmp_path / "x", "file")
    (file,) = place.files()
    (tmp_path / "x").write_bytes(b"second one")
    place.put(tmp_path / "x", "file")
    with pytest.raises(FileChanged):
        fetch(place, file, tmp_path / "copy")
    place.remove("file")
    with pytest.raises(FileChanged):
        fetch(place, file, tmp_path / "copy")
    assert not (tmp_path / "copy").exists()


def test_limits_end_a_transfer_and_leave_nothing(place: Place, tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(bytes(5_000_000))
    place.put(tmp_path / "x", "file")
    (file,) = place.files()
    with pytest.raises(TransferRefused, match="file_too_large"):
        fetch(place, file, tmp_path / "copy", max_bytes=4_999_999)
    with pytest.raises(TransferRefused, match="took_too_long"):
        fetch(place, file, tmp_path / "copy", max_seconds=0)
    assert not (tmp_path / "copy").exists()
    fetch(place, file, tmp_path / "copy", max_bytes=5_000_000, max_seconds=60)


@pytest.mark.parametrize("name", ["", "/etc/passwd", "../x", "a/../../x", "a//b", "a/\0", ".", "a/."])
def test_no_name_leads_out_of_a_place(place: Place, tmp_path: Path, name: str) -> None:
    (tmp_path / "x").write_bytes(b"x")
    with pytest.raises(PlaceError):
        place.put(tmp_path / "x", name)
    with pytest.raises(PlaceError):
        place.remove(name)
    with pytest.raises(PlaceError):
        place.size(name)


@pytest.mark.parametrize(
    "url",
    [
        "ftp://host/x", "http://host/x", "s3://", "s3:///key", "s3://bucket/x?secret=1", "s3://id:secret@bucket/x", "sftp://",
        "sftp:///x", "sftp://acme:secret@host/x", "sftp://host/x?password=secret",
    ],
)  # fmt: skip
def test_an_address_that_cannot_be_meant_is_refused_without_repeating_a_secret(url: str, tmp_path: Path) -> None:
    with pytest.raises(PlaceError) as refusal:
        open_place(url, tmp_path)
    assert "secret" not in str(refusal.value)


# --- folders


def test_links_and_devices_in_a_folder_are_passed_over(tmp_path: Path) -> None:
    (tmp_path / "globex").mkdir()
    (tmp_path / "globex/secret").write_bytes(b"theirs")
    acme = tmp_path / "inbox/acme"
    acme.mkdir(parents=True)
    (acme / "file-link").symlink_to(tmp_path / "globex/secret")
    (acme / "folder-link").symlink_to(tmp_path / "globex")
    os.mkfifo(acme / "pipe")
    (acme / "regular").write_bytes(b"x")
    (tmp_path / "inbox/linked").symlink_to(tmp_path / "globex")
    place = open_place("inbox", tmp_path)
    assert [file.name for file in place.files("acme")] == ["acme/regular"]
    assert list(place.files("linked")) == []
    assert [file.name for file in place.files()] == ["acme/regular"]


def test_a_file_that_becomes_a_link_after_listing_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "inbox/acme").mkdir(parents=True)
    (tmp_path / "inbox/acme/file").write_bytes(b"mine..")
    (tmp_path / "secret").write_bytes(b"theirs")
    place = open_place("inbox", tmp_path)
    (file,) = place.files()
    (tmp_path / "inbox/acme/file").rename(tmp_path / "kept")
    (tmp_path / "inbox/acme/file").symlink_to(tmp_path / "secret")
    with pytest.raises(FileChanged):
        fetch(place, file, tmp_path / "copy")


def test_nothing_that_lies_in_a_folder_leads_a_file_we_write_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "source").write_bytes(b"ours")
    (tmp_path / "secret").write_bytes(b"theirs")
    (tmp_path / "elsewhere").mkdir()
    acme = tmp_path / "inbox/acme"
    acme.mkdir(parents=True)
    (acme / "linked").symlink_to(tmp_path / "elsewhere")
    (acme / "file").symlink_to(tmp_path / "secret")
    (acme / places.draft_name("file")).symlink_to(tmp_path / "secret")
    place = open_place("inbox", tmp_path)
    place.put(tmp_path / "source", "acme/file")
    assert (acme / "file").read_bytes() == b"ours"
    assert not (acme / "file").is_symlink()
    with pytest.raises(PlaceError, match="cannot write acme/linked/file"):
        place.put(tmp_path / "source", "acme/linked/file")
    assert (tmp_path / "secret").read_bytes() == b"theirs"
    assert list((tmp_path / "elsewhere").iterdir()) == []
    assert {path.name for path in acme.iterdir()} == {"linked", "file"}


# --- S3


def test_s3_lists_thousands_of_keys_of_one_prefix(s3: S3Server, tmp_path: Path) -> None:
    s3.add_objects(f"many/acme/date=2026-01-05/{number}" for number in range(1200))
    place = open_place(s3.url("many"), tmp_path)
    assert len(list(place.files("acme/date=2026-01-05"))) == 1200
    assert list(place.files("acme/date=2026-01-0")) == []


def test_s3_uploads_large_files_in_parts(s3: S3Server, tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(bytes(70 << 20))
    place = open_place(s3.url("parts"), tmp_path)
    place.put(tmp_path / "x", "large")
    (file,) = place.files()
    assert file.etag is not None
    assert file.etag.endswith("-2")
    fetch(place, file, tmp_path / "copy")
    assert (tmp_path / "copy").stat().st_size == 70 << 20


def test_s3_that_is_down_or_refuses_says_so_without_secrets(
    s3: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "canary-secret")
    with pytest.raises(PlaceError, match=r"cannot list the files at s3://drops") as refusal:
        list(open_place(f"s3://drops/x?endpoint=http://127.0.0.1:{free_port()}", tmp_path).files())
    assert refusal.value.passing
    with pytest.raises(PlaceError, match="NoSuchBucket") as missing:
        list(open_place(f"s3://nothing-here?endpoint={s3.endpoint}", tmp_path).files())
    assert not missing.value.passing
    assert "canary" not in f"{refusal.value}{missing.value}"


# --- SFTP


def test_sftp_logs_in_with_a_key_from_a_file_or_from_the_environment(
    sftp: SftpServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (sftp.root / "file").write_bytes(b"x")
    for value in (str(sftp.private_key), sftp.private_key.read_text()):
        monkeypatch.setenv("TEST_SFTP_KEY", value)
        place = open_place(sftp.url(password_env="", key_env="TEST_SFTP_KEY"), tmp_path)
        assert [file.name for file in place.files()] == ["file"]
        place.close()


@pytest.mark.parametrize("host_key", ["SHA256:" + "A" * 43, ""])
def test_sftp_believes_in_no_other_host_key(
    sftp: SftpServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, host_key: str
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))  # no known_hosts there
    with pytest.raises(PlaceError, match="ost key") as refusal:
        list(open_place(sftp.url(host_key=host_key), tmp_path).files())
    assert not refusal.value.passing


def test_sftp_wrong_or_missing_password_is_told_without_it(
    sftp: SftpServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEST_SFTP_PASSWORD", "canary-password")
    with pytest.raises(PlaceError, match="Permission denied") as refusal:
        list(open_place(sftp.url(), tmp_path).files())
    assert "canary" not in str(refusal.value)
    monkeypatch.delenv("TEST_SFTP_PASSWORD")
    with pytest.raises(PlaceError, match="TEST_SFTP_PASSWORD is not set"):
        list(open_place(sftp.url(), tmp_path).files())


def test_sftp_transfer_goes_on_after_the_connection_was_cut(
    sftp: SftpServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(places, "PAUSE_SECONDS", 0.01)
    content = random.Random(2).randbytes(20 << 20)
    (sftp.root / "file").write_bytes(content)
    place = open_place(sftp.url(), tmp_path)
    (file,) = place.files()
    read, starts = place.read, []

    def cut_off(file: places.Found, offset: int) -> Iterator[bytes]:
        starts.append(offset)
        for number, chunk in enumerate(read(file, offset)):
            if number == 1 and len(starts) < 3:
                sftp.hang_up()
            yield chunk

    monkeypatch.setattr(place, "read", cut_off)
    assert fetch(place, file, tmp_path / "copy") == hashlib.sha256(content).hexdigest()
    assert len(starts) >= 3
    assert starts[1] > 0


def test_sftp_names_that_are_not_utf8_come_through(sftp: SftpServer, tmp_path: Path) -> None:
    (Path(os.fsdecode(os.fsencode(sftp.root) + b"/caf\xe9"))).write_bytes(b"x")
    place = open_place(sftp.url(), tmp_path)
    (file,) = place.files()
    fetch(place, file, tmp_path / "copy")
    place.rename(file.name, "renamed")
    assert [found.name for found in place.files()] == ["renamed"]
