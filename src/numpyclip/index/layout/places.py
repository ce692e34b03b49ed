"""Where things lie in the layout, and what reads it."""

from __future__ import annotations

from numpyclip.errors import MissingPackageError
from numpyclip.index.records import Side

DESCRIPTION = "numpyclip.json"
PLACES: dict[Side, tuple[str, str]] = {"pictures": ("", "img_emb"), "texts": ("texts", "text_emb")}


def need_pyarrow() -> None:
    """Say what to install, if it is not there."""
    try:
        import pyarrow  # noqa: F401
    except ImportError as error:
        raise MissingPackageError('parquet files need pyarrow: pip install "numpyclip[parquet]".') from error
