"""TOWERS → EMBEDDINGS: towers run in chunks on threads, with weights that are prepared, cached, or read lazily."""
