"""Which names a person means."""

import pytest

from numpyclip.index.names import meant

CAMERAS = ["Apple iPhone 15", "Apple iPhone 15 Pro", "Canon EOS R6", "Straße"]
TAGS = ["animals/birds", "Animals/Cats", "animalsnot", "plants", "Zürich"]


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("iphone", CAMERAS[:2]),
        ("apple iphone 15", CAMERAS[:1]),
        ("STRASSE", CAMERAS[3:]),
        ("%", []),
        ("nikon", []),
    ],
)
def test_of_cameras_a_part_is_enough_if_none_is_called_exactly_so(name: str, found: list[str]) -> None:
    assert meant("camera", name, CAMERAS) == meant("lens", name, CAMERAS) == found


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("ANIMALS", ["animals", "Animals"]),
        ("animals/birds", ["animals/birds"]),
        ("animals/birds/owls", []),
        ("animal", []),
        ("zu\u0308rich", ["Zürich"]),
    ],
)
def test_tags_are_found_by_their_upper_levels(name: str, found: list[str]) -> None:
    assert meant("tag", name, TAGS) == found


def test_albums_are_found_whatever_the_case() -> None:
    assert meant("album", "birds", ["Birds", "BIRDS", "Birds of Kent"]) == ["Birds", "BIRDS"]
