"""SOURCES → PARTS → ROWS: folders, webdataset, parquet and lists of images or texts, here or in object stores."""
