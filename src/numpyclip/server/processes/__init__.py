"""Sockets, uvicorn, and several processes that share one socket."""
