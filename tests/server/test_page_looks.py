"""What the page consists of, and how it looks."""

import gzip
import re

import pytest

from numpyclip.server.page import _page
from tests.server.conftest import Client

HTML, _, VERSION, FILES = _page()
STYLE = FILES["style.css"].decode()


def luminance(colour: str) -> float:
    """Of sRGB (WCAG 2.2, relative luminance)."""
    channels = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_colours_can_be_told_apart(scheme: int) -> None:
    colours = dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6})", "--ground:" + STYLE.split("--ground:")[scheme + 1]))
    assert len(colours) == 9
    pairs = [(a, b, 4.5) for a in ("ink", "faint", "wrong", "accent") for b in ("ground", "raised")]
    pairs += [("on-accent", "accent", 4.5), ("line", "ground", 3.0), ("line", "raised", 2.7)]
    for front, back, least in pairs:
        lighter, darker = sorted((luminance(colours[front]), luminance(colours[back])), reverse=True)
        assert (lighter + 0.05) / (darker + 0.05) >= least, (front, back)


def test_modules_do_not_import_each_other_in_circles() -> None:
    left = {
        name: set(re.findall(r'from "\./(\w+\.js)"|import "\./(\w+\.js)"', data.decode()))
        for name, data in FILES.items()
        if name.endswith(".js")
    }
    imports = {name: {one or other for one, other in pairs} for name, pairs in left.items()}
    while free := {name for name, wanted in imports.items() if not wanted & imports.keys()}:
        imports = {name: wanted for name, wanted in imports.items() if name not in free}
    assert not imports


def test_the_page_loads_nothing_from_elsewhere() -> None:
    files = [HTML, *(data.decode() for data in FILES.values())]
    for text in files:
        assert set(re.findall(r"https?://[^\s'\"<>%]+", text)) <= {"http://www.w3.org/2000/svg"}
        assert not re.search(r"\b(onclick|onload|style)=\"|innerHTML|eval\(", text)


def test_files_have_addresses_that_change_with_them(client: Client) -> None:
    page = client.get("/", Accept="text/html", Accept_Encoding="gzip")
    assert page.headers["Content-Encoding"] == "gzip"
    html = gzip.decompress(page.body).decode()
    addresses = re.findall(r'(?:src|href)="([^"#][^"]*)"', html)
    assert len(addresses) == len(FILES) + 1  # main.js is preloaded, too
    for address in addresses:
        assert address.startswith(f"static/{VERSION}/")
        answer = client.get(f"/{address}")
        assert (answer.status, answer.body) == (200, FILES[address.rpartition("/")[2]])
        assert "immutable" in answer.headers["Cache-Control"]
    for path in ("0/main.js", f"{VERSION}/index.html", f"{VERSION}/%2e%2e%2fpage.py", f"{VERSION}/..%5cpage.py"):
        assert client.get(f"/static/{path}").status == 404
    assert len(page.body) + sum(len(gzip.compress(data)) for data in FILES.values()) < 29_500


def test_each_page_allows_its_own_scripts_only(client: Client) -> None:
    answers = [client.get("/", Accept="text/html") for _ in range(2)]
    nonces = [re.findall("'nonce-([^']+)'", answer.headers["Content-Security-Policy"]) for answer in answers]
    assert nonces[0] != nonces[1]
    for answer, nonce in zip(answers, nonces, strict=True):
        policy = answer.headers["Content-Security-Policy"]
        assert "unsafe" not in policy and "script-src 'nonce-" in policy and "trusted-types 'none'" in policy
        tags = re.findall("<(?:script|link rel=.(?:stylesheet|modulepreload).)[^>]*>", answer.body.decode())
        assert tags and all(f'nonce="{nonce[0]}"' in tag for tag in tags)
