"""`numpyclip models`: which models there are, where they lie, and getting and checking them."""

import argparse
import json
from typing import Any

from numpyclip.cli.options import add_folder_option, add_verb
from numpyclip.errors import InputError, ModelNotFoundError
from numpyclip.weights.catalogue import DOWNLOADABLE, EMBEDDED, KnownModel

_EXAMPLES = """\
  numpyclip models
  numpyclip models download ViT-B/32
  numpyclip models verify
  numpyclip models cache
  numpyclip models cache --clear

list: every model that is known by name, whether it is here, and the file. verify: compare what is here with the
published SHA-256; the exit status is 1 if a file is damaged. cache: the files of prepared weights that make the next
start fast ($NUMPYCLIP_CACHE says where they lie, and 0 that there shall be none); --clear removes them. Models from
elsewhere are used by path: --model FILE."""


def add_to(verbs: Any) -> None:
    """Add the command to the parser."""
    verb = add_verb(verbs, "models", "List models, download them, verify them.", _EXAMPLES)
    verb.add_argument(
        "action",
        nargs="?",
        choices=["list", "download", "verify", "cache"],
        default="list",
        metavar="ACTION",
        help="list (default), download, verify or cache",
    )
    verb.add_argument("items", nargs="*", metavar="NAME", help="models to download or verify (verify: default all)")
    verb.add_argument("--json", action="store_true", help="print one JSON object per line")
    verb.add_argument("--clear", action="store_true", help="with cache: remove the files")
    add_folder_option(verb)
    verb.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Do one of the four actions."""
    action = {"list": _list, "download": _download, "verify": _verify, "cache": _cache}[arguments.action]
    if arguments.clear and arguments.action != "cache":
        raise InputError("--clear removes prepared weights; expected `numpyclip models cache --clear`.")
    return action(arguments)


def _list(arguments: argparse.Namespace) -> int:
    from numpyclip.weights.local import is_present, weights_folder

    folder = weights_folder(arguments.download_root)
    for name in arguments.items or [*DOWNLOADABLE, *EMBEDDED]:
        if name in EMBEDDED:
            _print(arguments, name, "in the package", str(EMBEDDED[name]))
        else:
            model = _known(name)
            here = is_present(model, arguments.download_root)
            _print(arguments, name, "downloaded" if here else "not downloaded", str(folder / model.file))
    return 0


def _download(arguments: argparse.Namespace) -> int:
    from numpyclip.weights.download import obtain

    if not arguments.items:
        raise InputError(f"no model named; expected one or more of {', '.join(DOWNLOADABLE)}.")
    for model in [_known(name) for name in arguments.items]:
        _print(arguments, model.name, "downloaded", str(obtain(model, arguments.download_root)))
    return 0


def _verify(arguments: argparse.Namespace) -> int:
    from numpyclip.weights.local import verify, weights_folder

    folder = weights_folder(arguments.download_root)
    damaged = False
    for model in [_known(name) for name in arguments.items or DOWNLOADABLE]:
        state = verify(model, arguments.download_root)
        if state == "missing" and not arguments.items:
            continue
        damaged = damaged or state != "verified"
        _print(arguments, model.name, state, str(folder / model.file))
    return 1 if damaged else 0


def _cache(arguments: argparse.Namespace) -> int:
    from numpyclip.weights.prepared import prepared_files, remove_prepared

    if arguments.items:
        raise InputError("cache is about all prepared weights; expected no names of models behind it.")
    for file in prepared_files():
        size = file.stat().st_size
        state = "removed" if arguments.clear and remove_prepared(file) else "kept"
        if arguments.json:
            print(json.dumps({"state": state, "bytes": size, "path": str(file)}))
        else:
            print(f"{state:<8}{size / 2**20:>7.0f} MiB  {file}", flush=True)
    return 0


def _known(name: str) -> KnownModel:
    if name not in DOWNLOADABLE:
        raise ModelNotFoundError(f"Model {name!r} is not one to download; expected one of {', '.join(DOWNLOADABLE)}.")
    return DOWNLOADABLE[name]


def _print(arguments: argparse.Namespace, name: str, state: str, path: str) -> None:
    if arguments.json:
        print(json.dumps({"model": name, "state": state, "path": path}))
    else:
        print(f"{name:<16}{state:<16}{path}", flush=True)
