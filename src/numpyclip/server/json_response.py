"""JSON responses."""

from __future__ import annotations

import json
from typing import Any

from starlette.responses import Response


class JSONResponse(Response):
    """JSON in ASCII: file names may hold lone surrogates, which UTF-8 cannot encode."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        """Encode a value."""
        return json.dumps(content, allow_nan=False, separators=(",", ":")).encode("ascii")
