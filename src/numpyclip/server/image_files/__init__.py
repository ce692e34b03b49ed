"""Image files of the index: thumbnails, originals, archives of several."""
