"""DATASET → EXAMPLES: folders, webdataset archives and parquet files of pictures with labels or captions."""
