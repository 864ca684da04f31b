"""The one Dagster entry point: the definitions of the workspace that BSYNC_HOME names, for the UI and its daemon."""

from bsync_assets.assets.graph import build_defs

defs = build_defs()
