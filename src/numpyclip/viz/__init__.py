"""EMBEDDINGS, SCORES, HEAT MAPS → PICTURES for people: sheets, charts, overlays, maps, images in a terminal."""
