"""The web page: files as they are, without a build step or external resources."""

from __future__ import annotations

import hashlib
import secrets
from functools import cache
from importlib.resources import files

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from numpyclip.dispatch.field_kinds import Text
from numpyclip.dispatch.fields import RequestFields
from numpyclip.server.operations import Answer, operation
from numpyclip.server.responses import compressed

_TYPES = {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}
_POLICY = (
    "default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; img-src 'self' blob: data:; "
    "media-src 'self' blob:; connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'"
)


_REFERENCE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>NumPyCLIP: HTTP API</title>
<link rel="icon" href="static/@VERSION@/icon.svg">
<link rel="stylesheet" href="static/@VERSION@/style.css" nonce="@NONCE@">
</head>
<body>
<header><h1>NumPyCLIP: HTTP API</h1></header>
<main class="reference">
<p><a href="./">Search images</a>, <a href="openapi.json">openapi.json</a></p>
@CONTENT@
</main>
</body>
</html>
"""


@cache
def _page() -> tuple[str, str, dict[str, bytes]]:
    """Read the page: its HTML, the version in the URLs of its other files, and these by name."""
    found = {file.name: file.read_bytes() for file in files("numpyclip.server").joinpath("static").iterdir()}
    html = found.pop("index.html").decode()
    parts = (part for name, data in sorted(found.items()) for part in (name.encode(), data))
    version = hashlib.sha256(b"\0".join(parts)).hexdigest()[:12]
    (preload,) = (line for line in html.splitlines() if "@MODULE@" in line)
    modules = sorted(name for name in found if name.endswith(".js"))
    html = html.replace(preload, "\n".join(preload.replace("@MODULE@", name) for name in modules))
    return html.replace("@VERSION@", version), version, found


def page(request: Request) -> Response:
    """Make the response with the page: scripts and styles are allowed by a nonce, which modules pass on to modules."""
    return _html(request, _page()[0])


def reference_page(request: Request, content: str) -> Response:
    """Make the response with the reference of the API, whose content is HTML, in the style of the page."""
    return _html(request, _REFERENCE.replace("@VERSION@", _page()[1]).replace("@CONTENT@", content))


def _html(request: Request, text: str) -> Response:
    nonce = secrets.token_urlsafe(16)
    headers = {"Content-Security-Policy": _POLICY.format(nonce=nonce), "Cache-Control": "no-cache"}
    return compressed(request, Response(text.replace("@NONCE@", nonce), media_type="text/html", headers=headers))


class _Static(RequestFields):
    version = Text("Of all files of the page.", required=True)
    name = Text("Of the file.", required=True)


@operation(Answer("The file.", media="*/*"), _Static, errors=(404,))
async def static(request: Request, fields: _Static) -> Response:
    """Return another file of the page; its address changes with it, so that browsers keep it."""
    _, version, found = _page()
    name = fields.name
    if fields.version != version or name not in found:
        raise HTTPException(404, "the page has no such file; load the page again.")
    headers = {"Cache-Control": "public, max-age=31536000, immutable", "Content-Security-Policy": "default-src 'none'"}
    response = Response(found[name], media_type=_TYPES[name.rpartition(".")[2]], headers=headers)
    return compressed(request, response)
