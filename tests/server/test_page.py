"""The page, in a real browser: Playwright with Chromium, as Debian's package chromium brings it."""

import base64
import os
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from numpyclip.dual_encoder.clip import CLIP
from numpyclip.server.page import page as page_response
from tests.server.conftest import NAMES, Client, Png, Serve

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
HTML = bytes(page_response().body).decode()


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    api = pytest.importorskip("playwright.sync_api")
    if CHROMIUM is None:
        pytest.skip("there is no chromium")
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


Open = Callable[..., Any]


@pytest.fixture
def open_page(browser: Any, serve: Serve) -> Iterator[Open]:
    """Open the page of a server; at the end nothing may have gone wrong in it, but for what a test expects.

    It is closed before servers stop, which it may still be loading images of.
    """
    context = browser.new_context(viewport={"width": 1280, "height": 860})
    context.set_default_timeout(20_000)
    said: list[str] = []

    def open_page(client: Client, path: str = "/", expects: str = "", **options: Any) -> Any:
        page = context.new_page()
        if options:
            page.emulate_media(**options)
        page.on("pageerror", lambda error: said.append(str(error)))

        def heard(message: Any) -> None:
            if message.type in ("error", "warning") and not (expects and expects in message.text):
                said.append(message.text)

        page.on("console", heard)
        page.goto(f"http://127.0.0.1:{client.port}{path}")
        return page

    yield open_page
    context.close()
    assert not said


def search(page: Any, text: str) -> None:
    page.get_by_role("searchbox", name="What to look for").fill(text)
    page.keyboard.press("Enter")


def first(page: Any) -> Any:
    return page.locator(".tile").first


def expect_first(page: Any, name: str) -> None:
    page.locator(f".tile[title='{name}']").and_(first(page)).wait_for()


def expect_count(page: Any, count: int) -> None:
    if count:
        page.locator(".tile").nth(count - 1).wait_for()
    page.locator(".tile").nth(count).wait_for(state="detached")


def width_of(image: Any) -> int:
    image.scroll_into_view_if_needed()
    width: int = image.evaluate("image => image.decode().then(() => image.naturalWidth)")
    return width


def drop(page: Any, data: bytes, name: str = "dropped.png", kind: str = "image/png") -> None:
    page.evaluate(
        """([text, name, type]) => {
            const bytes = Uint8Array.from(atob(text), letter => letter.charCodeAt(0));
            const dataTransfer = new DataTransfer();
            dataTransfer.items.add(new File([bytes], name, {type}));
            for (const kind of ["dragenter", "dragover", "drop"])
                document.body.dispatchEvent(new DragEvent(kind, {dataTransfer, bubbles: true, cancelable: true}));
        }""",
        [base64.b64encode(data).decode(), name, kind],
    )


def test_words_find_pictures(open_page: Open, client: Client) -> None:
    page = open_page(client)
    page.get_by_role("heading", name="Search your pictures with words").wait_for()
    search(page, "a house")
    expect_first(page, "house.jpg")
    score = first(page).locator(".score").inner_text()
    assert re.fullmatch(r"(>?\d+) %", score)
    probability = client.get("/search?q=a+house").json["matches"][0]["probability"]
    assert score == f"{'>99' if 0.995 <= probability < 1 else round(100 * probability)} %"
    assert "with the probability of a match" in page.get_by_role("status").inner_text()
    for image in page.locator(".tile img").all():
        assert width_of(image) == 64
    assert page.locator(".tile").count() == len(NAMES) + 1
    assert page.locator(".tile.broken").count() == 0
    assert "q=a+house" in page.url


def test_what_is_no_file_here_is_shown_by_its_place(open_page: Open, serve: Serve, elsewhere: str) -> None:
    page = open_page(serve(store=elsewhere), "/?q=a+bird")
    expect_first(page, "a.jpg")
    assert [tile.inner_text().split("\n")[0] for tile in page.locator(".tile").all()] == [
        "https://x.org/a.jpg",
        "s3://b/00000.tar/s/000",
    ]
    first(page).click()
    page.locator("#known dd", has_text="https://x.org/a.jpg").wait_for()
    assert page.locator("#known dt").all_inner_texts() == ["Match", "Cosine", "Date", "File"]
    assert page.locator("#large").is_hidden()
    page.get_by_role("button", name="More like this").click()
    expect_count(page, 2)


def test_a_dropped_picture_finds_itself(open_page: Open, client: Client, png: Png) -> None:
    page = open_page(client)
    drop(page, png("cookie"))
    expect_first(page, "cookie.jpg")
    assert page.locator(".chip img[alt='dropped.png']").count() == 1
    assert page.locator("#drop").is_hidden()
    page.get_by_role("button", name="Leave out dropped.png").click()
    page.get_by_role("heading", name="Search your pictures with words").wait_for()


def test_a_picture_may_be_chosen_from_a_dialog(open_page: Open, client: Client, png: Png) -> None:
    page = open_page(client)
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Search with a picture").click()
    chooser.value.set_files({"name": "mine.png", "mimeType": "image/png", "buffer": png("bomb")})
    expect_first(page, "bomb.jpg")


def test_a_file_that_is_no_picture_is_said_to_be_none(open_page: Open, client: Client) -> None:
    page = open_page(client, expects="400")
    drop(page, b"hello", "notes.txt", "text/plain")
    page.get_by_role("heading", name="This is no picture").wait_for()
    drop(page, b"hello", "broken.png")
    page.get_by_role("heading", name="This cannot be searched for").wait_for()
    assert "image: cannot be read as a picture" in page.locator("#notice").inner_text()


def test_the_detail_view(open_page: Open, client: Client, drawings: Path) -> None:
    page = open_page(client, "/?q=a+house")
    page.locator(".tile[title='bird.jpg']").click()
    detail = page.get_by_role("dialog", name="bird.jpg")
    detail.wait_for()
    facts = detail.inner_text()
    for fact in (str(drawings / "bird.jpg"), "64 \N{MULTIPLICATION SIGN} 64", "2020-05-01, 12:00:00", "probable"):
        assert fact in facts
    assert width_of(page.locator("#large")) == 64
    page.keyboard.press("Escape")
    detail.wait_for(state="hidden")
    assert page.evaluate("document.activeElement.title") == "bird.jpg"


def test_more_like_this_and_mixtures(open_page: Open, client: Client) -> None:
    page = open_page(client, "/?q=a+house")
    page.locator(".tile[title='camera.jpg']").click()
    page.get_by_role("button", name="More like this").click()
    expect_first(page, "camera.jpg")
    assert page.locator(".score").count() == 0  # a cosine is no probability
    number = client.get("/search?q=camera").json["matches"]
    (number,) = [match["id"] for match in number if match["name"] == "camera.jpg"]
    assert f"near={number}" in page.url
    page.locator(".tile[title='cookie.jpg']").click()
    page.get_by_role("button", name="Add to the search").click()
    page.locator(".chip").nth(1).wait_for()
    for title in ("camera.jpg", "cookie.jpg"):
        page.locator(f"li:nth-child(-n+2) .tile[title='{title}']").wait_for()
    page.go_back()
    expect_first(page, "camera.jpg")
    assert page.locator(".chip").count() == 1
    page.go_back()
    expect_first(page, "house.jpg")
    assert page.locator(".chip").count() == 0


def test_filters_by_folder_and_date(open_page: Open, client: Client, drawings: Path) -> None:
    page = open_page(client, f"/?q=a+house&folder={quote(str(drawings / 'more'))}")
    expect_count(page, len(NAMES) // 2)
    page.get_by_label("Folder").select_option(str(drawings))
    expect_count(page, len(NAMES) + 1)
    page.get_by_label("From").fill("2021-01-01")
    page.get_by_label("Before").fill("2022-01-01")
    expect_count(page, 1)
    expect_first(page, "house.jpg")
    page.get_by_label("Before").fill("2020-01-01")
    page.get_by_role("heading", name="No pictures there").wait_for()
    page.get_by_role("button", name="Clear").click()
    page.get_by_role("heading", name="Search your pictures with words").wait_for()
    assert page.get_by_label("From").input_value() == ""


def test_gibberish_has_no_match(open_page: Open, client: Client) -> None:
    page = open_page(client, "/?q=qwxz+grmbl+fjord")
    page.get_by_role("heading", name="No match").wait_for()
    assert page.locator(".tile").count() == 0
    page.get_by_role("button", name="Show what is nearest").click()
    first(page).wait_for()


def test_keys(open_page: Open, client: Client) -> None:
    page = open_page(client, "/?q=a+house")
    expect_first(page, "house.jpg")
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.id") == "text"
    page.keyboard.press("ArrowDown")
    titles = [tile.get_attribute("title") for tile in page.locator(".tile").all()]
    active = "document.activeElement.title"
    assert page.evaluate(active) == titles[0]
    page.keyboard.press("ArrowRight")
    assert page.evaluate(active) == titles[1]
    page.keyboard.press("End")
    assert page.evaluate(active) == titles[-1]
    page.keyboard.press("ArrowUp")
    assert page.evaluate(active) in titles[:-1]
    page.keyboard.press("Home")
    page.keyboard.press("Enter")
    page.get_by_role("dialog", name=titles[0]).wait_for()
    page.keyboard.press("ArrowRight")
    page.get_by_role("dialog", name=titles[1]).wait_for()
    page.keyboard.press("ArrowLeft")
    page.get_by_role("dialog", name=titles[0]).wait_for()
    page.keyboard.press("Escape")
    page.keyboard.press("ArrowUp")
    assert page.evaluate("document.activeElement.id") == "text"


def test_a_long_result_is_loaded_as_one_scrolls(
    open_page: Open, serve: Serve, tiny: CLIP, tmp_path: Path, png: Png
) -> None:
    from io import BytesIO

    from PIL import Image

    from numpyclip.index.index import Index

    (tmp_path / "photos").mkdir()
    for number in range(150):
        picture = Image.open(BytesIO(png("house")))
        picture.putpixel((0, 0), (number, 0, 0))
        picture.resize((64 + number, 64)).save(tmp_path / "photos" / f"{number:03}.png")
    with Index(tmp_path / "store", tiny, create=True) as index:
        index.update([tmp_path / "photos"])
    page = open_page(serve(store=str(tmp_path / "store")), "/?q=a+house")
    first(page).wait_for()
    expect_count(page, 60)
    page.keyboard.press("End")
    page.locator(".tile").nth(149).wait_for()
    titles = [tile.get_attribute("title") for tile in page.locator(".tile").all()]
    assert len(set(titles)) == 150


def test_the_empty_state_and_a_server_that_goes_away(open_page: Open, serve: Serve, tmp_path: Path) -> None:
    page = open_page(serve(store=str(tmp_path / "none")), expects="404")
    page.get_by_role("heading", name="Nothing is indexed yet").wait_for()
    assert "numpyclip index FOLDER" in page.locator("#notice").inner_text()
    page = open_page(serve(), expects="net::ERR")
    page.get_by_role("heading", name="Search your pictures with words").wait_for()
    page.context.set_offline(True)
    search(page, "a house")
    page.get_by_role("heading", name="The server does not answer").wait_for()
    page.context.set_offline(False)
    page.get_by_role("button", name="Try again").click()
    expect_first(page, "house.jpg")


def test_a_token_is_asked_for(open_page: Open, serve: Serve) -> None:
    page = open_page(serve(token="sesame"), "/?q=a+house", expects="401")
    box = page.get_by_role("textbox", name="This server asks for a token.")
    for _ in range(3):
        page.keyboard.press("Escape")
        box.wait_for()  # without it nothing can be searched: it asks again
    box.fill("wrong")
    page.keyboard.press("Enter")
    page.get_by_role("alert").wait_for()
    box.fill("sesame")
    page.keyboard.press("Enter")
    expect_first(page, "house.jpg")
    assert width_of(page.locator(".tile img").first) == 64  # they come with the cookie


def test_names_of_files_are_no_html(open_page: Open, serve: Serve, tiny: CLIP, tmp_path: Path, png: Png) -> None:
    from numpyclip.index.index import Index

    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "<img src=x onerror=alert(1)>.png").write_bytes(png("house"))
    with Index(tmp_path / "store", tiny, create=True) as index:
        index.update([tmp_path / "photos"])
    page = open_page(serve(store=str(tmp_path / "store")), "/?q=a+house")
    first(page).click()
    page.get_by_role("dialog", name="<img src=x onerror=alert(1)>.png").wait_for()


@pytest.mark.parametrize("width", [320, 390, 1280])
def test_nothing_is_wider_than_the_screen(open_page: Open, client: Client, width: int) -> None:
    page = open_page(client, "/?q=a+house")
    page.set_viewport_size({"width": width, "height": 800})
    expect_first(page, "house.jpg")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    first(page).click()
    box = page.locator("#detail").bounding_box()
    assert box["x"] >= 0 and box["x"] + box["width"] <= width


def test_everything_that_can_be_used_has_a_name(open_page: Open, client: Client) -> None:
    page = open_page(client, "/?q=a+house")
    expect_first(page, "house.jpg")
    first(page).click()
    for snapshot in (page.locator("body").aria_snapshot(), page.locator("#detail").aria_snapshot()):
        assert not re.search(r"^\s*- (button|searchbox|textbox|combobox|dialog|link|img)\s*:?$", snapshot, re.MULTILINE)


def luminance(colour: str) -> float:
    """Of sRGB (WCAG 2.2, relative luminance)."""
    channels = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_colours_can_be_told_apart(scheme: int) -> None:
    colours = dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6})", "--ground:" + HTML.split("--ground:")[scheme + 1]))
    assert len(colours) == 9
    pairs = [(a, b, 4.5) for a in ("ink", "faint", "wrong", "accent") for b in ("ground", "raised")]
    pairs += [("on-accent", "accent", 4.5), ("line", "ground", 3.0), ("line", "raised", 2.7)]
    for front, back, least in pairs:
        lighter, darker = sorted((luminance(colours[front]), luminance(colours[back])), reverse=True)
        assert (lighter + 0.05) / (darker + 0.05) >= least, (front, back)


def test_the_page_loads_nothing_from_elsewhere() -> None:
    assert set(re.findall(r"https?://[^\s'\"<>%]+", HTML)) <= {"http://www.w3.org/2000/svg"}
    assert not re.search(r"\b(onclick|onload|style)=\"", HTML)
