"""IDS → EMBEDDINGS: the towers of texts."""
