"""Write docs/reference/http-api.md, the server's HTTP API, from the descriptions that check its requests.

python -m tools.make_api_page
"""

from pathlib import Path

from numpyclip.server.app import PARTS
from numpyclip.server.http.api_reference import reference, to_markdown

PAGE = Path(__file__).parents[1] / "docs" / "reference" / "http-api.md"
HEAD = """# HTTP API

<!-- made by tools/make_api_page.py -->

All endpoints of `numpyclip serve`, with fields and responses; [server.md](../guides/server.md) says what they are for.
A running server has the same as a page at `/docs`, and as an OpenAPI 3.1 document at `/openapi.json`, for clients that
are generated. Fields that are missing, or `null` in JSON, have their defaults; fields that are not described are
ignored. In JSON a list of one may be the value itself, in forms and query strings a list is a repeated name. `GET` is
also `HEAD`.

"""


def page() -> str:
    return HEAD + to_markdown(reference(PARTS))


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
