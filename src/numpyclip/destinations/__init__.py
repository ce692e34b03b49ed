"""ROWS → PARTS of the output, and back: parquet files, or clip-retrieval's format, here or in object stores."""
