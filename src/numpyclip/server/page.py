"""The web page: files as they are, without a build step or external resources."""

from __future__ import annotations

import hashlib
import secrets
from functools import cache
from importlib.resources import files
from typing import NamedTuple

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from numpyclip.dispatch.field_kinds import Text
from numpyclip.dispatch.fields import RequestFields
from numpyclip.server.http.operations import Answer, operation
from numpyclip.server.http.responses import compressed

_TYPES = {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}
_POLICY = (
    "default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; img-src 'self' blob: data:; "
    "media-src 'self' blob:; connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'"
)


class _Page(NamedTuple):
    html: str
    reference: str  # of the API, without its content
    version: str  # in the URLs of the other files
    files: dict[str, bytes]


@cache
def _page() -> _Page:
    found = {file.name: file.read_bytes() for file in files("numpyclip.server").joinpath("static").iterdir()}
    html, reference = (found.pop(f"{name}.html").decode() for name in ("index", "reference"))
    parts = (part for name, data in sorted(found.items()) for part in (name.encode(), data))
    version = hashlib.sha256(b"\0".join(parts)).hexdigest()[:12]
    (preload,) = (line for line in html.splitlines() if "@MODULE@" in line)
    modules = sorted(name for name in found if name.endswith(".js"))
    html = html.replace(preload, "\n".join(preload.replace("@MODULE@", name) for name in modules))
    return _Page(html.replace("@VERSION@", version), reference.replace("@VERSION@", version), version, found)


def page(request: Request) -> Response:
    """Make the response with the page: scripts and styles are allowed by a nonce, which modules pass on to modules."""
    return _html(request, _page().html)


def reference_page(request: Request, content: str) -> Response:
    """Make the response with the reference of the API, whose content is HTML, in the style of the page."""
    return _html(request, _page().reference.replace("@CONTENT@", content))


def _html(request: Request, text: str) -> Response:
    nonce = secrets.token_urlsafe(16)
    headers = {"Content-Security-Policy": _POLICY.format(nonce=nonce), "Cache-Control": "no-cache"}
    return compressed(request, Response(text.replace("@NONCE@", nonce), media_type="text/html", headers=headers))


class _Static(RequestFields, example={"version": "0123456789ab", "name": "style.css"}):
    version = Text("Hash of all files of the page.", required=True)
    name = Text("Name of the file.", required=True)


@operation(Answer("The file.", media="*/*"), _Static, errors=(404,))
async def static(request: Request, fields: _Static) -> Response:
    """Return another file of the page, which browsers may cache, since its URL changes with its content."""
    name, found = fields.name, _page().files
    if fields.version != _page().version or name not in found:
        raise HTTPException(404, "the page has no such file; load the page again.")
    headers = {"Cache-Control": "public, max-age=31536000, immutable", "Content-Security-Policy": "default-src 'none'"}
    response = Response(found[name], media_type=_TYPES[name.rpartition(".")[2]], headers=headers)
    return compressed(request, response)
