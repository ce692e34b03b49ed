"""The tables of speed in README.md and docs/explanations/speed.md are what their tool would write from the results."""

from pathlib import Path

import pytest
from tools.make_speed_tables import PAGES, divide, table

CASES = [pytest.param(*each, id=f"{each[0].name}-{each[1]}") for each in PAGES]


@pytest.mark.parametrize(("page", "folder", "n_questions"), CASES)
def test_the_table_is_made_from_the_results(page: Path, folder: str, n_questions: int) -> None:
    assert divide(page.read_text("utf-8"), folder)[1] == table(folder, n_questions)
