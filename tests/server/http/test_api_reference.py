"""The reference of the API: the page at /docs says the same as /openapi.json."""

import re
from html.parser import HTMLParser

import pytest

from numpyclip.server.app import PARTS
from numpyclip.server.http.api_reference import Block, Heading, Table, reference, to_html, to_markdown
from numpyclip.server.http.openapi import plain
from tests.server.browser import Open
from tests.server.conftest import Client, Serve

pytest.importorskip("starlette")


def test_every_operation_and_its_fields_are_there() -> None:
    text = to_markdown(reference(PARTS))
    for operations in PARTS.values():
        for path, each in operations.items():
            assert f"{plain(path)}`" in text
            assert all(f"| `{name}` |" in text for name in each.fields.DESCRIBED)
            assert all(f"`{status}`" in text for status in (*each.answers, *each.errors))


def test_alternatives_are_all_said() -> None:
    text = to_markdown(reference(PARTS))
    assert "`embedding` (list of number or string)" in text
    assert "| `input` | string or list of string or list of integer or list of list of integer |" in text
    assert "| `labels` | string, or several |" in text


def test_requests_have_examples() -> None:
    text = to_markdown(reference(PARTS))
    assert 'Example: `{"query": "a dog on a beach", "n": 5}`' in text
    assert "Example: `/thumbnails/12?side=1600`" in text
    assert "Example: `/v1/models/ViT-B/32`" in text


class _Anchors(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        found = dict(attributes)
        self.ids += [found["id"] or ""] if "id" in found else []
        self.links += [found["href"] or ""] if "href" in found else []


def test_links_lead_to_one_place() -> None:
    parser = _Anchors()
    parser.feed(to_html(reference(PARTS)))
    assert len(set(parser.ids)) == len(parser.ids)
    assert {link.removeprefix("#") for link in parser.links} <= set(parser.ids)


def test_html_is_escaped() -> None:
    blocks: list[Block] = [Heading(2, "<b>"), "a < `<i>` [b](#c)", Table(("a & b",), [("<u>",)])]
    html = to_html(blocks)
    assert not re.search("<[biu]>", html)
    assert "<code>&lt;i&gt;</code>" in html
    assert '<a href="#c">b</a>' in html


def test_a_table_has_a_line_for_each_row() -> None:
    assert to_markdown([Table(("a", "b"), [("1", "2")])]) == "| a | b |\n| --- | --- |\n| 1 | 2 |\n"


def test_the_page_allows_nothing_from_elsewhere_and_no_script(client: Client) -> None:
    answer = client.get("/docs")
    assert "script-src 'nonce-" in answer.headers["Content-Security-Policy"]
    text = answer.body.decode()
    assert "<script" not in text
    assert not re.search(r"""(src|href)=["'](https?:)?//""", text)


@pytest.mark.parametrize(("path", "mounted"), [("/docs", ""), ("/photos/docs", ""), ("/photos/docs", "/photos")])
def test_people_read_it_below_a_prefix_as_well(open_page: Open, serve: Serve, path: str, mounted: str) -> None:
    client = serve(url_prefix="/photos" if path.startswith("/photos") else "", mounted=mounted)
    shown = open_page(client, path)
    assert shown.title() == "NumPyCLIP: HTTP API"
    assert shown.evaluate("getComputedStyle(document.querySelector('main')).maxWidth") == "1000px"
    shown.get_by_role("link", name="Match", exact=True).first.click()
    assert shown.url.endswith("#match")
    shown.get_by_role("link", name="Search images").click()
    shown.get_by_role("button", name="Search", exact=True).wait_for()
