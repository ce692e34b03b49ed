"""Requests that the server sends itself: for images by URL, and to Immich's own server."""
