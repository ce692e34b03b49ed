"""TOWERS → EMBEDDINGS: towers run in chunks on threads, and their weights are prepared, cached or made lazily."""
