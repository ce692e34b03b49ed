import csv
import json
from pathlib import Path

import pytest

from numpyclip.errors import InputError
from numpyclip.tasks.evaluation.report import write_report

ROWS: list[dict[str, str | float | None]] = [
    {"path": 'a,"b".png', "label": None, "probability": 0.5},
    {"path": "\udcff.png", "label": "x", "probability": 1},
]


def test_tables_have_their_columns(tmp_path: Path) -> None:
    write_report(tmp_path / "a.csv", ROWS, {})
    with (tmp_path / "a.csv").open(encoding="utf-8", errors="surrogateescape", newline="") as file:
        rows = list(csv.DictReader(file))
    assert rows == [
        {"path": 'a,"b".png', "label": "", "probability": "0.5"},
        {"path": "\udcff.png", "label": "x", "probability": "1"},
    ]


def test_json_has_no_nan(tmp_path: Path) -> None:
    write_report(tmp_path / "a.json", ROWS, {"acc1": float("nan"), "pictures": 2})
    found = json.loads((tmp_path / "a.json").read_text("utf-8"), parse_constant=pytest.fail)
    assert found["acc1"] is None
    assert found["pictures"] == ROWS


def test_another_suffix_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"ends in \.csv or \.json"):
        write_report(tmp_path / "a.xlsx", ROWS, {})
