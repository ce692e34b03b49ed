"""NAME → FILES: what a model's name stands for, downloaded if it is missing."""

import os
import re
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

from numpyclip.errors import CheckpointError, DownloadError, InputError, ModelNotFoundError, listed
from numpyclip.families.activation import Claim, contradiction
from numpyclip.families.config_file import Section
from numpyclip.families.repository_files import (
    OPEN_CLIP_CONFIG,
    ModelFiles,
    files_at,
    folders_with_models,
    has_tokenizer,
    tokenizer_files,
    wanted,
)
from numpyclip.families.unknown_names import unknown_name, unknown_tag
from numpyclip.model.config import CLIPConfig
from numpyclip.tokenizer.base import Tokenizer
from numpyclip.weights import hub, sources
from numpyclip.weights.catalogue import DOWNLOADABLE, EMBEDDED, available_models
from numpyclip.weights.local import Folder, exists
from numpyclip.weights.published import (
    OPENAI_PREPROCESS,
    Architecture,
    PublishedModel,
    architecture,
    published_at,
)

_SUBFOLDER = re.compile(rf"({hub.PREFIX}[^/@]+/[^/@]+)/(\w[\w.-]*)((?:@.*)?)", re.ASCII)


def locate(name: str, pretrained: Folder | None = None, download_root: Folder | None = None) -> ModelFiles:
    """Find the files of a model, after downloading those that are missing; see `numpyclip.load`."""
    if pretrained is not None:
        return _of_architecture(name, pretrained, download_root)
    if name in EMBEDDED:
        return _in_catalogue(name, EMBEDDED[name])
    if name in DOWNLOADABLE:
        return _openais(name, download_root)
    if name.startswith(hub.PREFIX):
        return _in_repository(name, download_root)
    if exists(name):
        return files_at(Path(name))
    raise unknown_name(name)


def _in_repository(name: str, download_root: Folder | None) -> ModelFiles:
    """Find the model of a repository on the hub, or of one of its subfolders."""
    repository, subfolder = split_subfolder(name)
    folder = hub.obtain(repository, partial(_choose, name=repository, subfolder=subfolder), download_root)
    files = files_at(folder / subfolder)
    published = published_at(hub.repository_of(repository) or "")
    tables = [_table(known, model, folder) for known, model in published]
    if files.library is None and len(tables) == 1:  # without a config file, as laion/CLIP-ViT-B-32-xlm-roberta-base-*
        return _with_tokenizer(files_at(folder, tables[0]), download_root)
    if files.library != OPEN_CLIP_CONFIG:
        return files
    files = _with_tokenizer(files, download_root)
    contradictions = [contradiction(table, folder) for table in tables]
    if tables and all(contradictions):  # the authors of the repository forgot the activation
        doubt = f"{contradictions[0]} The latter is used; load this folder by its path for the former."
        return replace(files, config=tables[0], warnings=(f"{folder}: {doubt}",))
    return files


def find_snapshot(name: str, download_root: Folder | None) -> Path | None:
    """Find the folder of a model of the hub in its cache; nothing is downloaded."""
    repository, subfolder = split_subfolder(name)
    folder = hub.find(repository, partial(_choose, name=repository, subfolder=subfolder), download_root)
    return folder and folder / subfolder


def split_subfolder(name: str) -> tuple[str, str]:
    """Split the name of a subfolder, if there is one, off that of a repository."""
    match = _SUBFOLDER.fullmatch(name)
    return (match[1] + match[3], match[2]) if match else (name, "")


def _with_tokenizer(files: ModelFiles, download_root: Folder | None) -> ModelFiles:
    """Fetch the tokenizer that OpenCLIP's config file names in another repository, if there is none beside it."""
    assert files.config is not None
    repository = files.config.section("model_cfg").section("text_cfg").json.get("hf_tokenizer_name")
    if not (isinstance(repository, str) and repository) or has_tokenizer(files.config.path.parent):
        return files
    with suppress(DownloadError, ModelNotFoundError):  # images need none; the first text says what is missing
        return replace(files, tokenizer=hub.obtain(f"{hub.PREFIX}{repository}", tokenizer_files, download_root))
    return files


def _choose(names: Iterable[str], name: str, subfolder: str, *, is_all: bool = True) -> list[str]:
    names = list(names)
    found = wanted(names, subfolder=subfolder, is_all=is_all)
    if not found and not subfolder and is_all and (folders := folders_with_models(names)):
        repository, at, revision = name.partition("@")
        meant = next((folder for folder in folders if revision.endswith(f"/{folder}")), folders[0])
        raise ModelNotFoundError(
            f"{name}: has models in {len(folders)} subfolders ({listed(folders)}); expected one. "
            f"Name one of them: {repository}/{meant}{at}{revision.removesuffix(f'/{meant}')}."
        )
    return found


def _in_catalogue(name: str, path: Path) -> ModelFiles:
    return ModelFiles(path=path, weights=path, activation=Claim(name, "was trained with", "quick_gelu"))


def _openais(name: str, download_root: Folder | None) -> ModelFiles:
    """Find OpenAI's file of a model, or a copy in another library's layout."""
    path, is_copy = sources.obtain(DOWNLOADABLE[name], download_root, partial(_check_copy, name=name))
    return replace(_in_catalogue(name, path), copy_of=name if is_copy else None)


def find_file(name: str, download_root: Folder | None) -> Path | None:
    """Find the file of one of OpenAI's models, or a copy of it from the hub; nothing is downloaded or verified."""
    return sources.find(DOWNLOADABLE[name], download_root, partial(_check_copy, name=name))


def _check_copy(path: Path, name: str) -> None:
    from numpyclip.families.openai_copies import check

    check(path, name)


def _of_architecture(name: str, pretrained: Folder, download_root: Folder | None) -> ModelFiles:
    """Find weights of an architecture of OpenCLIP's: published ones by their tag, or a file or folder."""
    if architecture(name) is None and (name.startswith(hub.PREFIX) or name in available_models() or exists(name)):
        raise InputError(f"{name}: is not an architecture of OpenCLIP's; leave `pretrained` out.")
    known = find_architecture(name)
    if model := known.find(os.fspath(pretrained)):
        return _published(known, model, download_root)
    if exists(pretrained):
        return _own(known, Path(pretrained))
    raise unknown_tag(known, os.fspath(pretrained))


def _published(known: Architecture, model: PublishedModel, download_root: Folder | None) -> ModelFiles:
    if model.openai:
        return _openais(model.openai, download_root)
    _read_config(known, model)  # of a model that is not supported nothing is downloaded
    folder = hub.obtain(f"{hub.PREFIX}{model.hub}", partial(wanted, has_table=True), download_root)
    table = _table(known, model, folder)
    found = contradiction(table, folder)
    files = files_at(folder, table, f"{found} The latter is used." if found else None)
    return _with_tokenizer(files, download_root)


def _own(known: Architecture, path: Path) -> ModelFiles:
    table = _table(known, None, path if path.is_dir() else path.parent)
    if found := contradiction(table, path):
        raise CheckpointError(f"{path}: {found} Load the folder by its name alone, or another architecture.")
    doubt = (
        f"Images are preprocessed as for the published weights of {known.name}, not as for OpenAI's, which open_clip "
        "does with a file alone."
    )
    return files_at(path, table, doubt if known.preprocess != OPENAI_PREPROCESS else None)


def _table(known: Architecture, model: PublishedModel | None, folder: Path | None = None) -> Section:
    """Return the config in OpenCLIP's table as if it were in a folder, where a tokenizer may be."""
    name = f"{known.name} {model.tag}" if model else known.name
    return Section(folder / name if folder else Path(name), "", known.describe(model))


def _read_config(
    known: Architecture, model: PublishedModel | None, folder: Path | None = None
) -> tuple[CLIPConfig, Callable[[], Tokenizer]]:
    from numpyclip.families import open_clip

    return open_clip.read_config(_table(known, model, folder))


def is_supported(known: Architecture, model: PublishedModel) -> bool:
    """Tell by its config whether a published model can be run."""
    try:
        _read_config(known, model)
    except CheckpointError:
        return False
    return True


def read_tokenizer(known: Architecture, download_root: Folder | None) -> tuple[Tokenizer, int]:
    """Return the tokenizer of an architecture and its context length, without any weights.

    Nothing is downloaded if such a model is not supported. Errors are also those of `numpyclip.weights.hub.obtain`.
    """
    config, tokenizer = _read_config(known, None)
    if repository := known.model_cfg["text_cfg"].get("hf_tokenizer_name"):
        folder = hub.obtain(f"{hub.PREFIX}{repository}", tokenizer_files, download_root)
        config, tokenizer = _read_config(known, None, folder)
    assert config.text is not None
    return tokenizer(), config.text.context_length


def find_architecture(name: str) -> Architecture:
    """Find an architecture of OpenCLIP's by its name; ModelNotFoundError if there is none."""
    if known := architecture(name):
        return known
    raise unknown_name(name, is_architecture=True)


def find_tagged(name: str, tag: str) -> tuple[Architecture, PublishedModel]:
    """Find an architecture and its published weights of a tag; an error says what was meant by either."""
    known = find_architecture(name)
    if model := known.find(tag):
        return known, model
    if exists(tag):
        raise InputError(f"{tag}: is a file or folder here; expected a tag that `numpyclip models list {name}` shows.")
    raise unknown_tag(known, tag)
