"""XMP: what photo programs write about an image, in it or in a file beside it."""
