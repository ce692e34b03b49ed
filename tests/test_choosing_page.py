"""docs/guides/choosing.md is what its tool would write, from the data of the package."""

import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest

from numpyclip.families.locate import find_architecture

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text("utf-8")
RECOMMENDED = {
    "ViT-B-32-256": "datacomp_s34b_b86k",
    "ViT-B-16-SigLIP2": "webli",
    "PE-Core-L-14-336": "meta",
    "ViT-B-32-SigLIP2-256": "webli",
}


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_choosing_page", ROOT / "tools" / "make_choosing_page.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # for its dataclass
    spec.loader.exec_module(module)
    return module


def test_the_tables_are_made_from_the_data(tool: ModuleType) -> None:
    assert tool.divide(tool.PAGE.read_text("utf-8"))[1] == tool.tables()


def test_all_architectures_are_measured_and_most_are_in_the_plot(tool: ModuleType) -> None:
    assert all(known.speed for known, _ in tool.models())
    plotted = {point.name for point in tool.points()}
    assert plotted == {known.name for known, model in tool.models() if (model.top1 or 0) > tool.LEAST}
    assert plotted >= set(RECOMMENDED)


def test_what_the_readme_says_of_its_recommendations_is_what_was_published(tool: ModuleType) -> None:
    found = {known.name: (known, model) for known, model in tool.models()}
    for name, tag in RECOMMENDED.items():
        known, model = found[name]
        assert (model.tag, known.models[tag].top1) == (tag, model.top1)
        row = next(line for line in README.splitlines() if line.startswith("|") and f"`{name}`, `{tag}`" in line)
        assert f"| {model.top1:.1f} % | {known.speed.images:.2g} |" in row
        assert model.licence in row
    best, most = found["PE-Core-L-14-336"], found["ViT-B-16-SigLIP2"]
    assert best[1].coco_images == max(m.coco_images or 0 for k, m in found.values() if k.megabytes(m) < 9000) == 57.1
    large, tag = find_architecture("ViT-bigG-14"), "laion2b_s39b_b160k"
    assert (most[1].coco_images, large.models[tag].coco_images) == (52.1, 51.37)
    assert round(large.parameters / most[0].parameters) == 7
    assert found["ViT-B-32-SigLIP2-256"][1].xm3600 == 38.3


def test_what_the_page_recommends_is_published_under_the_license_that_it_names(tool: ModuleType) -> None:
    rows = re.findall(r"^\| [^|`]+ \| `(\w\S+)` \| `(\w\S+)` \| (.+) \|$", tool.PAGE.read_text("utf-8"), re.MULTILINE)
    assert {*RECOMMENDED.items()} <= {(name, tag) for name, tag, _ in rows}
    for name, tag, why in rows:
        assert why.endswith(find_architecture(name).models[tag].licence)


def test_the_frontier_has_what_no_other_one_exceeds(tool: ModuleType) -> None:
    found = [tool.Point(name, rate, top1, True) for name, rate, top1 in (("a", 2, 60), ("b", 1, 59), ("c", 0.5, 80))]
    assert [point.name for point in tool.frontier(found)] == ["a", "c"]
    assert tool.draw(found).size == (tool.WIDTH, tool.HEIGHT)
