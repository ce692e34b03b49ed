"""OpenCLIP's names: an architecture, and the tag of published weights or a file of one's own, become a model."""

import difflib
import os
import warnings
from pathlib import Path

from numpyclip.errors import CheckpointError, InputError, ModelNotFoundError
from numpyclip.families import open_clip, openai
from numpyclip.families.description import Section, read_description
from numpyclip.families.family import Recognized
from numpyclip.families.folder import only_file
from numpyclip.families.layouts import tokenizer_files, wanted_by_open_clip
from numpyclip.tokenizer.base import Tokenizer
from numpyclip.weights import hub
from numpyclip.weights.catalogue import DOWNLOADABLE, available_models
from numpyclip.weights.checkpoint import Activation, Checkpoint
from numpyclip.weights.download import obtain
from numpyclip.weights.local import Folder, exists
from numpyclip.weights.published import USUAL, Architecture, PublishedModel, architecture, architectures
from numpyclip.weights.read import read

_SETTLE = f"A folder with an {open_clip.DESCRIPTION} beside the weights settles it: load it without `pretrained`."


def read_pretrained(name: str, pretrained: str | os.PathLike[str], download_root: Folder | None) -> Recognized:
    """Read weights of an architecture of OpenCLIP: published ones by their tag, or one's own, a file or folder.

    Raises
    ------
    InputError
        If the name is not that of an architecture, but of a file or a repository.
    ModelNotFoundError
        If there is no such architecture, or neither such a tag nor such a file.
    UnsupportedCheckpointError
        If such a model cannot be run; nothing is downloaded then.
    """
    if architecture(name) is None and (name.startswith(hub.PREFIX) or name in available_models() or exists(name)):
        raise InputError(f"{name}: has weights of its own; `pretrained` goes with OpenCLIP's names of architectures.")
    known = find(name)
    model = known.find(os.fspath(pretrained))
    if model and model.openai:
        return openai.recognize(read(fetch(known, model, download_root)), "quick_gelu")
    if model is None and not exists(pretrained):
        raise unknown_tag(known, os.fspath(pretrained))
    weights = fetch(known, model, download_root) if model else _one_of_own(Path(pretrained))
    description = _section(known, model, weights if weights.is_dir() else weights.parent)
    found = open_clip.read_as(description, weights)
    _compare_activation(found.checkpoint, description)
    doubt = _doubt_about_activation(description, weights)
    if doubt and model is None:
        raise CheckpointError(f"{weights}: {doubt} Load the folder by its name alone, or another architecture.")
    doubts = [doubt and f"{doubt} The latter is used.", None if model else _doubt_about_pictures(known)]
    for doubt in filter(None, doubts):
        warnings.warn(f"{weights}: {doubt} {_SETTLE}", stacklevel=4)  # at the caller of `load`
    return found


def fetch(known: Architecture, model: PublishedModel, download_root: Folder | None) -> Path:
    """Return the file of published weights, or a folder with it, after downloading what is missing.

    Raises
    ------
    UnsupportedCheckpointError
        If such a model cannot be run; nothing is downloaded then.
    DownloadError, ModelNotFoundError
        See `numpyclip.weights.hub.obtain`.
    """
    if model.openai:
        return obtain(DOWNLOADABLE[model.openai], download_root)
    open_clip.describe(_section(known, model))
    return hub.obtain(f"{hub.PREFIX}{model.hub}", wanted_by_open_clip, download_root)


def read_tokenizer(known: Architecture, download_root: Folder | None) -> tuple[Tokenizer, int]:
    """Return the tokenizer of an architecture, and how many tokens its texts have; no weights are needed.

    Raises
    ------
    UnsupportedCheckpointError
        If such a model cannot be run; nothing is downloaded then.
    DownloadError, ModelNotFoundError
        See `numpyclip.weights.hub.obtain`.
    """
    config, tokenizer = open_clip.describe(_section(known, None))
    if repository := known.model_cfg["text_cfg"].get("hf_tokenizer_name"):
        folder = hub.obtain(f"{hub.PREFIX}{repository}", tokenizer_files, download_root)
        config, tokenizer = open_clip.describe(_section(known, None, folder))
    assert config.text is not None
    return tokenizer(), config.text.context_length


def find(name: str) -> Architecture:
    """Find an architecture by its name.

    Raises
    ------
    ModelNotFoundError
        If there is none.
    """
    known = architecture(name)
    if known is None:
        raise unknown_name(name)
    return known


def is_supported(known: Architecture, model: PublishedModel) -> bool:
    """Tell whether a published model can be run, by its description."""
    try:
        open_clip.describe(_section(known, model))
    except CheckpointError:
        return False
    return True


def unknown_name(name: str) -> ModelNotFoundError:
    """Make an error about a name that nothing has, or that is but half of one."""
    if known := architecture(name):
        return ModelNotFoundError(
            f"Model {name!r} has weights of several names, or none: pass `pretrained` (--pretrained), a file or one of "
            f"{', '.join(known.models) or 'no published ones'}."
        )
    close = difflib.get_close_matches(name, [*available_models(), *architectures()], 3, 0.5)
    return ModelNotFoundError(
        f"Model {name!r:.200} not found: neither a known name nor a file or folder here."
        f"{f' Did you mean {_or(close)}?' if close else ''} Known names: {', '.join(available_models())}; "
        f"those of OpenCLIP (numpyclip models --all); {hub.PREFIX}organization/name."
    )


def unknown_tag(known: Architecture, pretrained: str) -> ModelNotFoundError:
    """Make an error about a tag that an architecture does not have."""
    close = difflib.get_close_matches(pretrained, known.models, 3)
    return ModelNotFoundError(
        f"{known.name}: {pretrained!r:.200} is neither one of its tags nor a file or folder here."
        f"{f' Did you mean {_or(close)}?' if close else ''} Expected "
        f"{', '.join(known.models) or 'a file, for none of its weights were published'}."
    )


def _or(names: list[str]) -> str:
    return " or ".join(map(repr, names))


def _compare_activation(checkpoint: Checkpoint, description: Section) -> None:
    expected = _activation(description)
    if checkpoint.activation not in (None, expected):
        raise CheckpointError(
            f"{checkpoint.path}: records the activation '{checkpoint.activation}', but {description.path.name} "
            f"has '{expected}'. Other names have the other one: those that end in -quickgelu, or do not."
        )


def _doubt_about_activation(description: Section, weights: Path) -> str | None:
    beside, expected = weights / open_clip.DESCRIPTION, _activation(description)
    told = _activation(read_description(beside)) if beside.is_file() else expected
    if told == expected:
        return None
    name = description.path.name
    return f"{beside.name} there says that the activation is '{told}'; that of {name} is '{expected}'."


def _doubt_about_pictures(known: Architecture) -> str | None:
    if known.preprocess == USUAL:
        return None
    return (
        f"pictures are prepared as for the published weights of {known.name}, not as for OpenAI's, which open_clip "
        "does with a file alone."
    )


def _activation(description: Section) -> Activation:
    return "quick_gelu" if description.section("model_cfg").get("quick_gelu", bool, False) else "gelu"


def _section(known: Architecture, model: PublishedModel | None, folder: Path | None = None) -> Section:
    """Return a description from the table as if it were in a folder, where a tokenizer may lie."""
    name = f"{known.name} {model.tag}" if model else known.name
    return Section(folder / name if folder else Path(name), "", known.describe(model))


def _one_of_own(path: Path) -> Path:
    is_opaque = path.is_dir() and not any((path / name).is_file() for name in open_clip.WEIGHTS)
    return only_file(path) if is_opaque else path
