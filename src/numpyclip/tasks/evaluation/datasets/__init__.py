"""DATASET → EXAMPLES: folders, webdataset archives and parquet files of images with labels or captions."""
