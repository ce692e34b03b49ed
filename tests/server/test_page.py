"""The page in a real browser: searches, the detail view, filters and keys."""

import re
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from numpyclip.dual_encoder.clip import CLIP
from tests.picture_files import encoded
from tests.server.browser import Open, drop, expect_count, expect_first, first, search, wait_until, width_of
from tests.server.conftest import NAMES, Client, Png, Serve


def test_words_find_pictures(open_page: Open, client: Client) -> None:
    page = open_page(client)
    page.get_by_role("heading", name="Search your images with words").wait_for()
    search(page, "a house")
    expect_first(page, "house.jpg")
    assert page.get_by_role("status").inner_text() == f"{len(NAMES) + 1} images, the nearest first"
    assert all(not tile.inner_text() for tile in page.locator(".tile").all())  # no number that seems unsorted
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
    assert page.locator("#known dt").all_inner_texts()[-3:] == ["Match", "Similarity", "File"]
    assert page.get_by_role("link", name="Original").count() == 0
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
    page.get_by_role("heading", name="Search your images with words").wait_for()


def test_a_picture_may_be_chosen_from_a_dialog(open_page: Open, client: Client, png: Png) -> None:
    page = open_page(client)
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Search with an image").click()
    chooser.value.set_files({"name": "mine.png", "mimeType": "image/png", "buffer": png("bomb")})
    expect_first(page, "bomb.jpg")


def test_a_file_that_is_no_picture_is_said_to_be_none(open_page: Open, client: Client) -> None:
    page = open_page(client, expects="400")
    drop(page, b"hello", "notes.txt", "text/plain")
    page.get_by_role("heading", name="notes.txt cannot be searched with").wait_for()
    assert page.evaluate("document.activeElement.id") == "notice"
    drop(page, b"hello", "broken.png")
    page.get_by_role("heading", name="This cannot be searched for").wait_for()
    assert "image: cannot be read as an image" in page.locator("#notice").inner_text()


def test_the_detail_view(open_page: Open, client: Client, drawings: Path) -> None:
    page = open_page(client, "/?q=a+house")
    page.locator(".tile[title='bird.jpg']").click()
    detail = page.get_by_role("dialog", name="bird.jpg")
    detail.wait_for()
    facts = detail.inner_text()
    for fact in (str(drawings / "bird.jpg"), "64 \N{MULTIPLICATION SIGN} 64", "1 May 2020, 12:00:00", "probable"):
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
    page.get_by_role("heading", name="No images there").wait_for()
    page.get_by_role("button", name="Clear").click()
    page.get_by_role("heading", name="Search your images with words").wait_for()
    assert page.get_by_label("From").input_value() == ""


def test_of_gibberish_it_is_said_that_what_is_found_is_chance(open_page: Open, client: Client) -> None:
    page = open_page(client, "/?q=qwxz+grmbl+fjord")
    expect_count(page, len(NAMES) + 1)
    assert "one scores as well by chance" in page.get_by_role("status").inner_text()


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
    page.locator("#detail").wait_for(state="hidden")
    page.keyboard.press("ArrowUp")
    assert page.evaluate("document.activeElement.id") == "text"


def test_a_long_result_is_loaded_as_one_scrolls(open_page: Open, serve: Serve, many: str) -> None:
    page = open_page(serve(store=many), "/")
    asked: list[bool] = []
    page.on(
        "request", lambda request: asked.append("cursor" in request.post_data) if "/search" in request.url else None
    )
    page.get_by_text("The newest").or_(page.get_by_text("the newest first")).first.wait_for()
    search(page, "a house")
    page.get_by_text("The nearest 60 of 150 images").wait_for()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("End")
    page.locator(".tile").nth(149).wait_for()
    titles = [tile.get_attribute("title") for tile in page.locator(".tile").all()]
    assert len(set(titles)) == 150
    assert asked[-2:] == [False, True]  # nothing is fetched twice
    assert page.get_by_role("status").inner_text() == "150 images, the nearest first"


def test_what_is_typed_into_filters_does_not_change_what_is_loaded(open_page: Open, serve: Serve, many: str) -> None:
    page = open_page(serve(store=many), "/?q=a+house")
    page.get_by_text("The nearest 60 of 150 images").wait_for()
    page.get_by_text("More filters").click()
    page.locator("[data-filter=around]").fill("52.5")
    page.evaluate("scrollTo(0, document.body.scrollHeight)")
    page.locator(".tile").nth(149).wait_for()


def test_one_walks_beyond_the_pictures_that_are_loaded(open_page: Open, serve: Serve, many: str) -> None:
    page = open_page(serve(store=many), "/?q=a+house")
    page.get_by_text("The nearest 60 of 150 images").wait_for()
    page.locator(".tile").nth(41).evaluate("tile => tile.click()")
    page.locator(".tile").nth(149).wait_for(state="attached")
    for _ in range(30):
        page.get_by_role("button", name="Next").click()


def test_how_many_of_how_many_are_shown(open_page: Open, serve: Serve, many: str) -> None:
    client = serve(store=many)
    page = open_page(client, "about:blank", expects="net::ERR")
    page.route("**/search", lambda route: route.abort() if "cursor" in route.request.post_data else route.continue_())
    page.goto(f"http://127.0.0.1:{client.port}/?q=a+house")
    page.get_by_text("The nearest 60 of 150 images").wait_for()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("End")
    page.get_by_role("button", name="Load more").wait_for()
    search(page, "a bird")
    page.get_by_role("button", name="Load more").wait_for(state="hidden")
    page.locator("body:not(.busy)").wait_for()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("End")
    page.get_by_role("button", name="Load more").wait_for()
    page.unroute("**/search")
    page.get_by_role("button", name="Load more").click()
    page.locator(".tile").nth(60).and_(page.locator(":focus")).wait_for()
    page.get_by_text("150 images, the nearest first").wait_for()


def test_without_words_filters_browse(open_page: Open, client: Client, drawings: Path) -> None:
    page = open_page(client)
    page.get_by_text(f"{len(NAMES) + 1} images, the newest first").wait_for()
    page.get_by_label("Folder").select_option(str(drawings))
    page.get_by_label("From").fill("2021-01-01")
    page.get_by_label("Before").fill("2026-01-01")
    expect_count(page, 5)
    titles = [tile.get_attribute("title") for tile in page.locator(".tile").all()]
    assert titles == [f"{name}.jpg" for name in NAMES[5:0:-1]]
    assert page.get_by_role("status").inner_text() == "5 images, the newest first"


def test_a_dropped_heic_shows_its_thumbnail(open_page: Open, client: Client, emoji: dict[str, Any]) -> None:
    pytest.importorskip("pillow_heif", reason="writes HEIC files").register_heif_opener()
    page = open_page(client)
    drop(page, encoded(emoji["cookie"].convert("RGB"), "HEIF"), "cookie.heic", "image/heic")
    expect_first(page, "cookie.jpg")
    wait_until(page, "document.querySelector('.chip img').naturalWidth > 0")


def test_originals_are_linked(open_page: Open, client: Client, drawings: Path) -> None:
    page = open_page(client, "/?q=a+house")
    first(page).click()
    with page.expect_download() as download:
        page.get_by_role("link", name="Download").click()
    assert download.value.suggested_filename == "house.jpg"
    assert Path(download.value.path()).read_bytes() == next(drawings.rglob("house.jpg")).read_bytes()
    with page.context.expect_page() as opened:
        page.get_by_role("link", name="Original").click()
    assert opened.value.wait_for_selector("img").evaluate("image => image.naturalWidth") == 64


def test_the_empty_state_and_a_server_that_goes_away(open_page: Open, serve: Serve, tmp_path: Path) -> None:
    page = open_page(serve(store=str(tmp_path / "none")), expects="404")
    page.get_by_role("heading", name="Nothing is indexed yet").wait_for()
    assert "numpyclip index FOLDER" in page.locator("#notice").inner_text()
    page = open_page(serve(), expects="net::ERR")
    page.get_by_role("heading", name="Search your images with words").wait_for()
    page.context.set_offline(True)
    search(page, "a house")
    page.get_by_role("heading", name="The server does not answer").wait_for()
    page.get_by_text("There is no response").wait_for()
    page.get_by_text("More filters").click()
    page.get_by_role("button", name="Places").click()
    page.get_by_role("dialog").get_by_text("There is no response").wait_for()
    page.keyboard.press("Escape")
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
