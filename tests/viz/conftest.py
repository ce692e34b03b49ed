"""What is written where: pixels of letters differ between fonts, places do not."""

from typing import Any

import pytest

from numpyclip.viz.fonts import Line

Drawn = list[tuple[Any, ...]]


@pytest.fixture
def drawn_lines(monkeypatch: pytest.MonkeyPatch) -> Drawn:
    """The text, place, colour and anchor of each line that a test draws."""
    lines: Drawn = []

    def draw(line: Line, canvas: object, x: float, y: float, colour: str, anchor: str = "lm") -> None:
        lines.append((line.text, x, y, colour, anchor))

    monkeypatch.setattr(Line, "draw", draw)
    return lines
