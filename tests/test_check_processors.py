"""The script that compares processors notices what differs, whichever side made an index and whichever searched it."""

import argparse
import math
from pathlib import Path
from typing import Any

import pytest
from tools import check_processors

FOUND = {"'a dog' in ours": (0, ["dog.png"]), "cosines of 'a dog' in ours": (2e-3, [0.25])}
ABOUT: dict[str, Any] = dict.fromkeys(("bits", "order", "python", "numpy", "pillow", "seconds"), (-1, 1))
Answers = dict[str, Any]


@pytest.fixture
def sides(monkeypatch: pytest.MonkeyPatch) -> dict[str, Answers]:
    """What this processor and another one answer, and this one of the other's index."""
    in_both = FOUND | {name.replace("ours", "theirs"): one for name, one in FOUND.items()}
    found = {"here": ABOUT | FOUND, "there": ABOUT | in_both, "back": ABOUT | in_both}

    def answered(theirs: Path | None, ours: Path) -> Answers:
        return found["back" if theirs else "here"]

    monkeypatch.setattr(check_processors, "make_system", lambda *_: None)
    monkeypatch.setattr(check_processors, "run", lambda *_: found["there"])
    monkeypatch.setattr(check_processors, "answered", answered)
    return found


def test_equal_answers_are_equal(sides: dict[str, Answers], capsys: pytest.CaptureFixture[str]) -> None:
    assert check_processors.check("s390x", argparse.Namespace()) == 0
    assert capsys.readouterr().out.endswith("| equal\n")


@pytest.mark.parametrize(
    ("side", "name"), [("there", "ours"), ("there", "theirs"), ("back", "theirs")], ids=" searches ".join
)
@pytest.mark.parametrize("wrong", [{"'a dog' in ": (0, ["cat.png"])}, {"cosines of 'a dog' in ": (2e-3, [0.26])}, {}])
def test_a_wrong_answer_from_an_index_of_either_side_is_noticed(
    side: str, name: str, wrong: Answers, sides: dict[str, Answers], capsys: pytest.CaptureFixture[str]
) -> None:
    if wrong:
        sides[side] |= {begin + name: answer for begin, answer in wrong.items()}
    else:
        del sides[side][f"'a dog' in {name}"]
    assert check_processors.check("s390x", argparse.Namespace()) == 1
    printed = capsys.readouterr()
    assert printed.out.endswith("| different\n")
    assert "'a dog'" in printed.err


def test_what_differs_by_more_than_rounding_is_a_difference() -> None:
    here: Answers = {"tokens": (0, "ab"), "house": (1e-6, [0.5, -2.0]), "python": (-1, "3.11")}
    assert not [*check_processors.differences(here, here | {"house": (0, [0.5, -2.000001]), "python": (0, "3.14")})]
    assert len([*check_processors.differences(here, here | {"tokens": (0, "b")})]) == 1
    for house in ([0.5, -2.1], [0.5], [0.5, math.nan]):
        assert len([*check_processors.differences(here, here | {"house": (0, house)})]) == 1
    assert len([*check_processors.differences(here, {})]) == 2
