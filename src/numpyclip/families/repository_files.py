"""Which files of a folder, or of a repository on the hub, are read: config file, weights, tokenizer."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath

from numpyclip.errors import CheckpointError, quoted
from numpyclip.families.activation import Claim
from numpyclip.families.config_file import Section, read_config_file
from numpyclip.weights.read import INDEX_SUFFIX

OPEN_CLIP_CONFIG = "open_clip_config.json"
TRANSFORMERS_CONFIG = "config.json"
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
_CONFIG_FILES = (*_WEIGHTS, "preprocessor_config.json", "processor_config.json")

# Of any library: what is read of a tokenizer, and what is copied with it where a model is saved.
FILES = (
    *("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"),
    *("vocab.json", "merges.txt", "vocab.txt", "spiece.model", "sentencepiece.bpe.model"),
)
TOKENIZER_FILES = (*FILES, "added_tokens.json", "tokenizer.model")

SUFFIXES = (".safetensors", ".pt", ".pth", ".bin", ".npz")
_SETTLE = "A folder with an open_clip_config.json beside the weights settles it: load it without `pretrained`."
_SHARD = re.compile(r"-[0-9]{5}-of-[0-9]{5}\.")


@dataclass(frozen=True, kw_only=True)
class ModelFiles:
    """The files of a model."""

    path: Path  # the file or folder that a name stands for
    weights: Path  # or the index of sharded ones
    library: str | None = None  # by its config file, `OPEN_CLIP_CONFIG` say; OpenAI's and Apple's models have none
    config: Section | None = None  # the contents of that file, or of OpenCLIP's table
    activation: Claim | None = None  # the catalogue's
    copy_of: str | None = None  # the model of OpenAI's, if it is in another library's layout
    warnings: tuple[str, ...] = ()  # why the config may be the wrong one for these weights


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
    if not path.is_dir():
        library = OPEN_CLIP_CONFIG if table else None
        return ModelFiles(path=path, weights=path, library=library, config=table, warnings=warnings)
    try:
        names = {file.name for file in path.iterdir()}
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be listed ({error.strerror or error}).") from error
    library = OPEN_CLIP_CONFIG if table else _library(names)
    config = table or (read_config_file(path / library) if library else None)
    found = _find_weights({name for name in names if (path / name).is_file()}, library, or_any=table is not None)
    if len(found) == 1:
        return ModelFiles(path=path, weights=path / found[0], library=library, config=config, warnings=warnings)
    if library and not found:
        raise CheckpointError(f"{path}: has no weights; expected a file named {' or '.join(_WEIGHTS[library])}.")
    listed = ", ".join(quoted(file, 60) for file in found[:10]) or "none"
    raise CheckpointError(
        f"{path}: found {len(found)} files of weights ({listed}); expected one. Pass the file itself."
    )


def wanted(names: Iterable[str], has_table: bool = False) -> list[str]:
    """Choose from a repository the files that would be read, the weights last; none if there are no weights.

    With a config in OpenCLIP's table, a config file there does not decide.
    """
    names = set(names)
    found = _find_weights(names, OPEN_CLIP_CONFIG if has_table else _library(names), or_any=has_table)
    weights = _with_shards(names, found[0]) if len(found) == 1 else []
    return [name for name in (*_CONFIG_FILES, *FILES) if name in names] + weights if weights else []


def tokenizer_files(names: Iterable[str]) -> list[str]:
    """Choose the files of a tokenizer."""
    return [name for name in names if name in FILES]


def tokenizer_folder(folder: Path) -> Path:
    """Return the folder of a model's tokenizer: its own or, in a repository of diffusers, the one beside it.

    There, the tokenizer of `text_encoder_2` is in `tokenizer_2`.
    """
    beside = folder.absolute().parent / folder.absolute().name.replace("text_encoder", "tokenizer", 1)
    has_own = any((folder / name).exists() for name in TOKENIZER_FILES)
    return folder if has_own or not (beside / "tokenizer_config.json").exists() else beside


def _library(names: set[str]) -> str | None:
    return next((config for config in _WEIGHTS if config in names), None)


def _find_weights(names: set[str], library: str | None, or_any: bool = False) -> list[str]:
    """Choose the weights that a library reads; all candidates without a library, or if it finds none and `or_any`."""
    if library:
        found = [name for name in (*_WEIGHTS[library], INT8_WEIGHTS) if name in names][:1]
        if found or not or_any:
            return found
    return sorted(name for name in names if _is_weights(name))


def _is_weights(name: str) -> bool:
    """Tell whether a file may hold all weights; a repository also lists files in folders."""
    is_plain = PurePosixPath(name).name == PureWindowsPath(name).name == name
    return is_plain and PurePosixPath(name).suffix in SUFFIXES and not _SHARD.search(name)


def _with_shards(names: set[str], weights: str) -> list[str]:
    """Add to an index its shards, `model-00001-of-00002.safetensors` and so on; nothing unless all are there."""
    if not weights.endswith(INDEX_SUFFIX):
        return [weights]
    stem, suffix = weights.removesuffix(INDEX_SUFFIX).rsplit(".", 1)
    counts = (re.fullmatch(rf"{re.escape(stem)}-00001-of-([0-9]{{5}})\.{suffix}", file) for file in names)
    count = next((match[1] for match in counts if match), "00000")
    shards = [f"{stem}-{number:05}-of-{count}.{suffix}" for number in range(1, int(count) + 1)]
    return [weights, *shards] if shards and names.issuperset(shards) else []
