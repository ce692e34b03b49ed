"""EMBEDDINGS, HEAT, SCORES → PICTURES for people: contact sheets, charts, heat maps, maps, pictures in a terminal."""
