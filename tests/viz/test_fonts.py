import pytest

from numpyclip.viz import fonts
from numpyclip.viz.fonts import Line, default_font


@pytest.fixture
def only_pillows_font(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fonts, "_FONTS", ())


def test_plain_texts_stay_as_they_are() -> None:
    line = Line.of("a red apple, 12.5%", 15)
    assert line.text == "a red apple, 12.5%"
    assert line.font is default_font(15)


@pytest.mark.usefixtures("only_pillows_font")
@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("日本.png", r"\u65e5\u672c.png"),
        ("дом", r"\u0434\u043e\u043c"),
        ("\U0001f600", r"\U0001f600"),
        ("a\u202eb\x00\x1b[1mc", r"a\u202eb\x00\x1b[1mc"),  # nothing turns the writing around
        ("bad\udcffbyte", r"bad\udcffbyte"),
        ("two\nlines\tof   text", "two lines of text"),
        ("", ""),
    ],
)
def test_what_no_font_has_is_escaped(text: str, shown: str) -> None:
    assert Line.of(text, 13).text == shown


def test_what_is_not_to_be_seen_is_escaped_though_a_font_may_have_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fonts, "_drawn", lambda font, letter: letter)
    assert Line.of("a\u202eb\u200b\x7f", 31).text == r"a\u202eb\u200b\x7f"


@pytest.mark.parametrize(("letters", "expected"), [("ab", 15), ("abx", 15), ("axyz", 99), ("xb", 15)])
def test_of_several_fonts_the_one_that_lacks_fewest_letters_is_chosen(
    monkeypatch: pytest.MonkeyPatch, letters: str, expected: int
) -> None:
    monkeypatch.setattr(fonts, "_FONTS", ("other",))
    monkeypatch.setattr(fonts, "_installed", lambda name, size: default_font(99))
    monkeypatch.setattr(fonts, "_has", lambda font, letter: letter in ("abc" if font is default_font(15) else "xyz"))
    assert Line.of(letters, 15).font is default_font(expected)


def test_a_font_that_has_all_letters_is_preferred() -> None:
    line = Line.of("дом", 13)
    if line.font is default_font(13):
        pytest.skip("no font with Cyrillic letters is installed")
    assert line.text == "дом"


@pytest.mark.parametrize("width", [10, 40, 90, 200])
def test_long_texts_lose_their_middle_and_fit(width: int) -> None:
    text = "photographs-from-the-summer-of-1998.png"
    line = Line.fitted(text, 13, width)
    assert line.width <= max(width, Line.of("...", 13).width)
    start, dots, end = line.text.partition("...")
    assert dots
    assert text.startswith(start)
    assert text.endswith(end)
    if width >= 90:
        one_more = Line.of(text, 13).cut(len(start) + len(end) + 1)
        assert one_more.width > width


def test_short_texts_are_not_cut() -> None:
    assert Line.fitted("cat", 13, 100).text == "cat"
