"""docs/reference/errors.md has every class of errors, and shows messages that the package has."""

import inspect
import re
from functools import cache
from pathlib import Path

import pytest

from numpyclip import errors
from numpyclip.errors import NumPyCLIPError
from numpyclip.extras import missing
from tests.test_messages import MODULES, texts

PAGE = (Path(__file__).parents[1] / "docs" / "reference" / "errors.md").read_text("utf-8")
MESSAGES = re.findall(r"^\| `([^`]+)` \| .+ \| .+ \|$", PAGE.partition("\n## Models")[2], re.MULTILINE)


@cache
def messages() -> list[str]:
    """All texts of the package, and the message of a missing package, which is put together."""
    return [text for path in MODULES for _, text in texts(path)] + [str(missing("", ""))]


def test_the_classes_are_those_of_the_package() -> None:
    def row(kind: type[NumPyCLIPError]) -> str:
        base = kind.__bases__[0]
        built_in = next(each for each in kind.__mro__ if each.__module__ == "builtins")
        derives = f"`{base.__name__}`" if base.__module__ != "builtins" else ""
        meaning = inspect.cleandoc(kind.__doc__ or "").splitlines()[0].replace("``", "`")
        cells = (f"`{kind.__name__}`", derives, f"`{built_in.__name__}`", meaning)
        return re.sub(r"\|  +\|", "| |", f"| {' | '.join(cells)} |")

    classes = [each for each in vars(errors).values() if isinstance(each, type) and issubclass(each, NumPyCLIPError)]
    assert re.findall(r"^\| `\w+` \| (?:`\w+`)? ?\| .*$", PAGE, re.MULTILINE) == [row(kind) for kind in classes]


@pytest.mark.parametrize("message", MESSAGES)
def test_a_message_that_is_shown_is_one_of_the_package(message: str) -> None:
    parts = [part.strip() for part in message.split("…") if part.strip()]
    in_order = re.compile(".*?".join(map(re.escape, parts)), re.DOTALL)
    assert any(in_order.search(text) for text in messages())


def test_messages_of_all_areas_are_shown() -> None:
    assert len(MESSAGES) > 30
