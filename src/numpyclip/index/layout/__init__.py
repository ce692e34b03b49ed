"""The layout that clip-retrieval and autofaiss keep embeddings in.

``img_emb/img_emb_0000.npy`` holds rows, ``metadata/metadata_0000.parquet`` what is known of each. Texts, which have no
picture here, lie in a folder ``texts`` of their own, in ``text_emb`` and ``metadata``. ``numpyclip.json`` beside them
has the fingerprint of the model, which others do not look at.

Source: github.com/rom1504/clip-retrieval, clip_inference/writer.py and clip_back.py.
"""

from numpyclip.index.layout.exporting import export_layout
from numpyclip.index.layout.importing import import_layout

__all__ = ["export_layout", "import_layout"]
