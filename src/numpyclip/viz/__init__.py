"""EMBEDDINGS, SCORES, HEAT MAPS → PICTURES: contact sheets, charts, overlays, maps, images in a terminal."""
