"""docs/reference/models.md says what the tests of parity compare."""

import re

from tests.families.test_parity import FAMILIES, NAMES
from tests.model.golden import TOLERANCE

PAGE = (FAMILIES.parents[2] / "docs" / "reference" / "models.md").read_text("utf-8")
ROWS = re.findall(r"^\| `([^`]+)` \| (.+?) \| .+? \| (\S*) \| (\S*) \|", PAGE, re.MULTILINE)


def test_every_golden_model_is_on_the_page_once() -> None:
    assert [name for name, *_ in ROWS] == NAMES


def test_what_a_model_stands_for_is_said_and_figures_are_within_the_tolerance() -> None:
    for _, stands_for, *errors in ROWS:
        assert stands_for.strip()
        assert any(errors)
        assert all(float(error) <= TOLERANCE for error in errors if error)
