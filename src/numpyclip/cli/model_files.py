"""Files of the models that `numpyclip models` lists: whether they are downloaded, and where."""

from __future__ import annotations

import argparse
from pathlib import Path

from numpyclip.cli.outputs import print_columns, print_json
from numpyclip.errors import InputError
from numpyclip.weights.catalogue import DOWNLOADABLE, EMBEDDED, KnownModel


def known_model(name: str) -> KnownModel:
    """Find one of OpenAI's models by its name."""
    if name in EMBEDDED:
        raise InputError(f"Model {name!r} is in the package; there is nothing to download or to verify.")
    if name not in DOWNLOADABLE:
        from numpyclip.families.unknown_names import unknown_name

        raise unknown_name(name)
    return DOWNLOADABLE[name]


def state_of(name: str, download_root: str | None) -> tuple[str, Path]:
    """Tell whether a model is here, and where its file is, or would be."""
    from numpyclip.families.locate import find_file
    from numpyclip.weights.local import is_stamped, weights_folder

    if name in EMBEDDED:
        return "in the package", EMBEDDED[name]
    model = DOWNLOADABLE[name]
    place = weights_folder(download_root) / model.file
    try:
        place = (found := find_file(name, download_root)) or place
        is_verified = place.name != model.file or is_stamped(place, model.sha256)  # of a copy that is not asked
    except OSError:  # of other users' files
        return "unreadable", place
    return ("downloaded" if is_verified else "unverified", place) if found else ("not downloaded", place)


def print_state(arguments: argparse.Namespace, name: str, state: str, place: Path | str) -> None:
    """Print the state of a model, and where it is."""
    if arguments.json:
        print_json({"model": name, "state": state, "path": str(place)})
    else:
        print_columns(f"{name:<15} {state:<15} {place}")
