"""The page with a keyboard and a screen reader, on a phone and on paper."""

import time
from pathlib import Path
from typing import Any

import pytest

from tests.server.browser import (
    AXE,
    PHONE,
    Open,
    active,
    expect_count,
    expect_first,
    first,
    search,
    violations,
    wait_until,
)
from tests.server.conftest import NAMES, Client, Serve


@pytest.mark.skipif(not AXE.is_file(), reason="needs axe-core, of npm")
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_wrong(open_page: Open, client: Client, serve: Serve, scheme: str, tmp_path: Path) -> None:
    page = open_page(client, color_scheme=scheme)
    expect_count(page, len(NAMES) + 1)
    page.locator("#timeline summary").first.click()
    assert violations(page) == []
    search(page, "a house")
    expect_first(page, "house.jpg")
    assert violations(page) == []
    first(page).click()
    page.locator("#detail").wait_for()
    assert violations(page) == []
    page.get_by_role("button", name="More like this").click()
    page.locator(".chip").wait_for()
    assert violations(page) == []
    page.set_viewport_size(PHONE)
    assert violations(page) == []
    page.get_by_role("button", name="Filters").click()
    assert violations(page) == []
    page.get_by_label("Before").fill("1999-01-01")
    page.get_by_role("heading", name="No images there").wait_for()
    assert violations(page) == []
    page = open_page(serve(store=str(tmp_path / "none")), expects="404", color_scheme=scheme)
    page.get_by_role("heading", name="Nothing is indexed yet").wait_for()
    assert violations(page) == []
    page = open_page(serve(token="sesame"), expects="401", color_scheme=scheme)
    page.locator("#login").wait_for()
    assert violations(page) == []
    page = open_page(client, "/docs", color_scheme=scheme)
    assert violations(page) == []
    page.set_viewport_size(PHONE)
    assert violations(page) == []


def test_the_search_box_has_the_focus_and_the_title_says_the_search(open_page: Open, client: Client) -> None:
    page = open_page(client)
    expect_count(page, len(NAMES) + 1)
    assert (active(page), page.title()) == ("text", "NumPyCLIP")
    search(page, "a house")
    expect_first(page, "house.jpg")
    assert (active(page), page.title()) == ("text", "a house \N{EN DASH} NumPyCLIP")


def test_the_focus_never_falls_to_the_body(open_page: Open, client: Client) -> None:
    page = open_page(client)
    page.get_by_role("button", name="a red car").click()
    page.get_by_text("the nearest first").wait_for()
    assert active(page) == first(page).get_attribute("title")
    for button in ("More like this", "Add to the search"):
        page.locator(".tile").nth(3).click()
        page.get_by_role("button", name=button).click()
        page.get_by_text("the nearest first").wait_for()
        page.locator("body:not(.busy)").wait_for()
        assert active(page) == first(page).get_attribute("title")
    for left in (1, 0):
        page.locator(".chip button").first.click()
        expect_chips(page, left)
        assert page.evaluate("document.activeElement.matches('.chip button, #text')")
    page.get_by_role("button", name="Clear").click()
    assert active(page) == "text"
    page.locator("#skip").focus()
    page.keyboard.press("Enter")
    assert active(page) == "grid"


def expect_chips(page: Any, count: int) -> None:
    page.locator(".chip").nth(count).wait_for(state="detached")


def test_what_has_the_focus_is_not_under_the_header(open_page: Open, serve: Serve, many: str) -> None:
    page = open_page(serve(store=many), "/?q=a+house")
    page.locator(".tile").nth(59).wait_for()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("End")
    bottom = page.locator("header").bounding_box()["height"]
    for _ in range(6):
        page.keyboard.press("ArrowUp")
        assert page.evaluate("document.activeElement.getBoundingClientRect().top") >= bottom


def test_what_has_the_focus_is_not_under_the_bar_of_what_is_selected(open_page: Open, serve: Serve, many: str) -> None:
    page = open_page(serve(store=many), "/?q=a+house")
    page.set_viewport_size(PHONE)
    page.locator(".tile").nth(59).wait_for()
    page.keyboard.press("ArrowDown")
    for _ in range(12):
        page.keyboard.press("ArrowDown")
    page.keyboard.press("x")
    page.locator("#bar").wait_for()
    assert page.locator("#bar").bounding_box()["height"] < 80
    wait_until(
        page,
        """document.activeElement.matches(".tile") && document.activeElement.getBoundingClientRect().bottom
        <= document.querySelector("#bar").getBoundingClientRect().top""",
    )


def test_dialogs_have_the_focus_where_it_is_seen(open_page: Open, client: Client) -> None:
    page = open_page(client, "/?q=a+house")
    expect_first(page, "house.jpg")
    first(page).focus()
    page.keyboard.press("Enter")
    page.locator("#shut:focus").wait_for()
    page.keyboard.press("Escape")
    page.locator("#detail").wait_for(state="hidden")
    assert active(page) == "house.jpg"
    page.get_by_text("More filters").click()
    page.locator("#map").focus()
    page.keyboard.press("Enter")
    page.locator("#places [data-close]:focus").wait_for()
    page.get_by_text("No image says where it was taken.").wait_for()
    assert page.locator("#places [data-close]").bounding_box()["y"] < 200
    page.keyboard.press("Escape")
    assert active(page) == "map"


def test_thumbnails_have_names_that_say_something(open_page: Open, client: Client) -> None:
    page = open_page(client, "/?q=a+house")
    expect_first(page, "house.jpg")
    tags: dict[str, str] = {}
    deadline = time.monotonic() + 60
    while not tags:  # the vocabulary is embedded meanwhile
        assert time.monotonic() < deadline
        matches = client.get("/search?q=a+house&tags=1").json["matches"]
        tags = {match["name"]: match["tag"] for match in matches if "tag" in match}
    page.reload()
    expect_first(page, "house.jpg")
    page.get_by_role("button", name=f"{tags['house.jpg']}, 1 May 2021").wait_for()
    assert all(image.get_attribute("alt") for image in page.locator(".tile img").all())


def test_on_a_phone_the_header_takes_a_line(open_page: Open, client: Client) -> None:
    page = open_page(client, "/?q=a+house")
    page.set_viewport_size(PHONE)
    expect_first(page, "house.jpg")
    assert page.locator("header").bounding_box()["height"] <= 64
    assert page.get_by_label("Folder").is_hidden()
    fold = page.get_by_role("button", name="Filters")
    assert fold.get_attribute("aria-expanded") == "false"
    fold.click()
    assert fold.get_attribute("aria-expanded") == "true"
    page.get_by_label("From").fill("2027-01-01")
    page.locator(".tile").nth(2).wait_for(state="detached")


@pytest.mark.parametrize("width", [320, 390, 1280])
def test_the_page_has_one_heading_and_nothing_moves(open_page: Open, client: Client, width: int) -> None:
    page = open_page(client, "about:blank")
    page.set_viewport_size({"width": width, "height": 844})
    page.goto(f"http://127.0.0.1:{client.port}/")
    expect_count(page, len(NAMES) + 1)
    page.wait_for_load_state("networkidle")
    assert page.get_by_role("heading", level=1).all_inner_texts() == ["NumPyCLIP"]
    shifts = page.evaluate(
        """() => new Promise(resolve => {
            const shifts = [];
            new PerformanceObserver(list => {
                for (const {value, sources} of list.getEntries()) {
                    shifts.push([value, ...sources.map(({node}) => node?.id || node?.className || node?.nodeName)]);
                }
            }).observe({type: "layout-shift", buffered: true});
            requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(() => resolve(shifts))));
        })"""
    )
    assert sum(shift for shift, *_ in shifts) < 0.005, shifts


def test_on_paper_there_are_pictures_and_their_names(open_page: Open, client: Client) -> None:
    page = open_page(client, "/?q=a+house", media="print")
    first(page).wait_for()
    assert page.locator("header").is_hidden()
    assert page.locator(".caption").first.inner_text() == "house.jpg"
    assert page.get_by_role("status").is_visible()
