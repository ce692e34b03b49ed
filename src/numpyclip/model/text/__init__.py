"""IDS → EMBEDDINGS: the text towers."""
