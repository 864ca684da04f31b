"""What an operator declares: the models, the YAML loader, and what the declarations must agree on.

Nothing here knows partners' files, the grammar of rules, the lake or Dagster. Every other room may import it.
"""

from bsync_assets.catalog.checks import Check, Declared, Place, Problem
from bsync_assets.catalog.load import CatalogError, Mistake, load_catalog, workspace_home
from bsync_assets.catalog.models import (
    SHARED_NAMESPACES,
    Account,
    Catalog,
    DataSource,
    Destination,
    MailSettings,
    Mapping,
    Partner,
    Segment,
    ServeSettings,
    Settings,
    Sync,
    Trait,
)

__all__ = [
    "SHARED_NAMESPACES",
    "Account",
    "Catalog",
    "CatalogError",
    "Check",
    "DataSource",
    "Declared",
    "Destination",
    "MailSettings",
    "Mapping",
    "Mistake",
    "Partner",
    "Place",
    "Problem",
    "Segment",
    "ServeSettings",
    "Settings",
    "Sync",
    "Trait",
    "load_catalog",
    "workspace_home",
]
