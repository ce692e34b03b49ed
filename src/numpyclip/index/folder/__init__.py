"""An index in a folder: SQLite, and shards of embeddings beside it."""
