"""docs/choosing.md is what its tool would write, from the data of the package."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_choosing_page", ROOT / "tools" / "make_choosing_page.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # for its dataclass
    spec.loader.exec_module(module)
    return module


def test_the_table_is_that_of_the_data(tool: ModuleType) -> None:
    text = (ROOT / "docs" / "choosing.md").read_text("utf-8")
    assert text.partition(tool.BEGIN)[2].partition(tool.END)[0].strip() == tool.table()


def test_the_frontier_has_what_no_other_one_exceeds(tool: ModuleType) -> None:
    found = [tool.Point(name, rate, top1, True) for name, rate, top1 in (("a", 2, 60), ("b", 1, 59), ("c", 0.5, 80))]
    assert [point.name for point in tool.frontier(found)] == ["a", "c"]
    assert tool.draw(found).size == (tool.WIDTH, tool.HEIGHT)
