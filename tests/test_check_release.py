"""The check of a release tries what `pyproject.toml` has."""

import re

from tools.check_release import SMOKE_TESTS

from tests.pages import ROOT


def test_each_extra_of_users_has_one_smoke_test() -> None:
    table = (ROOT / "pyproject.toml").read_text("utf-8").partition("[project.optional-dependencies]\n")[2]
    extras = re.findall(r"^([\w-]+) = ", table.partition("\n\n")[0], re.MULTILINE)
    assert sorted(SMOKE_TESTS) == sorted(["", *set(extras) - {"test", "docs", "dev"}])
    assert {"test", "docs", "dev"} < set(extras)
