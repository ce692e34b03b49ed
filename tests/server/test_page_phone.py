"""The page on a phone, by touch."""

from typing import Any

import pytest

from tests.server.browser import PHONE, Open, expect_count, expect_first, first, violations, wait_until
from tests.server.conftest import NAMES, Client, Serve


def on_a_phone(page: Any) -> Any:
    """Make a page that of a phone; return what touches it."""
    page.set_viewport_size(PHONE)
    session = page.context.new_cdp_session(page)
    session.send("Emulation.setTouchEmulationEnabled", {"enabled": True, "maxTouchPoints": 5})
    return session


def swipe(session: Any, xs: tuple[int, ...], ys: tuple[int, ...] = (400,)) -> None:
    for n, (x, y) in enumerate(zip(xs, ys * (len(xs) if len(ys) == 1 else 1), strict=True)):
        session.send(
            "Input.dispatchTouchEvent", {"type": "touchMove" if n else "touchStart", "touchPoints": [{"x": x, "y": y}]}
        )
    session.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})


def test_what_is_selected_does_not_widen_the_page(open_page: Open, client: Client) -> None:
    page = open_page(client, "/?q=a+house")
    on_a_phone(page)
    expect_first(page, "house.jpg")
    page.get_by_role("button", name="Select", exact=True).click()
    first(page).click()
    bar = page.get_by_role("toolbar")
    bar.wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]
    box = bar.bounding_box()
    assert (box["x"], box["width"]) == (0, PHONE["width"])
    bar.get_by_role("button", name="Tag").click()
    page.get_by_role("dialog", name="Tag for the selected images").wait_for()
    page.keyboard.press("Escape")
    bar.get_by_role("button", name="Clear").click()
    bar.wait_for(state="hidden")


def test_one_swipes_from_picture_to_picture(open_page: Open, client: Client) -> None:
    page = open_page(client, "/?q=a+house")
    session = on_a_phone(page)
    expect_count(page, len(NAMES) + 1)
    names = [tile.get_attribute("title") for tile in page.locator(".tile").all()]
    first(page).click()
    page.get_by_role("dialog", name=names[0]).wait_for()
    swipe(session, (300, 200, 100))
    page.get_by_role("dialog", name=names[1]).wait_for()
    swipe(session, (300, 290))
    swipe(session, (300, 200, 100))
    page.get_by_role("dialog", name=names[2]).wait_for()
    swipe(session, (100, 200, 300))
    page.get_by_role("dialog", name=names[1]).wait_for()
    swipe(session, (200, 190), (400, 300))
    wait_until(page, "document.querySelector('#detail').scrollTop > 0")
    assert page.locator("#name").inner_text() == names[1]
    page.go_back()
    page.locator("#detail").wait_for(state="hidden")


@pytest.mark.parametrize("size", [(390, 844), (320, 568)])
def test_a_picture_is_as_large_as_the_screen(open_page: Open, serve: Serve, many: str, size: tuple[int, int]) -> None:
    page = open_page(serve(store=many), "/?q=a+house")
    on_a_phone(page)
    page.set_viewport_size({"width": size[0], "height": size[1]})
    page.locator(".tile").nth(1).click()
    page.locator("#large").wait_for()
    box = page.locator("#large").bounding_box()
    assert (box["x"], box["y"], box["width"]) == (0, 0, size[0])
    assert box["height"] >= size[1] - 60
    for name in ("Previous", "Next", "Close"):
        box = page.get_by_role("button", name=name).bounding_box()
        assert box["width"] >= 34 and box["x"] >= 0 and box["x"] + box["width"] <= size[0]
        assert box["y"] >= 0 and box["y"] + box["height"] <= size[1]
    title = page.locator("#name").inner_text()
    page.get_by_role("button", name="Next").click()
    wait_until(page, f"document.querySelector('#name').textContent !== {title!r}")
    assert page.evaluate("document.documentElement.scrollWidth") == size[0]
    assert violations(page) == []
