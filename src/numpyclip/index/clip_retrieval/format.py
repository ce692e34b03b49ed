"""Where clip-retrieval keeps what, and the library that reads it."""

from __future__ import annotations

from numpyclip.errors import MissingPackageError
from numpyclip.index.records import Modality

FINGERPRINT_FILE = "numpyclip.json"
FOLDERS: dict[Modality, tuple[str, str]] = {"pictures": ("", "img_emb"), "texts": ("texts", "text_emb")}


def need_pyarrow() -> None:
    """Say what to install, if it is not there."""
    try:
        import pyarrow  # noqa: F401
    except ImportError as error:
        raise MissingPackageError('parquet files need pyarrow: pip install "numpyclip[parquet]".') from error
