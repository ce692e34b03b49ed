"""What is held out stays out."""

import json
from pathlib import Path

import numpy as np
import pytest


def drawing(caption: str, concept: str = "") -> dict[str, str]:
    return {"cap": caption, "cid": concept or f"icon:{caption}"}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Of these two emoji the first is held out, by its code."""
    for name in ("noto", "twemoji", "openmoji", "fluent-3d"):
        (tmp_path / f"{name}.json").write_text(
            json.dumps([drawing("eyes", "emoji:1F440"), drawing("eye", "emoji:1F441")])
        )
    return tmp_path


def test_a_tenth_of_the_emoji_is_held_out_and_nothing_else() -> None:
    from splits import is_held_out  # type: ignore[import-not-found]

    codes = [f"emoji:{number:X}" for number in range(0x1F300, 0x1F700)]
    assert sum(map(is_held_out, codes)) == 95  # of 1,024, the same for all weights
    assert not is_held_out("icon:eyes")
    assert is_held_out("emoji:1F440") and not is_held_out("emoji:1F441")


def test_icons_of_what_is_held_out_are_too_however_they_are_called(data: Path) -> None:
    from splits import Held, trained_rows

    held = Held(data)
    for caption in ("eyes", "Eyes", "eye", "an eye", "eyes two", "eye one"):
        assert held.has(drawing(caption)) and caption in held
    known = [
        drawing("eye", "emoji:1F441"),
        drawing("eyes", "emoji:1F440"),
        drawing("eye"),
        drawing(" "),
        drawing("dog"),
    ]
    assert trained_rows(known, held) == [0, 4]


def test_names_are_one_but_for_articles_plurals_and_punctuation() -> None:
    from splits import bare

    assert {bare(caption) for caption in ("apple", "An apple", "apples", "the apple.")} == {"apple"}
    for caption in ("a", "s", "the", "?", "two", "apple two", "theatre", "anvil"):  # of which something must be left
        assert bare(caption) == caption
    assert bare("fast-forward buttons") == bare("fast forward button")


def test_ranks_count_what_is_nearer_than_the_nearest_that_is_right() -> None:
    from splits import ranks

    similarity = np.array([[0.9, 0.1, 0.2], [0.5, 0.4, 0.6], [0.8, 0.7, 0.1]])
    assert ranks(similarity, ["dog", "cat", "fish"]).tolist() == [0, 2, 2]
    assert ranks(similarity, ["dog", "cat", "cat"]).tolist() == [0, 0, 1]
