"""Twenty canaries through every way to fail; then everything that was written or printed is searched for them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
import yaml
from transport.fixtures import s3, s3_service, sftp
from transport.servers import S3Server, SftpServer, free_port
from workspaces import write_inbound, write_workspace

from bsync_assets.catalog import CatalogError
from bsync_assets.transport.pgp import make_key
from bsync_assets.workspace import open_catalog

__all__ = ["s3", "s3_service", "sftp"]

DAY = date(2026, 1, 5)
NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)


def canary(number: int) -> str:
    return f"canary{number:02d}x7f3q"


@pytest.fixture
def secrets(tmp_path: Path) -> dict[str, str]:
    """Environment variables that hold secrets: 17 canaries."""
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/key").write_text(
        f"-----BEGIN OPENSSH PRIVATE KEY-----\n{canary(1)}\n-----END OPENSSH PRIVATE KEY-----\n"
    )
    (tmp_path / "outside/pgp").write_text(
        f"-----BEGIN PGP PRIVATE KEY BLOCK-----\n\n{canary(2)}\n-----END PGP PRIVATE KEY BLOCK-----\n"
    )
    return {
        "SFTP_KEY_FILE": str(tmp_path / "outside/key"),
        "PGP_KEY_FILE": str(tmp_path / "outside/pgp"),
        "SFTP_KEY": f"-----BEGIN OPENSSH PRIVATE KEY-----\n{canary(3)}\n-----END OPENSSH PRIVATE KEY-----\n",
        "SFTP_PASSWORD": canary(4),
        "SFTP_PASSWORD_DOWN": canary(5),
        "SFTP_PASSWORD_PIN": canary(6),
        "AWS_ACCESS_KEY_ID": "test-id",
        "AWS_SECRET_ACCESS_KEY": canary(7),
        "AWS_SESSION_TOKEN": canary(8),
        "SMTP_PASSWORD": canary(9),
        "PGP_KEY_BROKEN": f"-----BEGIN PGP PRIVATE KEY BLOCK-----\n\n{canary(10)}\n-----END PGP PRIVATE KEY BLOCK-----\n",
        "PGP_PASSPHRASE": canary(11),
        "BSYNC_PGP_PASSPHRASE": canary(12),
        **{f"UNRELATED_SECRET_{n}": canary(n) for n in range(13, 18)},
    }


@pytest.mark.skipif(shutil.which("gpg") is None, reason="gpg is not installed")
def test_no_secret_is_written_or_printed(tmp_path: Path, secrets: dict[str, str], s3: S3Server, sftp: SftpServer) -> None:
    home = tmp_path / "home"
    down = f"s3://drops/x?endpoint=http://127.0.0.1:{free_port()}"
    inboxes: dict[str, dict[str, object]] = {
        "s3_down": {"inbox": down},
        "s3_denied": {"inbox": f"s3://no-such-bucket/x?endpoint={s3.endpoint}"},
        "sftp_denied": {"inbox": sftp.url(password_env="SFTP_PASSWORD")},
        "sftp_down": {"inbox": f"sftp://acme@127.0.0.1:{free_port()}/x?password_env=SFTP_PASSWORD_DOWN&host_key=SHA256:x"},
        "sftp_pin": {"inbox": sftp.url(password_env="SFTP_PASSWORD_PIN", host_key="SHA256:AAAA")},
        "sftp_key": {"inbox": sftp.url(password_env="", key_env="SFTP_KEY")},
        "sftp_file": {"inbox": sftp.url(password_env="", key_env="SFTP_KEY_FILE")},
        "pgp_wrong": {"pgp": {"key_env": "PGP_RIGHT", "passphrase_env": "PGP_PASSPHRASE"}},
        "good": {},
    }
    partners = [{"name": name, "id": number, **more} for number, (name, more) in enumerate(inboxes.items(), 1)]
    sources = [{"id": 1000 + number, "owner": name} for number, name in enumerate(inboxes, 1)]
    write_workspace(home, {"partners": partners, "data_sources": sources}, DAY)
    settings = yaml.safe_load((home / "bsync.yaml").read_text())
    settings["mail"] |= {
        "transport": "smtp",
        "host": "127.0.0.1",
        "port": free_port(),
        "user": "u",
        "password_env": "SMTP_PASSWORD",
    }
    settings["mail"].pop("path")
    (home / "bsync.yaml").write_text(yaml.safe_dump(settings))
    write_inbound(home, "pgp_wrong", DAY, "ftp_dpm_1008_1767614400.sync.pgp", b"no message", NOON)
    write_inbound(home, "good", DAY, "ftp_dpm_1009_1767614400.sync", b"user\tk=1\n", NOON)
    environment = os.environ | secrets | {"BSYNC_HOME": str(home), "PGP_RIGHT": make_key("x", "x@x.example", canary(18), "never")}

    printed = ""
    for command in (["run", "--day", str(DAY)], ["keys", "export"], ["maintain"], ["sql", "FROM nothing"]):
        done = subprocess.run(
            [sys.executable, "-m", "bsync_assets.cli", *command], env=environment, capture_output=True, text=True, check=False
        )
        printed += done.stdout + done.stderr
    assert "Traceback" not in printed, printed
    for broken in ("PGP_KEY_BROKEN", "PGP_KEY_FILE"):
        (home / "bsync.yaml").write_text(yaml.safe_dump(settings | {"pgp": {"key_env": broken}}))
        done = subprocess.run(
            [sys.executable, "-m", "bsync_assets.cli", "keys", "export"],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 1, done.stdout + done.stderr
        printed += done.stdout + done.stderr

    # Passwords in addresses are refused, and the mistakes do not repeat them.
    partners[0]["inbox"], partners[1]["inbox"] = f"sftp://u:{canary(19)}@host/x", f"s3://id:{canary(20)}@bucket"
    (home / "catalog/partners.yaml").write_text(yaml.safe_dump(partners))
    with pytest.raises(CatalogError) as mistakes:
        open_catalog(home)
    assert len(mistakes.value.mistakes) == 2
    (home / "catalog/partners.yaml").unlink()

    searched = 0
    for path in home.rglob("*"):
        if path.is_file():
            searched += 1
            content = path.read_bytes()
            assert b"x7f3q" not in content, path
    assert searched > 20
    assert "x7f3q" not in printed
    assert "x7f3q" not in str(mistakes.value)
