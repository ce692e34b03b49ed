"""The index that a command opens, and the model that the index was made with."""

from __future__ import annotations

import argparse
import json
import os
import shlex
import warnings
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from numpyclip.arguments import ENGINE_OPTIONS
from numpyclip.cli.options import Options, add_models_of_indexes, decode_options, load_model
from numpyclip.cli.outputs import say
from numpyclip.errors import EngineError, InputError, MissingPackageError, NumPyCLIPError
from numpyclip.images.decode_options import DRAFT, MAX_PIXELS
from numpyclip.index.model_options import MODEL_OPTIONS, remembered_options

if TYPE_CHECKING:
    from numpyclip.dual_encoder.clip import CLIP
    from numpyclip.dual_encoder.fingerprint import Fingerprint
    from numpyclip.index.known import KnownEmbeddings
    from numpyclip.index.store import Store

_NAMED = ("model", "pretrained")


def add_store_options(command: argparse.ArgumentParser, several: str = "", options: Options | None = None) -> None:
    """Add where the index is, and options of the model, which by default is the one that the index was made with.

    `several` says what more than one model is for, and `options` is the group of the first, if there is one.
    """
    (options or command).add_argument(
        "--store",
        metavar="PLACE",
        help="folder of the index, or postgresql://... (default: $NUMPYCLIP_INDEX, else a folder in ~/.local/share)",
    )
    add_models_of_indexes(command, several)


def place_of(arguments: argparse.Namespace) -> str:
    """Return where the index is."""
    from numpyclip.index.open_store import default_place

    return arguments.store or default_place()


def open_made(arguments: argparse.Namespace) -> Store:
    """Open an index; the error if there is none names the command that makes it, with the options that were given."""
    from numpyclip.index.database import NoIndexError
    from numpyclip.index.open_store import open_store

    try:
        return open_store(place_of(arguments))
    except NoIndexError as error:
        given = {key: getattr(arguments, key) for key in ("model", "pretrained")}
        if arguments.store is not None and "://" not in arguments.store:
            given["store"] = arguments.store
        options = "".join(f" --{key} {shlex.quote(value)}" for key, value in given.items() if value is not None)
        raise NoIndexError(error.place, f"{options}{error.options}") from error


@contextmanager
def known_embeddings(arguments: argparse.Namespace, model: CLIP) -> Iterator[KnownEmbeddings | None]:
    """Open the index that may have embeddings already, if there is one; report in the end how many were taken from it.

    An index applies the EXIF orientation, and by default decodes large JPEG files at a reduced size: with other options
    nothing is taken from it, nor with --strict-files or --develop-raw, since it may have embeddings of files whose end
    is missing, or of previews, nor with --views.
    """
    place, named = place_of(arguments), arguments.store is not None
    if (
        arguments.no_index
        or replace(decode_options(arguments), max_pixels=MAX_PIXELS) != DRAFT
        or getattr(arguments, "views", None) is not None
        or not (named or _is_there(place))
    ):
        yield None
        return
    from numpyclip.index.known import KnownEmbeddings
    from numpyclip.index.open_store import open_store

    try:
        store = open_store(place)
    except NumPyCLIPError as error:
        if named:
            raise
        say(f"the index is not used: {error}")
        yield None
        return
    with closing(store):
        known = KnownEmbeddings(store, model)
        yield known
        if known.found:
            taken = "1 embedding is that" if known.found == 1 else f"{known.found} embeddings are those"
            say(f"{taken} of the index {store.place}.")


def _is_there(place: str) -> bool:
    return "://" in place or Path(place).is_dir()


def load_remembered(
    arguments: argparse.Namespace, store: Store, *, must_fit: bool = True, migrating: bool = False
) -> CLIP:
    """Load the model that was asked for, else the one that the index was made with, else the usual one.

    Options that are not given are those of the index. With --model these are only the activation, if it is the same
    model, and, unless the index is migrated, the engine and the dimensions of embeddings, which have to be its own.

    Raises
    ------
    InputError
        If none is named and the index was made from Python, which does not record one; or if it must fit the index
        and is another one by its name, which is known without downloading it.
    """
    remembered = remembered_options(store)
    if arguments.model is None and not remembered and store.fingerprint is not None:
        raise InputError(f"{store.place}: was made from Python; name its model with --model.")
    given = _options(arguments)
    if not given.keys().isdisjoint(ENGINE_OPTIONS):  # they go together
        remembered = {key: value for key, value in remembered.items() if key not in ENGINE_OPTIONS}
    wanted = given if arguments.model is not None else {**remembered, **given}
    is_same = all(wanted.get(key) == remembered.get(key) for key in _NAMED)
    has_file = _has_file(wanted) or _has_lost_file(remembered) or _is_exported(remembered.get("model", ""))
    may_fit = is_same or (must_fit and has_file) or _are_copies(wanted, remembered)
    if remembered and must_fit and not may_fit:
        raise InputError(
            f"{store.place}: was made with {_written(remembered)}, not with {_written(wanted)}. Leave out --model, or "
            "re-embed everything: numpyclip index --migrate --model NEW."
        )
    kept = [*["activation"] * is_same, *["truncate_dim", *ENGINE_OPTIONS] * (may_fit and not migrating)]
    wanted = {**{key: remembered[key] for key in kept if key in remembered}, **wanted}
    vars(arguments).update(wanted, truncate_dim=dimensions(wanted))
    arguments.model = arguments.model or arguments.usual_model
    from numpyclip.loader import TruncationWarning

    with warnings.catch_warnings():
        if "truncate_dim" not in given:  # it was said when the index was made
            warnings.simplefilter("ignore", TruncationWarning)
        with _explained({key: wanted[key] for key in ENGINE_OPTIONS if key in wanted and key not in given}, arguments):
            return load_model(arguments)


def load_for_requests(arguments: argparse.Namespace) -> CLIP:
    """Load the model that was asked for, else the one of the index, which need not be there unless it was named."""
    from numpyclip.index.database import NoIndexError

    try:
        with closing(open_made(arguments)) as store:
            return load_remembered(arguments, store, must_fit=False)
    except NoIndexError as error:
        if arguments.store is not None:
            raise
        say(f"nothing to search yet: {error}")
    arguments.model = arguments.model or arguments.usual_model
    return load_model(arguments)


def load_for_embeddings(arguments: argparse.Namespace) -> CLIP:
    """Load the model that was asked for, else that of the index whose embeddings may be taken, else the usual one."""
    from numpyclip.index.open_store import open_store

    place, is_named = place_of(arguments), arguments.store is not None
    if arguments.model is None and not arguments.no_index and (is_named or _is_there(place)):
        try:
            store = open_store(place)
        except NumPyCLIPError:  # of which `known_embeddings` will tell
            if is_named:
                raise
        else:
            with closing(store):
                if remembered_options(store):
                    return load_remembered(arguments, store, must_fit=False)
    arguments.model = arguments.model or arguments.usual_model
    return load_model(arguments)


@contextmanager
def _explained(made_with: dict[str, str], arguments: argparse.Namespace) -> Iterator[None]:
    """Say in an error, perhaps of the engine, that nobody asked for it now."""
    try:
        yield
    except (EngineError, MissingPackageError, InputError) as error:
        if made_with in ({}, {"engine": "numpy"}):
            raise
        options = " ".join(f"--{key} {value}" for key, value in made_with.items())
        other = "" if _is_exported(arguments.model) else "; --engine numpy searches it, too"
        raise type(error)(f"{error} The index was made with {options}{other}.") from error


def _is_exported(model: str) -> bool:
    from numpyclip.families.repository_files import is_exported  # slow to import

    return is_exported(Path(model))


def dimensions(options: dict[str, str]) -> int | None:
    """Return how many dimensions embeddings are truncated to, if they are."""
    dim = options.get("truncate_dim", "")
    return int(dim) if dim.isdecimal() else None


def remember_model(arguments: argparse.Namespace, store: Store, fingerprint: Fingerprint) -> None:
    """Record in the index by which options the model of a fingerprint is loaded."""
    with store.writing(shared=True):
        store.remember_model(fingerprint, json.dumps(_options(arguments)))


def _options(arguments: argparse.Namespace) -> dict[str, str]:
    """Return the options that were given; files by their whole path."""
    options = {key: str(value) for key in MODEL_OPTIONS if (value := getattr(arguments, key)) is not None}
    for key in (*_NAMED, "text_model"):
        if key in options and Path(options[key]).exists():
            options[key] = os.path.abspath(options[key])  # noqa: PTH100  a link stays as it was named
    return options


def _are_copies(wanted: dict[str, str], remembered: dict[str, str]) -> bool:
    """Tell whether two names stand for the same published weights, whose fingerprints will tell whether they fit."""
    from numpyclip.families.aliases import images_of
    from numpyclip.weights.published import published_as

    named = [images_of(options.get("model", ""), options.get("pretrained")) for options in (wanted, remembered)]
    names = [published_as(*each) for each in named]
    return names[0] is not None and names[0] == names[1]


def _has_file(options: dict[str, str]) -> bool:
    """Tell whether a model is in a file, which has to be read to know which one it is."""
    return any(key in options and Path(options[key]).exists() for key in _NAMED)


def _has_lost_file(options: dict[str, str]) -> bool:
    """Tell whether a model was in a file that is gone, so that it has to be named again."""
    return any(Path(options.get(key, "")).is_absolute() and not Path(options[key]).exists() for key in _NAMED)


def _written(options: dict[str, str]) -> str:
    return ":".join(options[key] for key in _NAMED if key in options)
