import base64
import hashlib
import io
import json
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

from numpyclip.errors import InputError
from numpyclip.escaping import column_text
from numpyclip.images.decode_options import DecodeOptions
from numpyclip.viz.embedding_map import map_page, principal_components, thumbnail_uri
from tests.picture_files import ORIENTATION

HOSTILE = [
    "</script><script>alert(1)</script>.png",
    '"><img src=x onerror=alert(1)>.png',
    "<!--<script>",
    "</script x.png",
    "a&lt;b&amp;.png",
    "@TITLE@@POLICY@@PICTURES@",
    "line\u2028\u2029\u202e\n\x00.png",
    "\\u003c'`${1}",
    "日本\udcff.png",
]


class Page(HTMLParser):
    """The tags of a page, and the text within each."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, list[str]] = {}
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.texts.setdefault(self.tags[-1][0] if self.tags else "", []).append(data)


def page_of(names: list[str], title: str = "title") -> str:
    return map_page(np.zeros((len(names), 2), np.float32), names, ["data:,"] * len(names), title)


def test_hostile_names_come_back_whole_and_make_no_tags() -> None:
    plain, hostile = Page(page_of(["a.png"])), Page(page_of(HOSTILE))
    assert hostile.tags == plain.tags
    data = re.search(r'id="pictures">(.*?)</script>', page_of(HOSTILE), re.DOTALL)
    assert data is not None
    assert [column_text(name) for _, _, name, _ in json.loads(data[1])] == HOSTILE
    assert not set("<>&") & set(data[1])  # browsers end a script at more than parsers of Python do


@pytest.mark.parametrize("title", HOSTILE)
def test_hostile_titles_make_no_tags(title: str) -> None:
    page = Page(page_of(["a.png"], title))
    assert page.tags == Page(page_of(["a.png"])).tags
    if title.isprintable() and title.isascii():
        assert "".join(page.texts["title"]).startswith(title)


def test_the_page_is_ascii_and_only_its_own_script_and_style_may_run() -> None:
    page = page_of(HOSTILE, HOSTILE[-1])
    assert page.isascii()
    policy = next(attrs["content"] for tag, attrs in Page(page).tags if attrs.get("http-equiv"))
    hashes = {
        tag: base64.b64encode(
            hashlib.sha256(page.split(f"<{tag}>")[1].split(f"</{tag}>")[0].encode()).digest()
        ).decode()
        for tag in ("style", "script")
    }
    allowed = "; ".join(f"{tag}-src 'sha256-{hashes[tag]}'" for tag in ("style", "script"))
    assert policy == f"default-src 'none'; img-src data:; {allowed}"
    assert "http:" not in page
    assert "https:" not in page


def test_places_keep_their_proportions_and_lie_within_one() -> None:
    points = np.array([[0, 0], [-40, 10], [20, 5]], np.float32)
    data = re.search(r'id="pictures">(.*?)</script>', map_page(points, list("abc"), list("xyz"), ""), re.DOTALL)
    assert data is not None
    assert json.loads(data[1]) == [[0, 0, "a", "x"], [-1, 0.25, "b", "y"], [0.5, 0.125, "c", "z"]]


def test_names_and_places_must_be_as_many() -> None:
    with pytest.raises(InputError, match="2 names"):
        map_page(np.zeros((3, 2), np.float32), ["a", "b"], ["x", "y"], "")
    with pytest.raises(InputError, match="2 names and 1 thumbnails"):
        map_page(np.zeros((2, 2), np.float32), ["a", "b"], ["x"], "")


def test_places_that_no_browser_reads_are_refused() -> None:
    with pytest.raises(InputError, match="NaN"):
        map_page(np.array([[0, np.nan]], np.float32), ["a"], ["x"], "")


def test_principal_components_are_the_directions_of_most_variance_with_known_signs() -> None:
    rng = np.random.default_rng(0)
    directions = np.linalg.qr(rng.standard_normal((6, 6)))[0][:2]
    directions *= np.sign(directions[np.arange(2), np.abs(directions).argmax(axis=1)])[:, np.newaxis]
    weights = np.array([[4, 0], [-4, 0], [0, 2], [0, -2]], np.float32)
    points = principal_components(weights @ directions + 7)
    assert points.dtype == np.float32
    np.testing.assert_allclose(points, weights, atol=1e-5)


def test_signs_do_not_hang_on_the_order_of_the_pictures() -> None:
    embeddings = np.random.default_rng(1).standard_normal((50, 16)).astype(np.float32)
    order = np.random.default_rng(2).permutation(50)
    np.testing.assert_allclose(
        principal_components(embeddings)[order], principal_components(embeddings[order]), atol=1e-5
    )


@pytest.mark.parametrize(("n", "e"), [(0, 8), (1, 8), (5, 1)])
def test_few_pictures_have_places_too(n: int, e: int) -> None:
    points = principal_components(np.random.default_rng(0).standard_normal((n, e)))
    assert points.shape == (n, 2)
    assert np.isfinite(points).all()
    assert not points[:, 1].any()


def test_pictures_that_are_all_the_same_lie_in_one_place() -> None:
    embedding = np.random.default_rng(0).standard_normal(512).astype(np.float32)
    assert not principal_components(np.tile(embedding, (7, 1))).any()


@pytest.mark.parametrize("wrong", [[1.0, 2.0], [[np.nan, 1.0]], [[[1.0]]]])
def test_what_are_no_embeddings_is_refused(wrong: list[float]) -> None:
    with pytest.raises(InputError):
        principal_components(wrong)


def test_thumbnails_are_small_pictures_of_their_own() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (300, 900, 3), dtype=np.uint8)
    uri = thumbnail_uri(noise)
    head, _, content = uri.partition(",")
    assert head == "data:image/webp;base64"
    assert len(uri) < 4000  # noise is the worst case
    assert Image.open(io.BytesIO(base64.b64decode(content))).size == (56, 19)


@pytest.mark.parametrize(("options", "size"), [((), (14, 56)), ((DecodeOptions(orient=False),), (56, 14))])
def test_thumbnails_are_turned_as_exif_says(options: tuple[DecodeOptions, ...], size: tuple[int, int]) -> None:
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    file = io.BytesIO()
    Image.new("RGB", (80, 20), "red").save(file, "PNG", exif=exif)
    content = thumbnail_uri(file.getvalue(), *options).partition(",")[2]
    assert Image.open(io.BytesIO(base64.b64decode(content))).size == size


def test_a_map_of_one_place_or_of_none_lies_at_its_middle() -> None:
    assert '"pictures">[]<' in map_page(np.zeros((0, 2), np.float32), [], [], "")
    assert '[[0.0, 0.0, "a.png", "data:,"]]' in page_of(["a.png"])


def test_places_beyond_all_numbers_are_refused() -> None:
    with pytest.raises(InputError, match="infinite"):
        map_page(np.array([[0, 0], [np.inf, 0]], np.float32), ["a", "b"], ["x", "y"], "")
    with pytest.raises(InputError, match=r"2 names for points of shape \(2, 3\)"):
        map_page(np.zeros((2, 3), np.float32), ["a", "b"], ["x", "y"], "")


def test_as_many_components_as_are_asked_for_and_none_of_noise() -> None:
    rows = np.random.default_rng(0).standard_normal((20, 3))
    three = principal_components(rows, 3)
    assert (np.linalg.norm(three, axis=0) > 1).all()
    np.testing.assert_array_equal(three[:, :2], principal_components(rows))
    flat = rows @ np.diag([1, 1e-12, 0])
    assert np.flatnonzero(principal_components(flat, 3).any(axis=0)).tolist() == [0]
