"""Which files of a folder, or of a repository on the hub, are read: config file, weights, tokenizer."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PureWindowsPath

from numpyclip.errors import CheckpointError, listed
from numpyclip.families.activation import Claim
from numpyclip.families.config_file import Section, read_config_file
from numpyclip.weights.local import exists
from numpyclip.weights.read import INDEX_SUFFIX

OPEN_CLIP_CONFIG = "open_clip_config.json"
TRANSFORMERS_CONFIG = "config.json"
MODULES = "modules.json"  # of sentence-transformers, beside the config file of the first module or above it
FIRST_MODULE = "sentence_bert_config.json"  # further options of the first module, beside its config file
PROMPTS = "config_sentence_transformers.json"
EXPORTED = "numpyclip.json"  # NumPyCLIP's own, of ONNX graphs
INT8_WEIGHTS = "model.int8.safetensors"  # NumPyCLIP's own, with any library's config file

# The config file of a library → the names of weights, in the order in which the library looks for them. A model with
# both config files was trained with open_clip.
_WEIGHTS = {
    OPEN_CLIP_CONFIG: (
        "open_clip_model.safetensors",
        "open_clip_pytorch_model.safetensors",
        "open_clip_pytorch_model.bin",
        "open_clip_pytorch_model.pth",
        "model.safetensors",
        "pytorch_model.bin",
    ),
    TRANSFORMERS_CONFIG: (
        "model.safetensors",
        "model.safetensors.index.json",
        "pytorch_model.bin",
        "pytorch_model.bin.index.json",
        "model.fp16.safetensors",  # which diffusers writes, and downloads alone if asked to
    ),
}
PROCESSOR_FILES = ("preprocessor_config.json", "processor_config.json")
_CONFIG_FILES = (*_WEIGHTS, *PROCESSOR_FILES)

# Of any library: what is read of a tokenizer, and what is copied with it where a model is saved.
TOKENIZER_FILES_READ = (
    *("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json"),
    *("vocab.json", "merges.txt", "vocab.txt", "spiece.model", "sentencepiece.bpe.model"),
)
_VOCABULARIES = ("tokenizer.json", "vocab.json", "vocab.txt", "spiece.model", "sentencepiece.bpe.model")
TOKENIZER_FILES = (*TOKENIZER_FILES_READ, "tokenizer.model")

SUFFIXES = (".safetensors", ".pt", ".pth", ".bin", ".npz")
_OF_LIGHTNING = ".ckpt"
# What trainers save beside the weights.
_NO_WEIGHTS = ("optimizer", "scheduler", "scaler", "random_states", "rng_state", "training_args")
_OF_DEEPSPEED = "_optim_states.pt"
_SETTLE = "A folder with an open_clip_config.json beside the weights settles it: load it without `pretrained`."
_MODULE = re.compile(r"(?P<folder>[0-9]+_(Pooling|Dense))/(?P<file>[^/]+)", re.ASCII)
_SHARD = re.compile(r"-[0-9]{5}-of-[0-9]{5}\.")


@dataclass(frozen=True, kw_only=True)
class ModelFiles:
    """The files of a model."""

    path: Path  # the file or folder that a name stands for
    weights: Path  # or the index of sharded ones
    library: str | None = None  # by its config file, `OPEN_CLIP_CONFIG` say; OpenAI's and Apple's models have none
    config: Section | None = None  # the contents of that file, or of OpenCLIP's table
    tokenizer: Path | None = None  # the folder of OpenCLIP's tokenizer, if it is another
    activation: Claim | None = None  # the catalogue's
    copy_of: str | None = None  # the model of OpenAI's, if it is in another library's layout
    warnings: tuple[str, ...] = ()  # why the config may be the wrong one for these weights


def is_exported(folder: Path) -> bool:
    """Tell whether a folder has ONNX graphs that `numpyclip.export` has written."""
    return exists(folder / EXPORTED)


def files_at(path: Path, table: Section | None = None, doubt: str | None = None) -> ModelFiles:
    """Find the files of the model in a folder; or take a file of weights, which is read without those beside it.

    Parameters
    ----------
    path : Path
        A folder is a CheckpointError if it has no weights or several candidates.
    table : Section, optional
        The config in OpenCLIP's table, which replaces a config file.
    doubt : str, optional
        Why the table may be the wrong one for these weights.
    """
    warnings = (f"{path}: {doubt} {_SETTLE}",) if doubt else ()
    if table is None and (inner := _model_within(path)):
        return files_at(inner)
    if not path.is_dir():
        library = OPEN_CLIP_CONFIG if table else None
        return ModelFiles(path=path, weights=path, library=library, config=table, warnings=warnings)
    names = _list(path)
    if EXPORTED in names:
        raise CheckpointError(
            f"{path}: has ONNX graphs, which an engine computes, and no weights, which NumPy needs. Pass "
            "engine='openvino' or engine='onnxruntime' (--engine), or load the model that was exported."
        )
    library = OPEN_CLIP_CONFIG if table else _library(names)
    config = table or (read_config_file(path / library) if library else None)
    files = {name for name in names if (path / name).is_file()}
    found = _find_weights(files, library, or_any=table is not None)
    if not found and library is None:  # last, as Stable Diffusion's is beside the subfolder of its text encoder
        found = sorted(name for name in files if name.endswith(_OF_LIGHTNING))
    if len(found) == 1:
        if library is None and TRANSFORMERS_CONFIG in names:
            warnings = (f"{path}: {TRANSFORMERS_CONFIG} is not used: transformers does not look for {found[0]}.",)
        return ModelFiles(path=path, weights=path / found[0], library=library, config=config, warnings=warnings)
    if not found and (described := next((config for config in _WEIGHTS if config in names), None)):
        raise _without_weights(path, described)
    if not found:
        raise CheckpointError(
            f"{path}: no weights in this folder; expected a file of weights, perhaps with a config file."
        )
    raise CheckpointError(
        f"{path}: found {len(found)} files of weights ({listed(found)}); expected one. Pass the file itself."
    )


def find_weights_in(folder: Path) -> Path:
    """Find the weights in the folder of a module of sentence-transformers."""
    found = _find_weights({name for name in _list(folder) if (folder / name).is_file()}, TRANSFORMERS_CONFIG)
    if not found:
        raise _without_weights(folder, TRANSFORMERS_CONFIG)
    return folder / found[0]


def _without_weights(folder: Path, library: str) -> CheckpointError:
    return CheckpointError(f"{folder}: has no weights; expected a file named {' or '.join(_WEIGHTS[library])}.")


def repository_name(folder: Path) -> str:
    """Return the name of the repository that a folder is a snapshot of in the cache of the hub; else its own name."""
    folder = folder.absolute()
    in_cache = folder.parent.name == "snapshots"
    return folder.parents[1].name.rpartition("--")[2] if in_cache else folder.name


def _list(folder: Path) -> set[str]:
    try:
        return {file.name for file in folder.iterdir()}
    except OSError as error:
        raise CheckpointError(f"{folder}: cannot be listed ({error.strerror or error}).") from error


def _model_within(path: Path) -> Path | None:
    """Return the only subfolder with a model, None of a folder that has one itself; CheckpointError if it has several.

    sentence-transformers has a model's files in a subfolder, diffusers those of a text tower.
    """
    if not path.is_dir() or _library(names := _list(path)) or _find_weights(names, None):
        return None
    folders = [name for name in names if any(_is_file(path / name / config) for config in _WEIGHTS)]
    found = folders_with_models(f"{name}/{file}" for name in folders for file in _list(path / name))
    if len(found) > 1:
        raise CheckpointError(
            f"{path}: has models in {len(found)} subfolders ({listed(found)}); expected one. Pass one of them."
        )
    return path / found[0] if found else None


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # it may not be looked at
        return False


def wanted(names: Iterable[str], has_table: bool = False, subfolder: str = "", *, is_all: bool = True) -> list[str]:
    """Choose from a repository the files that would be read, the weights last; none if there are no weights.

    Parameters
    ----------
    names : iterable of str
        All files of the repository, such as "0_CLIPModel/config.json".
    has_table : bool, default=False
        With a config in OpenCLIP's table, a config file there does not decide.
    subfolder : str, optional
        Where the model is. By default at the top, else in the only subfolder that has one.
    is_all : bool, default=True
        Whether these are all files. If not, none are chosen unless no other file could change what is read of them.
    """
    names = set(names)
    if not (is_all or has_table or _settles(names, subfolder)):
        return []
    if subfolder:
        return _wanted_in(names, subfolder)
    found = _wanted(names, has_table)
    if found or has_table or _find_weights(names, None):
        return found
    folders = folders_with_models(names)
    if len(folders) != 1:
        return []
    is_module = folders[0].endswith(("_Transformer", "_CLIPModel"))
    later = _modules(names, f"{folders[0]}/") if is_module else []
    return [*later, *_wanted_in(names, folders[0])]


def _settles(names: set[str], subfolder: str) -> bool:
    """Tell whether files at the top, or of a subfolder, say all that others beside them could say otherwise."""
    here = {file: f"{subfolder}/{file}" if subfolder else file for file in (*_CONFIG_FILES, *TOKENIZER_FILES_READ)}
    has = {file for file, name in here.items() if name in names}
    says_how_to_preprocess = not has.isdisjoint(PROCESSOR_FILES)
    says_tokens = "tokenizer_config.json" in has and not has.isdisjoint(_VOCABULARIES)
    return OPEN_CLIP_CONFIG in has or (TRANSFORMERS_CONFIG in has and says_how_to_preprocess and says_tokens)


def folders_with_models(names: Iterable[str]) -> list[str]:
    """List the subfolders of a repository that have a model with a config file."""
    within: dict[str, set[str]] = {}
    for folder, _, name in (name.partition("/") for name in names if not _MODULE.fullmatch(name)):
        within.setdefault(folder, set()).add(name)
    return [
        folder
        for folder in sorted(within)
        if (library := _library(within[folder])) and _find_weights(within[folder], library)
    ]


def _wanted_in(names: set[str], folder: str) -> list[str]:
    """Choose files of a subfolder that has a config file, and of the tokenizer that diffusers has beside it."""
    within = {name.removeprefix(f"{folder}/") for name in names if name.startswith(f"{folder}/")}
    found = [f"{folder}/{name}" for name in _wanted(within)] if _library(within) else []
    if not found:
        return []
    beside = [f"{name}/{file}" for name in folders_beside(folder) for file in (*TOKENIZER_FILES_READ, *PROCESSOR_FILES)]
    return [*(name for name in beside if name in names), *found]


def folders_beside(folder: str) -> list[str]:
    """Return the names of folders where diffusers has the tokenizer, or the image processor, of one of its towers."""
    if folder.startswith("text_encoder"):
        return [folder.replace("text_encoder", "tokenizer")]
    return ["feature_extractor"] if folder in ("image_encoder", "safety_checker") else []


def find_beside(folder: Path, files: Iterable[str]) -> Path:
    """Return the folder that has some of these files: that of a model, or where diffusers has them."""
    places = [folder, *(folder.parent / name for name in folders_beside(folder.name))]
    return next((place for place in places if any((place / file).is_file() for file in files)), folder)


def _wanted(names: set[str], has_table: bool = False) -> list[str]:
    found = _find_weights(names, OPEN_CLIP_CONFIG if has_table else _library(names), or_any=has_table)
    weights = _with_shards(names, found[0]) if len(found) == 1 else []
    return (
        [*(name for name in (*_CONFIG_FILES, *TOKENIZER_FILES_READ) if name in names), *_modules(names), *weights]
        if weights
        else []
    )


def _modules(names: set[str], first: str = "") -> list[str]:
    """Choose the files of the later modules of sentence-transformers, and of the first, in its folder."""
    if MODULES not in names:
        return []
    found: dict[str, set[str]] = {}
    for match in filter(None, map(_MODULE.fullmatch, names)):
        found.setdefault(match["folder"], set()).add(match["file"])
    chosen = [name for name in (MODULES, PROMPTS, f"{first}{FIRST_MODULE}") if name in names]
    for folder in sorted(found):
        files = [file for file in ("config.json", *_WEIGHTS[TRANSFORMERS_CONFIG]) if file in found[folder]]
        chosen += [f"{folder}/{file}" for file in files[:2]]
    return chosen


def has_tokenizer(folder: Path) -> bool:
    """Tell whether a folder has the vocabulary of a tokenizer."""
    return any((folder / name).is_file() for name in _VOCABULARIES)


def tokenizer_files(names: Iterable[str], *, is_all: bool = True) -> list[str]:
    """Choose the files of a tokenizer; if these may not be all files, only where its settings are among them."""
    found = [name for name in names if name in TOKENIZER_FILES_READ]
    return found if is_all or "tokenizer_config.json" in found else []


def _library(names: set[str]) -> str | None:
    """Tell whose config file counts: a `config.json` says nothing about weights that transformers does not look for."""
    library = next((config for config in _WEIGHTS if config in names), None)
    return library if library == OPEN_CLIP_CONFIG or _find_weights(names, library) else None


def _find_weights(names: set[str], library: str | None, or_any: bool = False) -> list[str]:
    """Choose the weights that a library reads; all candidates without a library, or if it finds none and `or_any`."""
    if library:
        here = [name for name in (*_WEIGHTS[library], INT8_WEIGHTS) if name in names]
        found = [name for name in here if _with_shards(names, name)] or here
        if found or not or_any:
            return found[:1]
    found = sorted(name for name in names if _is_weights(name))
    return found or [
        index for index in _WEIGHTS[TRANSFORMERS_CONFIG] if index.endswith(INDEX_SUFFIX) and index in names
    ]


def _is_weights(name: str) -> bool:
    """Tell whether a file may hold all weights; a repository also lists files in folders."""
    if not name.endswith(SUFFIXES) or "/" in name or PureWindowsPath(name).name != name:
        return False
    return not (name.startswith(_NO_WEIGHTS) or name.endswith(_OF_DEEPSPEED) or _SHARD.search(name))


def _with_shards(names: set[str], weights: str) -> list[str]:
    """Add to an index its shards, `model-00001-of-00002.safetensors` and so on; nothing unless all are there."""
    if not weights.endswith(INDEX_SUFFIX):
        return [weights]
    stem, suffix = weights.removesuffix(INDEX_SUFFIX).rsplit(".", 1)
    counts = (re.fullmatch(rf"{re.escape(stem)}-00001-of-([0-9]{{5}})\.{suffix}", file) for file in names)
    count = next((match[1] for match in counts if match), "00000")
    shards = [f"{stem}-{number:05}-of-{count}.{suffix}" for number in range(1, int(count) + 1)]
    return [weights, *shards] if shards and names.issuperset(shards) else []
