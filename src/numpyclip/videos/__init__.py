"""VIDEOS → PIXELS AND EMBEDDINGS, each with its time. Needs ``pip install "numpyclip[video]"`` (PyAV)."""
