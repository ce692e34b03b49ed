import base64
import io
import re

import numpy as np
import pytest
from PIL import Image

from numpyclip.viz.terminal import drawn, terminal_protocol


def picture(width: int = 20, height: int = 13) -> Image.Image:
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    return Image.fromarray(pixels)


def test_kitty_takes_a_png_in_chunks() -> None:
    image = picture(90, 60)
    pieces = re.findall(r"\033_G([^;]*);([^\033]*)\033\\", drawn(image, "kitty"))
    assert [keys[-3:] for keys, _ in pieces] == ["m=1"] * (len(pieces) - 1) + ["m=0"]
    assert max(len(data) for _, data in pieces) <= 4096 < sum(len(data) for _, data in pieces)
    with Image.open(io.BytesIO(base64.b64decode("".join(data for _, data in pieces)))) as shown:
        np.testing.assert_array_equal(np.asarray(shown), np.asarray(image))


def test_iterm_takes_a_png_at_once() -> None:
    pattern = r"\033\]1337;File=inline=1;size=(\d+);preserveAspectRatio=1:([^\a]*)\a"
    match = re.fullmatch(pattern, drawn(picture(), "iterm"))
    assert match
    assert len(base64.b64decode(match[2])) == int(match[1])


def test_sixels_make_the_picture_again() -> None:
    flat = Image.new("RGB", (20, 13), "#ff0000")
    flat.paste("#0000ff", (3, 2, 11, 9))
    text = drawn(flat, "sixel")
    match = re.fullmatch(r'\033Pq"1;1;20;13(.*)\033\\', text, re.DOTALL)
    assert match
    np.testing.assert_array_equal(decoded(match[1], 20, 13), np.asarray(flat))


def decoded(sixels: str, width: int, height: int) -> np.ndarray:
    canvas = np.zeros((height + 6, width, 3), np.uint8)
    colours: dict[str, tuple[int, ...]] = {}
    x, y, colour, times = 0, 0, "", 1
    for number, definition, repeat, letter in re.findall(r"#(\d+)((?:;\d+)*)|!(\d+)|([?-~$-])", sixels):
        if definition:
            _, *parts = map(int, definition[1:].split(";"))
            colours[number] = tuple(round(part * 255 / 100) for part in parts)
        elif number:
            colour = number
        elif repeat:
            times = int(repeat)
        elif letter == "$":
            x = 0
        elif letter == "-":
            x, y = 0, y + 6
        else:
            for bit in range(6):
                if (ord(letter) - 63) >> bit & 1:
                    canvas[y + bit, x : x + times] = colours[colour]
            x, times = x + times, 1
    return canvas[:height]


@pytest.mark.parametrize(
    ("environment", "protocol"),
    [
        ({"TERM": "xterm-kitty"}, "kitty"),
        ({"TERM": "xterm-256color", "TERM_PROGRAM": "iTerm.app"}, "iterm"),
        ({"TERM": "foot"}, "sixel"),
        ({"TERM": "xterm-256color"}, None),
        ({"TERM": "xterm-kitty", "TMUX": "1"}, None),
        ({}, None),
    ],
)
def test_the_terminal_is_told_by_the_environment(environment: dict[str, str], protocol: str | None) -> None:
    assert terminal_protocol(environment) == protocol


@pytest.mark.parametrize(
    ("environment", "protocol"),
    [
        ({"TERM": "screen-256color", "KITTY_WINDOW_ID": "1"}, None),
        ({"TERM": "dumb", "KITTY_WINDOW_ID": "1"}, "kitty"),
        ({"TERM": "xterm-ghostty"}, "kitty"),
        ({"TERM": "xterm", "TERM_PROGRAM": "Ghostty"}, "kitty"),
        ({"TERM_PROGRAM": "WezTerm"}, "iterm"),
        ({"TERM_PROGRAM": "mintty"}, "iterm"),
        ({"LC_TERMINAL": "iTerm2"}, "iterm"),
        ({"LC_TERMINAL": "other"}, None),
        ({"TERM": "foot-extra"}, "sixel"),
        ({"TERM": "mlterm"}, "sixel"),
        ({"TERM": "contour-latest"}, "sixel"),
        ({"TERM": "vt340-sixel"}, "sixel"),
        ({"TERM": "barefoot"}, None),
    ],
)
def test_terminals_are_known_by_more_than_one_sign(environment: dict[str, str], protocol: str | None) -> None:
    assert terminal_protocol(environment) == protocol


def test_kitty_is_told_once_what_comes() -> None:
    pieces = re.findall(r"\033_G([^;]*);", drawn(picture(90, 60), "kitty"))
    assert pieces[0] == "a=T,f=100,q=2,m=1"
    assert set(pieces[1:]) <= {"m=1", "m=0"}
    assert re.findall(r"\033_G([^;]*);", drawn(picture(2, 2), "kitty")) == ["a=T,f=100,q=2,m=0"]


def test_sixels_are_sent_run_by_run_in_rounded_percentages() -> None:
    flat = Image.new("RGB", (4, 1), (1, 128, 255))
    assert drawn(flat, "sixel") == '\033Pq"1;1;4;1#0;2;0;50;100#0!4@$-\033\\'
    assert drawn(flat.crop((0, 0, 3, 1)), "sixel") == '\033Pq"1;1;3;1#0;2;0;50;100#0@@@$-\033\\'
