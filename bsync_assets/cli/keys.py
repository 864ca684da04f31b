"""Commands for the platform's own PGP key pair."""

from __future__ import annotations

import os
import re
from typing import Annotated

import typer

from bsync_assets.cli.terminal import Stop, app, open_workspace

keys = typer.Typer(no_args_is_help=True, help="The platform's own PGP key pair, to which partners encrypt their files.")
app.add_typer(keys, name="keys")


@keys.command("make")
def make_keys(
    expires: Annotated[
        str, typer.Option(metavar="HOW_LONG", help="How long it is valid, as gpg takes it: 2y, 18m, never.")
    ] = "2y",
) -> None:
    """Make the key pair of this workspace, once; the private key goes into `pgp.key_file`, readable by you alone.

    The passphrase is taken from the environment variable that `pgp.passphrase_env` names (BSYNC_PGP_PASSPHRASE); without one the
    key is not protected by itself.
    """
    from bsync_assets.transport.pgp import PgpError, make_key

    catalog = open_workspace()
    settings = catalog.settings
    if settings.pgp.key_file is None:
        raise Stop("bsync.yaml names no pgp.key_file to write the private key to", 2)
    file = catalog.home / settings.pgp.key_file
    if not re.fullmatch(r"never|\d+[dwmy]?", expires):
        raise Stop(f"expected how long the key is valid, like 2y, 18m or never, got {expires!r}", 2)
    if file.exists():
        raise Stop(f"{file} exists; a key that files may be encrypted to is never written over")
    try:
        private = make_key(
            settings.account.name, settings.mail.sender, os.environ.get(settings.pgp.passphrase_env or "") or None, expires
        )
    except PgpError as error:
        raise Stop(str(error)) from None
    file.parent.mkdir(parents=True, exist_ok=True)
    with open(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as out:
        out.write(private)
    print(f"private key in {file}: keep a copy of it elsewhere; `bsync keys export` prints what partners need")


@keys.command("export")
def export_key(
    partner: Annotated[
        str | None, typer.Option("--partner", metavar="NAME", help="The key of this partner, if it has one of its own.")
    ] = None,
) -> None:
    """Print the public key, in armored text, for partners to encrypt their files to."""
    from bsync_assets.assets.inbound_files import private_key
    from bsync_assets.transport.pgp import PgpError, load_key, public_part

    catalog = open_workspace()
    if partner is not None and partner not in catalog.partners:
        raise Stop(f"there is no partner {partner!r}, only {', '.join(catalog.partners)}", 2)
    try:
        key = private_key(catalog, partner) if partner else load_key(catalog.settings.pgp, catalog.home)
        if key is None:
            raise Stop("there is no private key yet; `bsync keys make` makes one")
        print(public_part(key), end="")
    except PgpError as error:
        raise Stop(str(error)) from None
