"""`numpyclip models verify`: whether files are the published ones, and models compute what the reference does."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from numpyclip.cli.model_files import known_model, print_state
from numpyclip.cli.options import engine_options
from numpyclip.cli.outputs import print_columns, print_json, say, say_error
from numpyclip.errors import CheckpointError, InputError, ModelNotFoundError, NumPyCLIPError
from numpyclip.weights.catalogue import DOWNLOADABLE
from numpyclip.weights.hub import PREFIX

if TYPE_CHECKING:
    from numpyclip.dual_encoder.clip import CLIP
    from numpyclip.tasks.known_outputs import KnownOutput

_SHOWN = 6  # numbers of a row


def verify(arguments: argparse.Namespace) -> int:
    """Verify the models that are named, or all known ones that are here; also those after a damaged one."""
    from numpyclip.families.locate import find_file
    from numpyclip.weights.local import weights_folder

    if len(arguments.items) != 1 and (arguments.pretrained or arguments.published_as):
        raise InputError(f"got {len(arguments.items)} names; expected one with --pretrained or --as.")
    if arguments.images and not Path(arguments.images).is_dir():
        raise InputError(f"{arguments.images}: no folder here; expected one with the known images.")
    names = arguments.items or [name for name in DOWNLOADABLE if find_file(name, arguments.download_root)]
    if not names:
        folder = weights_folder(arguments.download_root)
        say(f"none of the known models is in {folder}; `numpyclip models download ViT-B/32` fetches one.")
    results = [_is_verified(arguments, name) for name in names]
    return 2 if None in results else 0 if results and all(results) else 1


def _is_verified(arguments: argparse.Namespace, name: str) -> bool | None:
    """Verify a model; or say what kept it from that, so that others may follow, and return None."""
    try:
        return _is_sound(arguments, name)
    except InputError:
        raise
    except (NumPyCLIPError, OSError) as error:
        say_error(error)
        return False if isinstance(error, CheckpointError) else None


def _is_sound(arguments: argparse.Namespace, name: str) -> bool:
    from numpyclip.weights.local import exists

    name, tag = _resolved(arguments, name)
    compared_as = _compared_as(arguments, name, tag)
    is_known = tag is None and not name.startswith(PREFIX) and (name in DOWNLOADABLE or not exists(name))
    file_ok = _verify_known_file(arguments, name) if is_known else _verify_cached_files(arguments, name, tag)
    if file_ok is False:
        return False
    agree = _verify_outputs(arguments, (name, tag), compared_as)
    if agree is None and file_ok and is_known:
        say(f"{name}: its file is the published one; what it computes was not compared.")
    elif agree is None and file_ok:
        _load(arguments, name, tag)
        say(
            f"{name}: its files are what the hub stated when they were fetched, and it can be loaded; what it computes "
            "was not compared."
        )
    elif agree is None:
        say("nothing was compared.")
    return bool(file_ok) if agree is None else agree


def _resolved(arguments: argparse.Namespace, name: str) -> tuple[str, str | None]:
    """Return the name and tag that a name stands for; of OpenAI's models the name alone."""
    from numpyclip.families.aliases import resolve
    from numpyclip.families.locate import find_tagged
    from numpyclip.weights.local import exists
    from numpyclip.weights.published import architecture

    if arguments.pretrained and exists(name) and architecture(name) is None:
        raise InputError(
            f"{name}: has weights of its own, and --pretrained goes with OpenCLIP's names of architectures. "
            f"Name the model that it is a copy of with its tag: --as ARCHITECTURE__{arguments.pretrained}."
        )
    named = resolve(name, arguments.pretrained)
    if named.text_model is not None:
        raise InputError(f"{name}: is a text tower; verify {named.name}, whose images it searches.")
    tag = None if named.pretrained is None else os.fspath(named.pretrained)
    if tag is None or exists(tag):
        return named.name, tag
    _, published = find_tagged(named.name, tag)
    return (published.openai, None) if published.openai else (named.name, tag)


def _compared_as(arguments: argparse.Namespace, name: str, tag: str | None) -> tuple[str, str | None]:
    """Return the name and tag of the published model whose outputs are expected."""
    from numpyclip.tasks.known_outputs import find_published, models_with_outputs
    from numpyclip.weights.published import architecture

    given = arguments.published_as
    if given is None:
        return name, tag
    if found := find_published(given):
        return found
    if known := architecture(given):
        tags = " or ".join(f"--as {known.name}__{tag}" for tag in known.models) or "one that was published"
        raise InputError(f"--as {given}: is an architecture; expected {tags}.")
    raise InputError(
        f"--as {given}: no such model was published. Outputs are known of {', '.join(models_with_outputs())}."
    )


# --- files ----------------------------------------------------------------------------------------------------------


def _verify_known_file(arguments: argparse.Namespace, name: str) -> bool | None:
    """Tell whether the file of one of OpenAI's models, or a copy, is the published one; None if nobody can."""
    from numpyclip.families.locate import find_file
    from numpyclip.weights.local import verify as verify_file
    from numpyclip.weights.local import weights_folder

    model = known_model(name)
    file = find_file(name, arguments.download_root) or weights_folder(arguments.download_root) / model.file
    is_copy = file.name != model.file
    state: str = _state_of_blob(file) if is_copy else verify_file(file, model.sha256)
    print_state(arguments, name, state, file)
    if state == "missing":
        raise ModelNotFoundError(f"{name}: is not here; `numpyclip models download {name}` fetches it.")
    return {"verified": True, "unverified": None}.get(state, False)


def _verify_cached_files(arguments: argparse.Namespace, name: str, tag: str | None) -> bool | None:
    """Tell whether the files of a model in the cache of the hub are what it states; None if it is elsewhere."""
    from numpyclip.families.locate import locate

    path = locate(name, tag, arguments.download_root).path
    files = sorted(path.rglob("*")) if path.is_dir() else [path]
    states = [(file, state) for file in files if file.is_file() and (state := _state_of_blob(file)) != "unverified"]
    for file, state in states:
        print_state(arguments, name, state, file)
    return all(state == "verified" for _, state in states) if states else None


def _state_of_blob(file: Path) -> str:
    """Tell whether a file in the cache of the hub is what the hub has stated; "unverified" if that is not known."""
    from numpyclip.weights.hub_cache import is_intact

    return {True: "verified", False: "damaged", None: "unverified"}[is_intact(file)]


# --- outputs --------------------------------------------------------------------------------------------------------


def _verify_outputs(
    arguments: argparse.Namespace, model: tuple[str, str | None], compared_as: tuple[str, str | None]
) -> bool | None:
    """Compute the known outputs of a model and compare them; tell whether all agree, None if none was compared."""
    from numpyclip.tasks.known_outputs import known_outputs

    name, pretrained = model
    outputs = known_outputs(*compared_as)
    if not outputs and not arguments.published_as and Path(name).exists():
        say(f"{name}: --as NAME says which published model it is a copy of.")
    elif not outputs:
        say(f"no outputs of {'__'.join(filter(None, compared_as))} have been published.")
    folder = Path(arguments.images or ".")
    loaded: CLIP | None = None
    agree: bool | None = None
    for output in outputs:
        if missing := output.missing(folder):
            _print(arguments, name, output, "not computed", None)
            for image, why in missing.items():
                say(f"{image.file}: {why}; get it from {image.url} and pass --images FOLDER.")
            continue
        loaded = loaded or _load(arguments, name, pretrained)
        found = output.compute(loaded, folder)
        is_same = output.agrees(found)
        agree = agree is not False and is_same
        others = [] if is_same else output.unpinned(folder)
        _print(arguments, name, output, "agrees" if is_same else "unclear" if others else "differs", found)
        for other in others:
            say(f"{other}: was used, and may be another image: its SHA-256 was not published.")
    return agree


def _load(arguments: argparse.Namespace, name: str, pretrained: str | None) -> CLIP:
    from numpyclip import loader

    options = engine_options(arguments)
    return loader.load(name, pretrained=pretrained, download_root=arguments.download_root, **options)[0]


def _print(arguments: argparse.Namespace, name: str, output: KnownOutput, state: str, found: np.ndarray | None) -> None:
    if arguments.json:
        facts = {"model": name, "state": state, "kind": output.kind, "inputs": output.inputs, "source": output.source}
        numbers = {"expected": output.expected.tolist(), "found": None if found is None else found.tolist()}
        print_json({**facts, **numbers, "atol": output.atol, "rtol": output.rtol})
        return
    print_columns(f"{name:<15} {state:<15} {output.kind.replace('_', ' ')} of {output.inputs}")
    print_columns(f"  source    {output.source}")
    print_columns(f"  expected  {_numbers(output.expected)}")
    if found is not None:
        print_columns(f"  found     {_numbers(found)}")
        largest = float(np.abs(found - output.expected).max())
        relative = f" + {output.rtol:g} of the number" if output.rtol else ""
        print_columns(f"  largest difference {largest:.2g}; allowed: {output.atol:g}{relative}")


def _numbers(rows: np.ndarray) -> str:
    written = [" ".join(f"{number:.5g}" for number in row[:_SHOWN]) for row in rows.tolist()]
    return " | ".join(written)
