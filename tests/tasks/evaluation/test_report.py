import csv
import json
from pathlib import Path

import pytest

from numpyclip.errors import InputError
from numpyclip.escaping import column_text
from numpyclip.tasks.evaluation.report import write_report

ROWS: list[dict[str, str | float | None]] = [
    {"path": 'a,"b".png', "label": None, "probability": 0.5},
    {"path": "\udcff.png", "label": "x", "probability": 1},
]


def test_tables_have_their_columns(tmp_path: Path) -> None:
    write_report(tmp_path / "a.csv", ROWS, {})
    with (tmp_path / "a.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert rows == [
        {"path": 'a,"b".png', "label": "", "probability": "0.5"},
        {"path": r'"\xff.png"', "label": "x", "probability": "1"},
    ]
    assert column_text(rows[1]["path"]) == ROWS[1]["path"]


def test_json_has_no_nan(tmp_path: Path) -> None:
    write_report(tmp_path / "a.json", ROWS, {"acc1": float("nan"), "pictures": 2})
    found = json.loads((tmp_path / "a.json").read_text("utf-8"), parse_constant=pytest.fail)
    assert found["acc1"] is None
    assert found["pictures"] == [ROWS[0], ROWS[1] | {"path": r"\xff.png", "path_bytes": "/y5wbmc="}]


def test_another_suffix_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"ends in \.csv or \.json"):
        write_report(tmp_path / "a.xlsx", ROWS, {})
