"""REQUESTS → ANSWERS, over HTTP, MCP or lines of JSON."""
