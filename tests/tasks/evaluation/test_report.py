import csv
import json
from pathlib import Path

import numpy as np
import pytest

from numpyclip.errors import InputError
from numpyclip.tasks.evaluation.report import draw_confusion, write_report

ROWS: list[dict[str, str | float | None]] = [
    {"picture": 'a,"b".png', "label": None, "probability": 0.5},
    {"picture": "\udcff.png", "label": "x", "probability": 1},
]


def test_tables_have_their_columns(tmp_path: Path) -> None:
    write_report(tmp_path / "a.csv", ROWS, {})
    with (tmp_path / "a.csv").open(encoding="utf-8", errors="surrogateescape", newline="") as file:
        rows = list(csv.DictReader(file))
    assert rows == [
        {"picture": 'a,"b".png', "label": "", "probability": "0.5"},
        {"picture": "\udcff.png", "label": "x", "probability": "1"},
    ]


def test_json_has_no_nan(tmp_path: Path) -> None:
    write_report(tmp_path / "a.json", ROWS, {"acc1": float("nan"), "pictures": 2})
    found = json.loads((tmp_path / "a.json").read_text("utf-8"), parse_constant=pytest.fail)
    assert found["acc1"] is None
    assert found["pictures"] == ROWS


def test_another_suffix_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"ends in \.csv or \.json"):
        write_report(tmp_path / "a.xlsx", ROWS, {})


@pytest.mark.parametrize("n", [1, 2, 30, 500])
def test_a_confusion_is_drawn_at_every_size(n: int) -> None:
    counts = np.zeros((n, n), np.int64)
    counts[0, n - 1] = 3
    picture = draw_confusion(counts, [f"label {i} " * (i % 9 + 1) for i in range(n)])
    assert picture.mode == "RGB"
    assert max(picture.size) < 4400
    colours = {colour for _, colour in picture.getcolors(2**24) or []}
    assert (8, 48, 107) in colours  # all of the first row is in one cell


def test_names_of_any_letters_are_drawn() -> None:
    assert draw_confusion(np.eye(2, dtype=np.int64), ["\u732b", "caf\u00e9 \U0001f600"]).size
