"""The page's history in a real browser: where going back leads."""

from typing import Any

from tests.server.browser import Open, active, drop, expect_count, expect_first, first, search, wait_until
from tests.server.conftest import Client, Png, Serve


def test_going_back_closes_an_open_picture(open_page: Open, client: Client) -> None:
    page = open_page(client)
    search(page, "a house")
    expect_first(page, "house.jpg")
    first(page).click()
    page.get_by_role("dialog", name="house.jpg").wait_for()
    page.get_by_role("button", name="Next").click()
    page.go_back()
    page.locator("#detail").wait_for(state="hidden")
    assert page.title() == "a house \N{EN DASH} NumPyCLIP"
    expect_first(page, "house.jpg")
    page.go_forward()
    page.locator("#detail").wait_for()
    page.get_by_role("button", name="Close").click()
    page.locator("#detail").wait_for(state="hidden")
    page.go_back()
    page.get_by_role("heading", name="Search your images with words").wait_for()


def far_down(open_page: Open, serve: Serve, many: str) -> tuple[Any, Any]:
    """Load all results; return the page, and one of the last tiles."""
    page = open_page(serve(store=many), "/?q=a+house")
    page.locator(".tile").nth(59).wait_for()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("End")
    page.locator(".tile").nth(149).wait_for()
    return page, page.locator(".tile").nth(110)


def test_going_back_returns_to_the_place_and_the_rows(open_page: Open, serve: Serve, many: str) -> None:
    page, tile = far_down(open_page, serve, many)
    tile.scroll_into_view_if_needed()
    title, place = tile.get_attribute("title"), page.evaluate("scrollY")
    tile.click()
    asked: list[str] = []
    page.get_by_role("button", name="More like this").click()
    expect_first(page, title)
    assert (active(page), page.evaluate("scrollY")) == (title, 0)
    page.on("request", lambda request: asked.append(request.url))
    page.go_back()
    page.locator(".chip").wait_for(state="detached")
    assert page.locator(".tile").count() == 150
    assert abs(page.evaluate("scrollY") - place) <= 1
    assert active(page) == title
    assert not [url for url in asked if "search" in url]


def test_going_back_to_a_file_that_was_dropped(open_page: Open, client: Client, png: Png) -> None:
    page = open_page(client)
    drop(page, png("cookie"))
    expect_first(page, "cookie.jpg")
    search(page, "a house")
    page.get_by_role("button", name="Leave out dropped.png").click()
    expect_first(page, "house.jpg")
    page.go_back()
    page.locator(".chip").wait_for()
    page.go_back()
    expect_first(page, "cookie.jpg")


def test_a_reload_shows_the_same_search(open_page: Open, client: Client) -> None:
    page = open_page(client, "/?q=a+bird&before=2023-01-01")
    expect_count(page, 3)
    first(page).click()
    page.reload()
    expect_count(page, 3)
    assert page.get_by_label("Before").input_value() == "2023-01-01"


def test_a_reload_shows_the_same_picture(open_page: Open, serve: Serve, many: str) -> None:
    page, tile = far_down(open_page, serve, many)
    title = tile.get_attribute("title")
    tile.click()
    page.get_by_role("dialog", name=title).wait_for()
    entries = page.evaluate("history.length")
    page.reload()
    page.get_by_role("dialog", name=title).wait_for()
    assert page.locator("#next").is_enabled()
    page.get_by_role("button", name="Close").click()
    page.locator("#detail").wait_for(state="hidden")
    assert (active(page), page.evaluate("history.length")) == (title, entries)
    page.go_forward()
    page.get_by_role("dialog", name=title).wait_for()
    page.evaluate("history.replaceState({...history.state, picture: 12345}, '')")  # of an index that has changed
    page.reload()
    page.locator(".tile").nth(59).wait_for()
    wait_until(page, "!history.state.picture")
