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
