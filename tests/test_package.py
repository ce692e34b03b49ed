"""The package as a whole: what it imports, in which direction, and what it promises about itself."""

import ast
import re
import subprocess
import sys
from fnmatch import fnmatch
from pathlib import Path

import pytest

import numpyclip

ROOT = Path(__file__).parents[1]
SOURCE = Path(numpyclip.__file__).parent

# Imports flow down this list and never up: a module may use its own layer and those above it.
LAYERS = (
    ("numpyclip.errors", "numpyclip.arguments"),
    ("numpyclip.weights",),
    ("numpyclip.images", "numpyclip.tokenizer"),
    ("numpyclip.model", "numpyclip.pipeline"),
    ("numpyclip.families",),
    ("numpyclip.loader",),
    ("numpyclip.saving",),
    ("numpyclip.tasks",),
    ("numpyclip.index",),
    ("numpyclip.server",),
    ("numpyclip",),  # the public names
    ("numpyclip.cli", "numpyclip.__main__"),
)
ALLOWED = {"numpy", "PIL", "ftfy", "threadpoolctl", "tqdm"}
EXTRAS = {  # imported when they are needed, and missed with a message
    "numpyclip.images.open": {"pillow_heif", "pillow_jxl"},
    "numpyclip.tokenizer.models": {"tokenizers", "sentencepiece"},
    "numpyclip.index.postgres_store": {"psycopg"},
    "numpyclip.index.layout.*": {"pyarrow"},
    "numpyclip.index.folder.graph": {"usearch"},
    "numpyclip.server.*": {"starlette", "uvicorn", "prometheus_client"},
    "numpyclip.weights.hub": {"huggingface_hub"},
    "numpyclip.tasks.evaluation.datasets.parquet": {"pyarrow"},
}


def layer(module: str) -> int:
    """Number of the layer that a module belongs to: that of the longest name it begins with."""
    fits = [(len(name), level) for level, names in enumerate(LAYERS) for name in names if is_within(module, name)]
    return max(fits)[1]


def is_within(module: str, name: str) -> bool:
    return module == name or (name != "numpyclip" and module.startswith(name + "."))


def modules() -> dict[str, Path]:
    found = {}
    for path in SOURCE.rglob("*.py"):
        parts = path.relative_to(SOURCE.parent).with_suffix("").parts
        found[".".join(parts).removesuffix(".__init__")] = path
    return found


def imports(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import hides its direction"
            known = modules()
            names |= {
                f"{node.module}.{a.name}" if f"{node.module}.{a.name}" in known else str(node.module)
                for a in node.names
            }
    return names


@pytest.mark.parametrize("module", sorted(modules()))
def test_imports_follow_the_arrows(module: str) -> None:
    for name in imports(modules()[module]):
        if name.partition(".")[0] == "numpyclip":
            assert layer(name) <= layer(module), f"{module} imports {name}, which lies further down the stream"


@pytest.mark.parametrize("module", sorted(modules()))
def test_nothing_is_imported_but_the_declared_dependencies(module: str) -> None:
    outside = {name.partition(".")[0] for name in imports(modules()[module])} - set(sys.stdlib_module_names)
    extras = [names for pattern, names in EXTRAS.items() if fnmatch(module, pattern)]
    assert outside - {"numpyclip"} <= ALLOWED.union(*extras)


def loaded_by(code: str) -> set[str]:
    """Top-level packages outside the standard library that a fresh interpreter has after some code."""
    program = f"{code}\nimport sys; print(*{{name.partition('.')[0] for name in sys.modules}})"
    out = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    return set(out.split()) - set(sys.stdlib_module_names)


def test_import_loads_numpy_and_nothing_else() -> None:
    assert loaded_by("import numpyclip") - loaded_by("import numpy") == {"numpyclip"}


def test_classifying_a_picture_loads_pillow_and_nothing_else() -> None:
    code = (
        "import numpyclip; model, _ = numpyclip.load('tiny')\n"
        "from PIL import Image; model.classify(Image.new('RGB', (70, 60)), ['a dog', 'a cat'])"
    )
    pillow = loaded_by("import numpy; from PIL import Image; Image.init()")
    assert loaded_by(code) - pillow == {"numpyclip"}


def test_import_opens_no_file_of_the_package_and_no_socket() -> None:
    code = """
import sys, numpy
opened = []
def audit(event, args):
    path = str(args[0]) if args else ""
    is_data = event == "open" and "numpyclip" in path and not path.endswith((".py", ".pyc"))
    if event.startswith("socket") or is_data:
        opened.append((event, args))
sys.addaudithook(audit)
import numpyclip
assert not opened, opened
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_changelog_begins_with_this_version() -> None:
    text = (ROOT / "CHANGELOG.md").read_text("utf-8")
    versions = re.findall(r"^## \[([^\]]+)\]", text, re.MULTILINE)
    assert versions[0] == "Unreleased"
    assert versions[1:2] in ([numpyclip.__version__], [])


def test_every_public_name_exists_and_has_a_docstring() -> None:
    for name in numpyclip.__all__:
        assert getattr(numpyclip, name).__doc__
