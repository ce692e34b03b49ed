"""XMP: the metadata that photo programs write into an image, or into a sidecar file beside it."""
