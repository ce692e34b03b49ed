"""Options of descriptions, some of them hostile."""

from pathlib import Path

import pytest

from numpyclip.errors import UnsupportedCheckpointError
from numpyclip.families.description import Section


@pytest.mark.parametrize(
    ("option", "shown"),
    [
        ("pool_type", "text_config.pool_type is 3"),
        ("a\n\x1b[2J\ud800", r"text_config.'a\n\x1b[2J\ud800' is 3"),
        ("a" * 999, f"text_config.'{'a' * 200}'... is 3"),
    ],
)
def test_an_option_is_named_as_it_is_or_quoted(option: str, shown: str) -> None:
    section = Section(Path("config.json"), "text_config", {option: 3})
    with pytest.raises(UnsupportedCheckpointError) as caught:
        section.finish()
    assert caught.value.args[0] == f"config.json: {shown}; this option is not supported."


def test_the_name_of_a_section_within_sections_is_quoted_and_cut_too() -> None:
    section = Section(Path("config.json"), "", {"a\n": {"b" * 999: {"c": 3}}})
    within = section.section("a\n").section("b" * 999)
    with pytest.raises(UnsupportedCheckpointError) as caught:
        within.finish()
    assert caught.value.args[0] == f"config.json: 'a\\n'.'{'b' * 200}'....c is 3; this option is not supported."
