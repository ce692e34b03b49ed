"""The page as a library in a real browser: dates, places, marks, and several pictures at once."""

import re
import shutil
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import pytest

from numpyclip.dual_encoder.clip import CLIP
from numpyclip.images.exif import Exif
from numpyclip.index import Index
from tests.index.filled import made_index
from tests.server.browser import PHONE, Open, expect_count, expect_first, first, search, violations, wait_until
from tests.server.conftest import Serve
from tests.videos.made_videos import GREEN, RED, scenes, write_video


def test_one_jumps_to_a_month(open_page: Open, serve: Serve, many: str) -> None:
    page = open_page(serve(store=many))
    page.get_by_text("The newest").or_(page.get_by_text("the newest first")).first.wait_for()
    page.get_by_text("2024", exact=True).click()
    page.get_by_role("button", name="Mar 2024, 28 images").click()
    page.get_by_text("from March 2024 back").wait_for()
    assert first(page).get_attribute("title") == "083.jpg"
    assert "from=2024-03" in page.url
    page.go_back()
    page.locator(".tile[title='149.jpg']").wait_for()
    page.set_viewport_size(PHONE)
    page.get_by_role("button", name="Filters").click()
    page.get_by_text("More filters").click()
    page.get_by_role("button", name="Mar 2024, 28 images").click()
    page.locator(".tile[title='083.jpg']:focus").wait_for()
    wait_until(page, "document.activeElement.getBoundingClientRect().bottom <= innerHeight")


@pytest.mark.parametrize("width", [390, 1280])
def test_headings_tell_the_month(open_page: Open, serve: Serve, many: str, width: int) -> None:
    page = open_page(serve(store=many))
    page.set_viewport_size({"width": width, "height": 844})
    months = ("June", "May", "April", "March", "February", "January")
    page.get_by_role("heading", name="June 2024", level=2).wait_for()
    while page.locator(".tile").count() < 150:
        page.locator(".tile").last.scroll_into_view_if_needed()
    assert page.locator("#grid h2").all_inner_texts() == [f"{month} 2024" for month in months]
    assert page.locator("#grid > li").first.inner_text() == "June 2024"
    page.locator(".tile[title='070.jpg']").evaluate("tile => tile.scrollIntoView({block: 'center'})")
    top = page.locator("header").bounding_box()["height"]
    assert page.locator("#grid h2", has_text="March 2024").bounding_box()["y"] == pytest.approx(top, abs=1)
    for place, name in ((page.locator("#choose"), "Select"), (page.locator("#timeline button").first, "Newest")):
        box = place.bounding_box()
        middle = f"{box['x'] + box['width'] / 2}, {box['y'] + box['height'] / 2}"
        assert page.evaluate(f"document.elementFromPoint({middle}).textContent") == name
    assert violations(page) == []
    page.get_by_role("button", name="Select", exact=True).click()
    page.locator(".choosing").wait_for()
    search(page, "a house")
    page.get_by_text("The nearest 60 of 150 images").wait_for()
    assert page.locator("#grid h2").count() == 0


def test_folders_are_named_from_those_that_are_indexed_on(
    open_page: Open, serve: Serve, tiny: CLIP, tmp_path: Path, drawings: Path
) -> None:
    roots = [tmp_path / "old" / "photos", tmp_path / "photos", tmp_path / "scans"]
    for root, within in ((roots[0], "2019/05"), (roots[1], "2020"), (roots[2], "a/b/c"), (roots[2], "a b")):
        (root / within).mkdir(parents=True)
        shutil.copy(drawings / "bird.jpg", root / within)
    with Index(tmp_path / "store", tiny, create=True) as index:
        index.update(roots)
    page = open_page(serve(store=str(tmp_path / "store")))
    wait_until(page, "document.querySelector('[data-filter=folder]').options.length === 11")
    space = 3 * "\N{NO-BREAK SPACE}"
    assert [
        option.evaluate("option => option.text") for option in page.locator("[data-filter=folder] option").all()
    ] == [
        *("all", str(roots[0]), f"{space}2019", f"{space * 2}05", str(roots[1]), f"{space}2020"),
        *("scans", f"{space}a", f"{space * 2}b", f"{space * 3}c", f"{space}a b"),
    ]
    page.get_by_label("Folder").select_option(str(roots[0] / "2019"))
    expect_count(page, 1)
    assert page.url.endswith(f"folder={quote(str(roots[0] / '2019'), safe='')}")


def test_places_cameras_and_near_duplicates(open_page: Open, serve: Serve, atlas: str) -> None:
    page = open_page(serve(store=atlas), expects="400")
    expect_count(page, 4)
    page.get_by_text("More filters").click()
    page.get_by_label("Camera").select_option("Camera 1")
    expect_count(page, 2)
    page.get_by_role("button", name="Clear").click()
    expect_count(page, 4)
    page.get_by_label("Near duplicates").select_option("1")
    expect_count(page, 3)
    page.get_by_label("Near duplicates").select_option("")
    expect_count(page, 4)
    page.get_by_text("2024", exact=True).click()
    page.get_by_role("button", name="Jan 2024, 1 image").click()
    expect_count(page, 1)
    page.get_by_role("button", name="Places").click()
    page.get_by_role("button", name="2 images at 52.5, 13.2").click()
    expect_count(page, 2)
    page.go_back()
    expect_count(page, 1)
    page.go_back()
    expect_count(page, 4)
    page.locator(".tile[title='quito.jpg']").click()
    page.get_by_role("button", name="Taken nearby").click()
    expect_count(page, 1)
    assert violations(page) == []


def test_places_do_not_cover_each_other(open_page: Open, serve: Serve, atlas: str) -> None:
    page = open_page(serve(store=atlas), expects="400")
    page.set_viewport_size(PHONE)
    corners = [(south, west) for south in range(40, 60, 2) for west in (*range(-180, 0, 40), *range(0, 20, 3), 179)]
    places = [
        {"south": south, "west": west, "north": south + 1, "east": west + 1, "latitude": south, "longitude": west}
        for south, west in corners
    ]
    counted = [{**place, "pictures": 1 + n % 20} for n, place in enumerate(places)]
    page.route("**/places?*", lambda route: route.fulfill(json={"places": counted}))
    page.get_by_role("button", name="Filters").click()
    page.get_by_text("More filters").click()
    page.get_by_role("button", name="Places").click()
    page.locator(".cell").first.wait_for()
    cells = [(cell.bounding_box(), cell.inner_text()) for cell in page.locator(".cell").all()]
    assert sum(int(text) for _, text in cells) == sum(place["pictures"] for place in counted)
    assert all(box["x"] >= 0 and box["x"] + box["width"] <= PHONE["width"] for box, _ in cells)
    for n, (one, _) in enumerate(cells):
        for other, _ in cells[:n]:
            assert abs(one["x"] - other["x"]) >= one["width"] or abs(one["y"] - other["y"]) >= one["height"]
    page.locator(".cell").last.click()
    page.get_by_role("heading", name="No images there").wait_for()


def test_it_is_said_that_names_of_places_are_loading(
    open_page: Open, serve: Serve, atlas: str, gazetteer: None
) -> None:
    page = open_page(serve(store=atlas), expects="400")
    expect_count(page, 4)
    page.locator("body.has-towns").wait_for()
    held: list[Any] = []
    page.route("**/places?*names=1", lambda route: held.append(route))
    page.get_by_text("More filters").click()
    with page.expect_request("**/places?*names=1"):
        page.get_by_role("button", name="Places").click()
    page.get_by_text("Names are loading …").wait_for()
    held[0].continue_()
    page.get_by_text("Names are loading …").wait_for(state="detached")
    page.get_by_text("How many images were taken where, north above.").wait_for()


def test_pictures_of_a_town(open_page: Open, serve: Serve, atlas: str, gazetteer: None) -> None:
    page = open_page(serve(store=atlas), expects="400")  # of thumbnails
    expect_count(page, 4)
    page.locator("body.has-towns").wait_for()
    page.get_by_text("More filters").click()
    page.get_by_role("button", name="Places").click()
    page.get_by_role("button", name="Quito, Ecuador: 1 image").wait_for()
    assert page.locator("#towns").evaluate("list => getComputedStyle(list).display") == "flex"
    assert violations(page) == []
    page.get_by_label("Town", exact=True).fill("potsdam")
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Potsdam, Germany: 1 image").click()
    expect_count(page, 1)
    expect_first(page, "potsdam.jpg")
    first(page).click()
    page.locator("#known dd").get_by_text("Potsdam, Germany", exact=True).wait_for()


def test_near_duplicates_are_left_out_on_later_pages(open_page: Open, serve: Serve, many: str) -> None:
    client = serve(store=many)
    matches = client.get("/search?group=1&n=150").json["matches"]
    firsts = sum(match["like"] == match["id"] for match in matches)
    assert firsts < 60
    page = open_page(client, "/?group=1")
    page.get_by_text(f"{firsts} images, the newest first").wait_for()
    expect_count(page, firsts)
    assert sum(map(int, page.locator(".alike").all_inner_texts())) == 150 - firsts


def test_a_video_plays_from_the_moment_that_was_found(
    open_page: Open, serve: Serve, tiny: CLIP, tmp_path: Path
) -> None:
    pytest.importorskip("av", reason="the extra numpyclip[video] is not installed")
    path = str(write_video(tmp_path / "clip.webm", scenes((2, RED), (2, GREEN), rate=10), codec="libvpx"))
    one, other = tiny.embed_texts(["a house", "a bird"])
    client = serve(store=one_file(tmp_path, tiny, path, {"0.5": other, "2.5": one}))
    page = open_page(client, "/?q=a+house")
    first(page).get_by_text("at 0:02", exact=True).wait_for()
    assert page.locator(".tile img").evaluate(COLOUR) == "green"
    first(page).click()
    wait_until(page, "document.querySelector('#film').currentTime >= 2.5")
    wait_until(page, "document.querySelector('#film').currentTime > 2.6")  # it plays
    page.get_by_role("button", name="0:00").click()
    wait_until(page, "document.querySelector('#film').currentTime < 2")
    page.locator("#film").focus()
    page.evaluate("() => { window.onkeydown = event => { window.isTaken = event.defaultPrevented; }; }")
    page.keyboard.press("ArrowLeft")
    assert page.evaluate("isTaken") is False  # the player seeks
    page.go_back()
    page.locator("#detail").wait_for(state="hidden")
    assert page.locator("#film").get_attribute("src") is None
    first(page).click()
    page.get_by_role("button", name="More like this").click()
    page.locator(".chip").wait_for()
    key = client.get("/search?q=a+house").json["matches"][0]["key"]
    assert page.url.endswith(f"?near={key}%402.5")
    page.reload()
    assert page.locator(".chip img").evaluate(COLOUR) == "green"
    page.locator(".found").get_by_text("at 0:02").wait_for()
    page.goto(f"http://127.0.0.1:{client.port}/")
    page.get_by_text("video", exact=True).wait_for()  # of which nothing was looked for


def test_a_video_that_the_browser_cannot_play_is_a_picture(
    open_page: Open, serve: Serve, tiny: CLIP, tmp_path: Path
) -> None:
    pytest.importorskip("av", reason="the extra numpyclip[video] is not installed")
    path = str(write_video(tmp_path / "clip.avi", scenes((2, GREEN)), codec="mpeg4"))
    page = open_page(serve(store=one_file(tmp_path, tiny, path, {"0.5": tiny.embed_texts(["a bird"])[0]})))
    first(page).click()
    page.locator("#film").wait_for(state="hidden")
    page.get_by_text("This browser cannot play the video.").wait_for()
    assert violations(page) == []
    assert page.locator("#large").evaluate(COLOUR) == "green"


def test_where_in_a_picture_it_was_found(
    open_page: Open, serve: Serve, tiny: CLIP, drawings: Path, tmp_path: Path
) -> None:
    texts = ["a bird", "a house", "a cookie", "a camera"]
    parts = dict(zip(("", "left", "right-2", "pad"), tiny.embed_texts(texts), strict=True))
    page = open_page(serve(store=one_file(tmp_path, tiny, str(drawings / "bird.jpg"), parts)))
    for text, words in zip(texts[1:], ("left part", "part 2 from the right", "whole image"), strict=True):
        search(page, text)
        page.get_by_role("button", name=re.compile(f" found in (the )?{words}$")).click()
        assert words in page.locator("#known").inner_text()
        page.go_back()
        page.locator("#detail").wait_for(state="hidden")
    search(page, texts[0])
    page.locator(".found").wait_for(state="detached")


COLOUR = """image => image.decode().then(() => {
    const canvas = Object.assign(document.createElement("canvas"), {width: 1, height: 1}).getContext("2d");
    canvas.drawImage(image, 0, 0, 1, 1);
    const [red, green] = canvas.getImageData(0, 0, 1, 1).data;
    return red > green ? "red" : "green";
})"""


def one_file(folder: Path, tiny: CLIP, path: str, embeddings: dict[str, np.ndarray]) -> str:
    """Make an index of a file whose parts have these embeddings."""
    return made_index(str(folder / "store"), tiny, {path: (Exif(64, 64), embeddings)})


@pytest.mark.parametrize("strips", [True, False], ids=["a proxy that strips", "a proxy that does not"])
def test_the_page_below_a_path(open_page: Open, serve: Serve, strips: bool) -> None:
    client = serve(token="sesame", url_prefix="" if strips else "/photos", mounted="/photos" if strips else "")
    page = open_page(client, "/photos/?q=a+house", expects="401")
    page.get_by_role("textbox", name="This server asks for a token.").fill("sesame")
    page.keyboard.press("Enter")
    expect_first(page, "house.jpg")
    wait_until(page, "document.querySelector('.tile img').naturalWidth === 64")
    first(page).click()
    assert (
        page.get_by_role("link", name="Original").evaluate("link => new URL(link.href).pathname").startswith("/photos/")
    )
    assert "/photos/?q=a+house" in page.url


def test_the_original_of_a_video_plays(open_page: Open, serve: Serve, tiny: CLIP, tmp_path: Path) -> None:
    pytest.importorskip("av", reason="the extra numpyclip[video] is not installed")
    path = str(write_video(tmp_path / "clip.webm", scenes((2, RED), rate=10), codec="libvpx"))
    client = serve(store=one_file(tmp_path, tiny, path, {"0.5": tiny.embed_texts(["a bird"])[0]}))
    page = open_page(client)
    address = client.get("/search").json["matches"][0]["original"]
    page.goto(f"http://127.0.0.1:{client.port}/{address}")
    video = page.wait_for_selector("video")
    assert any(video.evaluate("video => video.readyState") for _ in range(10_000))  # nothing runs in a sandbox


def test_the_last_month_of_all_is_browsed(open_page: Open, serve: Serve, tiny: CLIP, tmp_path: Path) -> None:
    pictures = {
        f"/photos/{taken}.jpg": (Exif(4, 3, f"{taken}-31T12:00:00"), {"": embedding})
        for taken, embedding in zip(("9999-12", "2024-01"), tiny.embed_texts(["a", "b"]), strict=True)
    }
    page = open_page(serve(store=made_index(str(tmp_path / "index"), tiny, pictures)), "/?from=9999-12", expects="400")
    expect_first(page, "9999-12.jpg")
