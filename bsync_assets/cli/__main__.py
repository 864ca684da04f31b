"""`python -m bsync_assets.cli` is `bsync`."""

from bsync_assets.cli import main

main()
