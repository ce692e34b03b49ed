"""The tables of speed in README.md and docs/explanations/speed.md are what their tool would write from the results."""

from pathlib import Path

import pytest
from tools.make_speed_tables import PAGES, divide, table

CASES = [pytest.param(*each, id=each[0].name) for each in PAGES]


@pytest.mark.parametrize(("page", "n_questions"), CASES)
def test_the_table_is_made_from_the_results(page: Path, n_questions: int) -> None:
    assert divide(page.read_text("utf-8"))[1] == table(n_questions)
