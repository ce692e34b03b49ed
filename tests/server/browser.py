"""The page in a real browser: Playwright with Chromium, as Debian's package chromium brings it.

axe-core is in no package of Python's: ``npm install axe-core`` puts it into ``node_modules``; `AXE_CORE` names
``axe.min.js`` elsewhere.
"""

import base64
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

Open = Callable[..., Any]

AXE = Path(os.environ.get("AXE_CORE") or Path(__file__).parents[2] / "node_modules/axe-core/axe.min.js")
PHONE = {"width": 390, "height": 844}


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


def wait_until(page: Any, condition: str) -> None:
    """Wait for a condition in JavaScript, for a minute: the page's policy forbids Playwright's own way."""
    page.evaluate(
        f"""() => new Promise((resolve, reject) => {{
            setTimeout(reject, 60_000);
            const look = () => ({condition}) ? resolve() : requestAnimationFrame(look);
            look();
        }})"""
    )


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


def active(page: Any) -> str:
    title: str = page.evaluate("document.activeElement.title || document.activeElement.id")
    return title


def violations(page: Any) -> list[str]:
    """What axe finds wrong; nothing without axe."""
    if not AXE.is_file():
        return []
    if not page.evaluate("typeof axe === 'object'"):
        page.evaluate(AXE.read_text("utf-8"))
    rules = "{'label-content-name-mismatch': {enabled: true}}"  # which axe calls experimental
    found = page.evaluate(f"axe.run(document, {{resultTypes: ['violations'], rules: {rules}}})")
    return [f"{problem['id']}: {[node['html'] for node in problem['nodes']]}" for problem in found["violations"]]
