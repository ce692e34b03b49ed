"""Sockets, uvicorn, and several processes that answer at one socket."""
