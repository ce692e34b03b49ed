"""REQUESTS → ANSWERS, whatever way they come: over HTTP, from an assistant, as lines of JSON."""
