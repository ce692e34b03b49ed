"""What is public: the names, the page about them, and that they cost nothing before they are used."""

import ast
import inspect
import pkgutil
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import numpyclip
from numpyclip import batch, index, open_clip, reference, tasks, videos
from tests.fresh_interpreter import modules_after

DOCS = Path(__file__).parents[1] / "docs"
PAGE = (DOCS / "reference" / "api.md").read_text("utf-8")
PACKAGES = {
    "numpyclip": numpyclip,
    "numpyclip.tasks": tasks,
    "numpyclip.batch": batch,
    "numpyclip.videos": videos,
    "numpyclip.open_clip": open_clip,
}
LISTED = {**PACKAGES, "numpyclip.index": index}
MODULES = {**PACKAGES, "numpyclip.reference": reference}
NAMES = [(package, name) for package, module in MODULES.items() for name in module.__all__]
LAZY = ["numpyclip", "numpyclip.tasks", "numpyclip.batch", "numpyclip.videos"]


REFERENCE = {  # pages of docs/reference/python
    "models": "numpyclip",
    "errors": "numpyclip",
    "tasks": "numpyclip.tasks",
    "search": "numpyclip.index",
    "batch": "numpyclip.batch",
    "videos": "numpyclip.videos",
    "towns": "numpyclip.towns",
    "open-clip": "numpyclip.open_clip",
    "server": "numpyclip.server",
    "integrations": "numpyclip.integrations",
}
NOT_SHOWN = {  # there: modules, what another page shows, and a plugin that nobody imports
    "numpyclip": {"Index", "Where", "__version__", "open_clip", "reference", "tasks"},
    "numpyclip.integrations": {"clip", "llm", "sklearn", "langchain", "llama_index", "chroma"},
}


def listed(package: str) -> list[str]:
    """The names in the tables of a section of the page."""
    section = re.search(rf"^## `{package}`\n(.*?)(?=^## |\Z)", PAGE, re.DOTALL | re.MULTILINE)
    assert section
    cells = re.findall(r"^\| (.+?) \|(?: (.+?) \|)?", section[1], re.MULTILINE)
    is_by_module = package == "numpyclip.integrations"
    return re.findall(r"`(\w+)`", "".join(first + (second if is_by_module else "") for first, second in cells))


@pytest.mark.parametrize(("package", "name"), NAMES)
def test_every_public_name_can_be_imported_and_has_a_docstring(package: str, name: str) -> None:
    assert getattr(MODULES[package], name).__doc__


@pytest.mark.parametrize("package", LISTED)
def test_the_page_lists_the_public_names(package: str) -> None:
    assert sorted(listed(package)) == sorted(LISTED[package].__all__)


@pytest.mark.parametrize(("page", "package"), REFERENCE.items())
def test_the_reference_has_every_public_name_and_no_other(page: str, package: str) -> None:
    text = (DOCS / "reference" / "python" / f"{page}.md").read_text("utf-8")
    shown = re.findall(r"^::: (numpyclip[\w.]*)\.(\w+)$", text, re.MULTILINE)
    names = {name for name in listed(package) if name.endswith("Error") == (page == "errors")}
    assert {name for _, name in shown} == names - NOT_SHOWN.get(package, set())
    if package in LISTED:
        assert all(getattr(import_module(module), name) is getattr(LISTED[package], name) for module, name in shown)


def test_the_model_to_read_is_in_the_reference() -> None:
    assert "\n::: numpyclip.reference\n" in (DOCS / "reference" / "python" / "reference.md").read_text("utf-8")


@pytest.mark.parametrize("name", tasks.__all__)
def test_the_guides_of_tasks_show_each(name: str) -> None:
    overview = DOCS / "guides" / "tasks.md"
    guides = [overview.parent / link for link in re.findall(r"\]\(([\w./-]+\.md)", overview.read_text("utf-8"))]
    assert any(re.search(rf"\b{name}\b(?=[(.,`\n])", guide.read_text("utf-8")) for guide in guides)


@pytest.mark.parametrize("package", MODULES)
def test_dir_shows_public_names_only(package: str) -> None:
    import_module("numpyclip.tasks.filter")  # whatever else was imported
    assert dir(MODULES[package]) == sorted(MODULES[package].__all__)


@pytest.mark.parametrize("package", LAZY)
def test_type_checkers_are_told_of_every_public_name(package: str) -> None:
    tree = ast.parse(inspect.getsource(PACKAGES[package]))
    (block,) = (node for node in tree.body if isinstance(node, ast.If) and isinstance(node.test, ast.Name))
    told = {alias.name for node in block.body if isinstance(node, ast.ImportFrom) for alias in node.names}
    assert told | {"__version__"} == set(PACKAGES[package].__all__) | {"__version__"}


@pytest.mark.parametrize("package", LAZY)
def test_no_public_name_is_that_of_a_module_whose_import_would_replace_it(package: str) -> None:
    modules = {module.name for module in pkgutil.iter_modules(PACKAGES[package].__path__)}
    assert modules & set(PACKAGES[package].__all__) <= {"open_clip", "reference", "tasks"}


def test_importing_the_module_of_a_task_leaves_its_name_alone() -> None:
    import_module("numpyclip.tasks.answers")
    assert callable(tasks.ask)


def test_a_name_that_is_not_there_is_an_attribute_error_that_suggests_another() -> None:
    code = "import numpyclip; numpyclip.tokenise"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "module 'numpyclip' has no attribute 'tokenise'. Did you mean: 'tokenize'?" in found.stderr


def test_importing_the_package_imports_nothing_else() -> None:
    assert modules_after("import numpyclip") - modules_after("") == {
        "numpyclip",
        "numpyclip.lazy_exports",
        "__future__",
    }


def test_a_name_imports_what_it_needs_and_no_more() -> None:
    found = modules_after("import numpyclip; numpyclip.load, numpyclip.NumPyCLIPError") - modules_after("import numpy")
    assert {name for name in found if name.startswith("numpyclip")} == {
        "numpyclip",
        "numpyclip.errors",
        "numpyclip.escaping",
        "numpyclip.lazy_exports",
        "numpyclip.loader",
    }


@pytest.mark.parametrize("name", sorted({*tasks.__all__} - {"Query"}))  # where `pictures` says whether there may be any
def test_tasks_have_one_word_for_one_parameter(name: str) -> None:
    value = getattr(tasks, name)
    methods = [member for key, member in inspect.getmembers(value, callable) if key[0] != "_"]
    called = [value, *methods, *([value.__call__] if inspect.isclass(value) and "__call__" in vars(value) else [])]
    parameters = {parameter for function in called for parameter in inspect.signature(function).parameters}
    assert not parameters & {"picture", "pictures", "k", "n", "minimum", "report", "read"}


def test_a_model_without_an_engine_imports_none() -> None:
    found = modules_after('import numpyclip; numpyclip.load("tiny")')
    assert "numpyclip.dual_encoder.clip" in found
    assert not [name for name in found if name.startswith("numpyclip.engines")]
