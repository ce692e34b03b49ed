"""EMBEDDINGS → ANSWERS: classify, tag, caption, ask, filter, find duplicates, learn, look."""
