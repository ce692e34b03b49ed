"""What a person says of pictures, and several pictures at once, in a real browser."""

import io
import zipfile
from pathlib import Path
from typing import Any

from tests.server.apis.test_library_api import ids
from tests.server.browser import Open, expect_count, expect_first, first, search, violations, wait_until
from tests.server.conftest import PHOTOS, Client, Serve


def test_marks_are_set_on_the_page(open_page: Open, serve: Serve, own_atlas: str) -> None:
    page = open_page(serve(store=own_atlas), expects="400")
    page.locator(".tile[title='berlin.jpg']").click()
    page.get_by_role("button", name="Favourite").click()
    page.locator("#favourite[aria-pressed=true]").wait_for()
    page.get_by_label("Tags").fill("city, river ")
    page.keyboard.press("Tab")
    page.locator("#rating").select_option("4")
    wait_until(page, "document.querySelector('[data-filter=tag]').options.length === 3")
    page.get_by_role("button", name="Close").click()
    page.locator("#detail").wait_for(state="hidden")
    page.get_by_text("More filters").click()
    page.locator("[data-filter=tag]").select_option("river")
    expect_count(page, 1)
    expect_first(page, "berlin.jpg")
    first(page).click()
    page.locator("#rating").wait_for()
    assert page.locator("#rating").input_value() == "4"
    assert page.locator("#tags").input_value() == "city, river"


def test_what_is_typed_stays_while_a_mark_is_set(open_page: Open, serve: Serve, own_atlas: str) -> None:
    page = open_page(serve(store=own_atlas), expects="400")
    page.locator(".tile[title='berlin.jpg']").click()
    held: list[Any] = []
    page.route("**/marks", lambda route: held.append(route))
    with page.expect_request("**/marks"):
        page.get_by_role("button", name="Favourite").click()
    page.locator("#albums").fill("holi")
    held[0].continue_()
    page.locator("#favourite[aria-pressed=true]").wait_for()
    assert page.locator("#albums").input_value() == "holi"


def test_names_of_tags_may_have_commas(open_page: Open, serve: Serve, own_atlas: str) -> None:
    client = serve(store=own_atlas)
    numbers = ids(client)
    for place, *names in (("berlin", "Smith, John"), ("quito", "Smith", "John")):
        for name in names:
            client.post("/marks", {"ids": [numbers[place]], "kind": "tag", "name": name})
    page = open_page(client, expects="400")
    for tile, text, count in (("berlin.jpg", "Smith,  John, holiday", 5), ("quito.jpg", "Smith, John, city", 6)):
        page.locator(f".tile[title='{tile}']").click()
        page.get_by_label("Tags").fill(text)
        page.keyboard.press("Tab")
        wait_until(page, f"document.querySelector('[data-filter=tag]').options.length === {count}")
        page.go_back()
        page.locator("#detail").wait_for(state="hidden")
    tags = {
        match["name"]: match["marks"]["tags"] for match in client.get("/search").json["matches"] if "marks" in match
    }
    assert tags == {
        "berlin.jpg": ["Smith, John", "holiday"],
        "quito.jpg": ["John", "Smith", "city"],
    }


def test_marks_are_seen_wherever_a_picture_was_found(open_page: Open, serve: Serve) -> None:
    page = open_page(serve(), "/?q=a+house")
    expect_first(page, "house.jpg")
    page.get_by_role("button", name="Select", exact=True).click()
    first(page).click()
    search(page, "the house")
    page.locator("body:not(.busy)").wait_for()
    expect_first(page, "house.jpg")
    page.get_by_role("toolbar").get_by_role("button", name="Favourite").click()
    page.get_by_text("1 favourite").wait_for()
    page.get_by_role("button", name="Select", exact=True).click()
    first(page).click()
    page.locator("#favourite[aria-pressed=true]").wait_for()
    page.go_back()
    page.locator("#detail").wait_for(state="hidden")
    page.go_back()
    expect_first(page, "house.jpg")
    first(page).click()
    page.locator("#favourite[aria-pressed=true]").wait_for()


def test_several_pictures_are_chosen(open_page: Open, client: Client, drawings: Path) -> None:
    page = open_page(client, "/?q=a+house")
    expect_first(page, "house.jpg")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name="Select", exact=True).click()
    first(page).click()
    page.locator(".tile").nth(2).click(modifiers=["Shift"])
    page.get_by_text("3 images selected").wait_for()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("x")
    page.get_by_text("4 images selected").wait_for()
    assert violations(page) == []
    with page.expect_download() as download:
        page.get_by_role("toolbar").get_by_role("button", name="Download").click()
    with zipfile.ZipFile(io.BytesIO(Path(download.value.path()).read_bytes())) as archive:
        assert archive.testzip() is None and len(archive.namelist()) == 4
    page.get_by_role("button", name="Copy paths").click()
    page.get_by_role("button", name="Copied").click()
    first(page).focus()
    page.get_by_role("button", name="Copy paths").wait_for()
    copied = page.evaluate("navigator.clipboard.readText()").split("\n")
    assert len(copied) == 4 and all(Path(path).is_relative_to(drawings) for path in copied)
    page.get_by_role("button", name="Classify").click()
    page.locator("#words").fill("house\nbird")
    page.get_by_role("dialog").get_by_role("button", name="Classify").click()
    page.locator("#classified li").nth(1).wait_for()
    counts = [int(row.inner_text().split(": ")[1].split(" ")[0]) for row in page.locator("#classified li").all()]
    assert sum(counts) == 4
    page.get_by_role("button", name="Close").click()
    page.get_by_role("toolbar").get_by_role("button", name="Clear").click()
    assert page.locator("#bar").is_hidden()
    assert page.evaluate("document.activeElement.id") == "choose"


def test_a_range_begins_where_the_key_x_was_pressed(open_page: Open, serve: Serve, many: str) -> None:
    page = open_page(serve(store=many), "/?q=a+house")
    page.locator(".tile").nth(59).wait_for()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("x")
    page.evaluate(
        """() => {
            window.drawn = 0;
            const observer = new MutationObserver(records => { drawn += records.length; });
            observer.observe(document.querySelector("#grid"), {subtree: true, attributeFilter: ["aria-pressed"]});
        }"""
    )
    page.locator(".tile").nth(50).click(modifiers=["Shift"])
    page.get_by_text("50 images selected").wait_for()
    assert page.evaluate("drawn") <= 2 * page.locator(".tile").count()  # each a few times, however many are chosen
    search(page, "a bird")
    page.get_by_text("The nearest 60 of 150 images").wait_for()
    page.locator("body:not(.busy)").wait_for()
    page.locator(".tile[aria-pressed=false]").first.click(modifiers=["Shift"])
    page.get_by_text("51 images selected").wait_for()


def test_pictures_of_an_older_search_cannot_be_chosen(open_page: Open, client: Client) -> None:
    page = open_page(client, "/?q=a+house")
    expect_first(page, "house.jpg")
    page.get_by_role("button", name="Select", exact=True).click()
    page.route("**/search", lambda route: held.append(route))
    held: list[Any] = []
    with page.expect_request("**/search"):
        search(page, "a bird")
    first(page).click()
    held[0].continue_()
    expect_first(page, "bird.jpg")
    assert page.locator("#bar").is_hidden()


def test_pictures_are_downloaded_in_a_local_network(open_page: Open, client: Client) -> None:
    page = open_page(client, f"http://{PHOTOS}:{client.port}/")
    page.get_by_role("button", name="Select", exact=True).click()
    first(page).click()
    with page.expect_download() as download:
        page.get_by_role("toolbar").get_by_role("button", name="Download").click()
    assert zipfile.is_zipfile(download.value.path())


def test_an_error_of_a_download_leaves_the_selection(open_page: Open, client: Client) -> None:
    page = open_page(client)
    page.context.route("**/download", lambda route: route.fulfill(status=503, body="too many"))
    page.get_by_role("button", name="Select", exact=True).click()
    first(page).click()
    with page.context.expect_page() as opened:
        page.get_by_role("toolbar").get_by_role("button", name="Download").click()
    opened.value.get_by_text("too many").wait_for()
    page.get_by_text("1 image selected").wait_for()


def test_what_a_server_does_not_do_is_not_offered(open_page: Open, serve: Serve, atlas: str) -> None:
    page = open_page(serve(store=atlas, originals=False, marks=False), expects="400")
    page.get_by_role("button", name="Select", exact=True).click()
    first(page).click()
    bar = page.get_by_role("toolbar")
    bar.get_by_role("button", name="Copy paths").wait_for()
    bar.get_by_role("button", name="Favourite").wait_for(state="hidden")
    names = [button.inner_text() for button in bar.get_by_role("button").all()]
    assert names == ["All loaded", "Copy paths", "Classify …", "Clear"]
    bar.get_by_role("button", name="Clear").click()
    first(page).click()
    page.locator("#detail").wait_for()
    assert page.locator("#marks").is_hidden()


def test_all_that_is_loaded_is_rated_and_marks_are_removed(open_page: Open, serve: Serve, own_atlas: str) -> None:
    client = serve(store=own_atlas)
    client.post("/marks", {"ids": [ids(client)["berlin"]], "kind": "tag", "name": "city"})
    page = open_page(client, expects="400")
    expect_count(page, 4)
    page.get_by_role("button", name="Select", exact=True).click()
    first(page).click()
    page.get_by_role("button", name="All loaded").click()
    page.get_by_text("4 images selected").wait_for()
    page.get_by_role("button", name="Marks …").click()
    page.get_by_role("button", name="3 ★").click()
    page.get_by_text("4 images: rating 3").wait_for()
    assert violations(page) == []
    page.get_by_role("button", name="Remove tag city").click()
    page.get_by_text("4 images: no tag city").wait_for()
    assert [button.inner_text() for button in page.locator("#removable button").all()] == ["Remove rating"]
    assert page.evaluate("document.activeElement.textContent") == "1 ★"
    marks = [match["marks"] for match in client.get("/search").json["matches"]]
    assert [(mark["rating"], mark["tags"]) for mark in marks] == [(3, [])] * 4


def test_over_plain_http_paths_are_shown_to_be_copied(open_page: Open, client: Client, drawings: Path) -> None:
    page = open_page(client, f"http://{PHOTOS}:{client.port}/?q=a+house")
    expect_first(page, "house.jpg")
    page.get_by_role("button", name="Select", exact=True).click()
    first(page).click()
    page.get_by_role("button", name="Copy paths").click()
    page.locator("#copying").wait_for()
    assert page.evaluate("getSelection().toString()") == str(drawings / "more" / "house.jpg")
    assert violations(page) == []
    page.keyboard.press("Escape")
    page.locator("#copying").wait_for(state="hidden")
    page.get_by_role("toolbar").get_by_role("button", name="Clear").click()
    first(page).click()
    page.get_by_role("button", name="Copy path").click()
    page.locator("#copying").wait_for()
    page.get_by_role("dialog").get_by_role("button", name="Close").last.click()
    page.locator("#detail").wait_for()
