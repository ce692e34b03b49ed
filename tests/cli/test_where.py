"""Which images of an index are searched."""

import argparse

import pytest

from numpyclip.cli.where import add_where_options, numbers, where_of
from numpyclip.index import Where

GIVEN: list[tuple[list[str], Where]] = [
    ([], Where()),
    (["--folder", "/photos", "--after", "2023", "--before", "2024"], Where("/photos", "2023", "2024")),
    (["--camera", "Nikon D750", "--lens", "50 mm"], Where(camera="Nikon D750", lens="50 mm")),
    (["--within=-20,170,-10,-170"], Where(within=(-20, 170, -10, -170))),
    (["--around", "47.38,8.54,10"], Where(around=(47.38, 8.54, 10))),
    (["--favorite", "--rating", "3"], Where(favourite=True, rating=3)),
    (["--tag", "sea", "--album", "Summer"], Where(tag="sea", album="Summer")),
]


@pytest.mark.parametrize(("words", "expected"), GIVEN)
def test_options_are_conditions(words: list[str], expected: Where) -> None:
    command = argparse.ArgumentParser()
    add_where_options(command)
    assert where_of(command.parse_args(words)) == expected


def test_what_are_no_numbers_is_refused() -> None:
    with pytest.raises(argparse.ArgumentTypeError, match=r"'47\.38;8\.54' is no list of numbers"):
        numbers("47.38;8.54")
