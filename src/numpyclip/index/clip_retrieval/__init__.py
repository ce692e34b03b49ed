"""The format in which clip-retrieval and autofaiss keep embeddings.

``img_emb/img_emb_0000.npy`` holds rows, ``metadata/metadata_0000.parquet`` what is known of each. Texts, which have no
picture here, are in a folder ``texts`` of their own, in ``text_emb`` and ``metadata``. ``numpyclip.json`` beside them
has the fingerprint of the model, which others do not read.

Source: github.com/rom1504/clip-retrieval, clip_inference/writer.py and clip_back.py.
"""

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
