"""The format in which clip-retrieval and autofaiss keep embeddings.

``img_emb/img_emb_0000.npy`` holds rows, ``metadata/metadata_0000.parquet`` what is known of each. Texts, which have no
picture here, are in a folder ``texts`` of their own, in ``text_emb`` and ``metadata``. ``numpyclip.json`` beside them
has the fingerprint of the model, which others do not read.

Source: github.com/rom1504/clip-retrieval, clip_inference/writer.py and clip_back.py.
"""

from numpyclip.index.clip_retrieval.exporting import export_embeddings
from numpyclip.index.clip_retrieval.importing import import_embeddings

__all__ = ["export_embeddings", "import_embeddings"]
