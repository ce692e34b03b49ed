"""The options with which the command line loads the model of an index, as the index records them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from numpyclip.arguments import ENGINE_OPTIONS
from numpyclip.errors import StoreError
from numpyclip.index.database import RECOVERY

if TYPE_CHECKING:
    from numpyclip.index.store import Store

MODEL_OPTIONS = ("model", "pretrained", "activation", "text_model", "truncate_dim", *ENGINE_OPTIONS)


def remembered_options(store: Store) -> dict[str, str]:
    """Return the options by which the model of an index is loaded; none if that is not recorded."""
    try:
        found = json.loads(store.model_name or "{}")
        return {key: value for key, value in found.items() if key in MODEL_OPTIONS and isinstance(value, str)}
    except (ValueError, AttributeError, RecursionError):
        raise StoreError(f"{store.place}: does not record how its model is loaded. {RECOVERY}") from None
