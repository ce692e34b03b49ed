"""Names of files and icons become the captions that fit what they show."""

import json
from pathlib import Path

import pytest


@pytest.fixture
def packages(tmp_path: Path) -> Path:
    base, extra = tmp_path / "emojibase" / "package" / "en", tmp_path / "emojilib" / "package" / "dist"
    (base / "shortcodes").mkdir(parents=True)
    extra.mkdir(parents=True)
    labels = {"0031-FE0F-20E3": "keycap: 1", "1F51F": "keycap: 10", "0023-FE0F-20E3": "keycap: #", "1F380": "ribbon"}
    flags = {"1F1F5-1F1EA": "flag: Peru", "1F3F9": "bow and arrow"}
    entries = [{"hexcode": code, "label": label, "emoji": "x"} for code, label in {**labels, **flags}.items()]
    (base / "data.json").write_text(json.dumps(entries))
    (base / "shortcodes" / "github.json").write_text(json.dumps({"1F3F9": "bow", "1F1F5-1F1EA": "peru"}))
    (extra / "emoji-en-US.json").write_text("{}")
    return tmp_path


def test_numbers_and_signs_of_labels_count(packages: Path) -> None:
    from emoji import EmojiNames  # type: ignore[import-not-found]

    names = EmojiNames(packages)
    assert names.by_name("keycap-1").label == "keycap: 1"
    assert names.by_name("keycap 10").label == "keycap: 10"
    assert names.by_name("keycap") is None
    assert names.by_nickname("keycap") is None


def test_flags_are_called_alike(packages: Path) -> None:
    from emoji import EmojiNames

    names = EmojiNames(packages)
    assert {names.by_name("flag-peru").label, names.by_nickname("flag for peru").label} == {"flag of peru"}


def test_misleading_names_of_files(packages: Path) -> None:
    from emoji import EmojiNames

    assert EmojiNames(packages).by_nickname("bow").label == "ribbon"


def test_a_style_is_one_where_a_set_draws_often_in_it() -> None:
    from drawings import _styles, _without_styles  # type: ignore[import-not-found]

    styles = _styles([*(f"thing{number}-light" for number in range(60)), "traffic-bold"])
    assert styles == {"light"}
    assert _without_styles("cat-light", styles) == "cat"
    assert _without_styles("cat-24-light", styles) == "cat"
    assert _without_styles("traffic-light", frozenset()) == "traffic-light"
    assert _without_styles("light", styles) == "light"


def test_titles_of_clip_art() -> None:
    from drawings import _caption, _title

    assert _title("<dc:title> A red_house </dc:title>") == "A red_house"
    assert _caption("A red_house", "house_01", is_common=False) == "a red house"
    assert _caption("various cliparts", "big_house_nicu_01", is_common=True) == "big house"
    assert _caption("", "big_house_02", is_common=False) == "big house"


def test_clip_art_without_its_licence_is_not_used() -> None:
    from drawings import _is_public_domain

    free = '<cc:license rdf:resource="http://web.resource.org/cc/PublicDomain"/>'
    assert _is_public_domain(free)
    assert not _is_public_domain("<svg/>")
    assert not _is_public_domain(f'{free}<cc:license rdf:resource="http://creativecommons.org/licenses/GPL/2.0/"/>')
