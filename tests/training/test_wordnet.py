"""WordNet's files give words, meanings and what is a thing."""

from pathlib import Path

import pytest

DATA = """\
  1 This is the licence.
00000001 05 n 01 animal 0 001 ~ 00000002 n 0000 | a living being
00000002 05 n 02 bird 0 fowl 0 002 @ 00000001 n 0000 ~ 00000003 n 0000 | warm-blooded (mostly) animals; "birds fly"
00000003 05 n 01 magpie 0 001 @ 00000002 n 0000 | a noisy bird
00000004 04 n 01 ring 0 001 @ 00000001 n 0000 | a sound
"""
INDEX = """\
animal n 1 1 ~ 1 1 00000001
bird n 1 1 @ 1 1 00000002
fowl n 1 1 @ 1 0 00000002
magpie n 1 1 @ 1 0 00000003
ring n 1 1 @ 1 0 00000004
"""


@pytest.fixture
def packages(tmp_path: Path) -> Path:
    folder = tmp_path / "wordnet" / "usr/share/wordnet"
    folder.mkdir(parents=True)
    (folder / "data.noun").write_text(DATA)
    (folder / "index.noun").write_text(INDEX)
    return tmp_path


def test_words_of_things(packages: Path) -> None:
    from wordnet import WordNet  # type: ignore[import-not-found]

    wordnet = WordNet(packages)
    assert wordnet.words("bird") == ["fowl", "animal"]
    assert wordnet.narrower("animal") == ["bird", "fowl", "magpie"]
    assert wordnet.definition("bird") == "warm-blooded animals"
    assert wordnet.is_thing("birds") and wordnet.is_thing("magpie")


def test_what_no_one_can_see_has_no_synonyms_and_no_definition(packages: Path) -> None:
    from wordnet import WordNet

    wordnet = WordNet(packages)
    assert not wordnet.is_thing("ring") and not wordnet.is_thing("quux")
    assert wordnet.words("ring") == [] and wordnet.definition("ring") == ""


def test_the_dictionary_has_kinds_of_things(packages: Path) -> None:
    from wordnet import WordNet

    entries = dict(WordNet(packages).dictionary())
    assert set(entries) == {"bird", "fowl", "magpie"}  # "animal" is a kind of nothing here, "ring" a sound
    assert entries["magpie"] == ["bird", "a noisy bird"]
