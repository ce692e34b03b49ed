"""Make docs/pictures/page.png: the page of a running `numpyclip serve`, as a browser shows it.

    numpyclip serve --store pictures.index --port 8000 &
    python tools/make_page_picture.py http://127.0.0.1:8000 "a car"

Needs Playwright and Chromium. The one in the README shows Twemoji's drawings (CC BY 4.0, jdecked/twemoji), which the
embedded model was not trained on, at 320 pixels a side.
"""

import argparse
import io
from pathlib import Path
from urllib.parse import quote

from PIL import Image
from playwright.sync_api import sync_playwright

OUTPUT = Path(__file__).parents[1] / "docs" / "pictures" / "page.png"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("url")
    parser.add_argument("query")
    given = parser.parse_args()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1240, "height": 720})
        page.goto(f"{given.url}/?q={quote(given.query)}")
        page.locator(".tile").first.wait_for()
        for image in page.locator(".tile img").all()[:24]:
            image.evaluate("image => image.decode()")
        shot = Image.open(io.BytesIO(page.screenshot()))
        browser.close()
    shot.convert("RGB").quantize(128).save(OUTPUT, optimize=True)


if __name__ == "__main__":
    main()
