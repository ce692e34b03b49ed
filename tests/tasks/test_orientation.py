"""By default every task and command applies the EXIF orientation: a picture stored on its side is the upright one."""

import inspect
import re
from collections.abc import Callable, Iterator
from functools import cache
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages
from typing import Any

import numpy as np
import pytest
from PIL import Image

import numpyclip
from numpyclip import tasks
from numpyclip.dual_encoder.clip import CLIP
from numpyclip.tasks.duplicates import Copy
from numpyclip.viz.chart import bar_chart
from numpyclip.viz.contact_sheet import contact_sheets
from numpyclip.viz.embedding_map import thumbnail_uri
from tests.cli.conftest import Run
from tests.cli.conftest import run as run

pytestmark = pytest.mark.usefixtures("shared_cache")
PICTURES = Path(__file__).parents[2] / "docs" / "pictures"
EXAMPLES = tasks.Examples.of(np.eye(4, 128), ["a", "a", "b", "b"])


@pytest.fixture
def both(tmp_path: Path) -> tuple[Path, Path]:
    """Two datasets of the same pictures: upright, and on their side with an EXIF orientation that says so."""
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned clockwise
    folders = tmp_path / "upright", tmp_path / "turned"
    for name in ("bird", "house"):
        with Image.open(PICTURES / f"{name}.png") as image:
            upright = image.convert("RGB")
        for folder in folders:
            (folder / name).mkdir(parents=True)
        upright.crop((0, 0, upright.width, upright.height - 9)).save(folders[0] / name / "a.png")
        upright = upright.crop((0, 0, upright.width, upright.height - 9))
        upright.transpose(Image.Transpose.ROTATE_90).save(folders[1] / name / "a.png", exif=exif)
    return folders


TASKS: dict[str, Callable[[Any, Path], Any]] = {
    "embed_images": lambda model, path: model.embed_images(path).tolist(),
    "iter_embeddings": lambda model, path: [record.embedding.tolist() for record in model.iter_embeddings([path])],
    "tag": lambda model, path: tasks.tag(model, path),
    "caption": lambda model, path: tasks.caption(model, path),
    "ask": lambda model, path: tasks.ask(model, path, "is it a bird?"),
    "filter_pictures": lambda model, path: tasks.filter_pictures(model, path, "bird"),
    "query": lambda model, path: tasks.Query.parse(str(path)).embed(model).tolist(),
    "explain": lambda model, path: np.nan_to_num(tasks.explain(model, path, "bird", grid=4)).tolist(),
    "evaluate": lambda model, path: _evaluated(model, path),
    "classify": lambda model, path: tasks.ZeroShotClassifier(model, ["bird", "house"]).classify(path),
    "probe": lambda model, path: repr(tasks.learn(EXAMPLES).classify(model, path)),
    "find_duplicates": lambda model, path: _kinds(tasks.find_duplicates(None, sorted(path.parents[2].rglob("a.png")))),
    "bar_chart": lambda model, path: bar_chart(path, [("a", 1.0)]).tobytes(),
    "contact_sheets": lambda model, path: [page.tobytes() for page in contact_sheets([(path, "a")])],
    "thumbnail_uri": lambda model, path: thumbnail_uri(path),
}


def _evaluated(model: CLIP, path: Path) -> Any:
    classifier = tasks.ZeroShotClassifier(model, ["bird", "house"])
    found = tasks.evaluate(model, tasks.open_dataset(path.parents[1]), classifier)
    return [answer[1:] for answer in found.answers]


def _kinds(groups: list[list[Copy]]) -> list[list[str]]:
    assert len(groups) == 2  # each picture, upright and turned
    return [[copy.kind for copy in group] for group in groups]


@pytest.mark.parametrize("task", TASKS)
def test_tasks_turn_pictures(task: str, both: tuple[Path, Path], tiny: CLIP) -> None:
    upright, turned = (TASKS[task](tiny, folder / "bird" / "a.png") for folder in both)
    assert turned == upright


@cache
def functions() -> list[tuple[str, inspect.Signature]]:
    """All functions and methods of the package."""
    return list(_functions())


def _functions() -> Iterator[tuple[str, inspect.Signature]]:
    for module in walk_packages(numpyclip.__path__, "numpyclip."):
        if module.name.endswith("__main__"):
            continue
        try:
            members = vars(import_module(module.name)).items()
        except ImportError:  # of an extra
            continue
        for name, value in members:
            if getattr(value, "__module__", None) != module.name:
                continue
            inside = vars(value).items() if inspect.isclass(value) else ()
            for where, each in ((name, value), *((f"{name}.{method}", each) for method, each in inside)):
                if inspect.isfunction(each):
                    yield f"{module.name}.{where}", inspect.signature(each)


def test_every_function_with_the_choice_turns_by_default() -> None:
    found = {
        name: signature.parameters["orient"].default
        for name, signature in functions()
        if "orient" in signature.parameters and not name.startswith("numpyclip.images.")
    }
    assert len(found) >= 7
    assert {name for name, default in found.items() if default not in (True, inspect.Parameter.empty)} == set()


COMMANDS = {
    "classify": ["{folder}", "--labels", "{labels}", "--plot", "{out}.png"],
    "tag": ["{folder}"],
    "caption": ["{folder}"],
    "ask": ["{folder}", "is it a bird?"],
    "filter": ["{folder}", "--keep", "a bird", "--json"],
    "embed": ["images", "{folder}"],
    "explain": ["{folder}/bird/a.png", "a bird", "--grid", "4", "-o", "{out}.png"],
    "sheet": ["{folder}", "-o", "{out}.png"],
    "map": ["{folder}", "-o", "{out}.html", "--json"],
    "learn": ["{folder}", "-o", "{out}.npz"],
    "evaluate": ["{folder}"],
    "aesthetic": ["{folder}", "--predictor", "{predictor}"],
    "search": ["--near", "{folder}/bird/a.png", "--all", "--store", "{store}"],
}


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_turn_pictures(command: str, both: tuple[Path, Path], run: Run, tmp_path: Path) -> None:
    (tmp_path / "labels.txt").write_text("bird\nhouse\n")
    np.savez(tmp_path / "head.npz", weight=np.ones((1, 128), np.float32), bias=np.ones(1, np.float32))
    store = tmp_path / "store"
    if command == "search":
        assert run("index", both[0], "--store", store, "-m", "tiny").status == 0
    found = []
    for folder in both:
        out = tmp_path / f"out-{folder.name}" / "file"
        out.parent.mkdir()
        places = {"folder": folder, "out": out, "labels": tmp_path / "labels.txt", "predictor": tmp_path / "head.npz"}
        words = [word.format(**places, store=store) for word in COMMANDS[command]]
        if command == "classify":  # which draws one picture
            words[0] += "/bird/a.png"
        model = [] if command in ("sheet", "search") else ["-m", "tiny"]
        status, printed, err = run(command, *words, *model)
        assert status == 0, err
        written = [file.read_bytes() for file in out.parent.iterdir() if file.suffix == ".png"]
        found.append((re.sub("upright|turned", "", printed), written))
    assert found[0] == found[1]
