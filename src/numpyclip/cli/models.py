"""`numpyclip models`: list models, download them, verify them."""

from __future__ import annotations

import argparse
import os
from typing import TYPE_CHECKING

from numpyclip.arguments import ENGINE_OPTIONS
from numpyclip.cli.model_files import known_model, print_state, state_of
from numpyclip.cli.options import add_engine_options, add_weights_options
from numpyclip.cli.outputs import print_columns, print_json, say, say_error
from numpyclip.cli.published_models import ORDERS, print_facts, print_table, published_models
from numpyclip.errors import InputError, NumPyCLIPError
from numpyclip.weights.catalogue import DOWNLOADABLE, EMBEDDED
from numpyclip.weights.hub import PREFIX
from numpyclip.weights.published import architecture

if TYPE_CHECKING:
    from numpyclip.cli.published_models import Published

EXAMPLES = """\
  numpyclip models
  numpyclip models --all --sort accuracy
  numpyclip models list ViT-B-32
  numpyclip models download ViT-B/32
  numpyclip models download ViT-B-32 --pretrained laion2b_s34b_b79k
  numpyclip models download hf-hub:laion/CLIP-ViT-B-32-laion2B-s34B-b79K
  numpyclip models verify
  numpyclip models verify ViT-B/32 --images images/
  numpyclip models verify clip-vit-base-patch32/ --as openai/clip-vit-base-patch32
  numpyclip models cache
  numpyclip models cache --clear

list: every model that is known by name, and whether it is here; "unverified" is a file that NumPyCLIP has not compared
with the published SHA-256, "unreadable" one that this user may not read. With names, also all facts of them: accuracy,
license, parameters, languages, speed.

list --all: the published models of OpenCLIP that can be run here: architecture, tag, side of images in pixels,
megabytes to download, zero-shot accuracy on ImageNet (IN1k) and recall at 1 of images for a text on COCO, in percent,
NumPyCLIP's images per second over those of ViT-B/32 (rate), and license: "research" forbids commercial use, as CC-BY-NC
does. - where nothing is published or measured. --json has all facts.

download: OpenAI's by name, OpenCLIP's with --pretrained TAG, those of the hub with hf-hub: before their names. The exit
status is 3 if one could not be had, 2 if none could.

verify: compare the files here with the published SHA-256, and what the models compute with outputs that others have
published: of texts, and of images, which --images FOLDER has; each is shown with its source. hf-hub: names, tags and
folders are loaded for it, and downloaded if they are missing; --as names the published model that NAME is a copy of.
The exit status is 1 if a file is damaged, an output differs, or there was nothing to compare, 2 if a model is not here.

cache: the files of prepared weights that make the next start fast (in $NUMPYCLIP_CACHE; 0 for none); --clear removes
them.

Models from elsewhere are used by path, as in numpyclip embed images --model FILE."""


def add_options(command: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    command.add_argument(
        "action",
        nargs="?",
        type=_action,
        choices=list(_ACTIONS),
        default="list",
        metavar="ACTION",
        help="list (default), download, verify or cache",
    )
    command.add_argument(
        "items", nargs="*", metavar="NAME", help="models to list, download or verify (list and verify: default all)"
    )
    command.add_argument("--all", action="store_true", help="with list: OpenCLIP's published models")
    command.add_argument("--sort", choices=list(ORDERS), help="with list --all: the order of its rows (default: name)")
    command.add_argument("--json", action="store_true", help="print one JSON object per line")
    command.add_argument("--clear", action="store_true", help="with cache: remove the files")
    command.add_argument("--images", metavar="FOLDER", help="with verify: where the known images are (default: .)")
    command.add_argument(
        "--as",
        metavar="NAME",
        dest="published_as",
        help="with verify: name of the published model that NAME is a copy of",
    )
    add_weights_options(command, "NAME")
    add_engine_options(command.add_argument_group("verify"))


def run(arguments: argparse.Namespace) -> int:
    """Do one of the four actions."""
    for option, (name, actions) in _OPTIONS.items():
        if getattr(arguments, name) not in (None, False) and arguments.action not in actions:
            raise InputError(f"{option} is for `numpyclip models {actions[0]}`, not for {arguments.action}.")
    return _ACTIONS[arguments.action](arguments)


def _action(word: str) -> str:
    """Take an action, or a word that may be meant as one; but not the name of a model."""
    if word in DOWNLOADABLE or word in EMBEDDED or word.startswith(PREFIX) or architecture(word):
        raise argparse.ArgumentTypeError(f"{word!r} is a model; did you mean `numpyclip models list {word}`?")
    return word


# --- list -----------------------------------------------------------------------------------------------------------


def _list(arguments: argparse.Namespace) -> int:
    if arguments.sort and not arguments.all:
        raise InputError("--sort is for `numpyclip models list --all`.")
    if arguments.pretrained is not None and len(arguments.items) != 1:
        raise InputError(f"got {len(arguments.items)} names; expected one with --pretrained.")
    if not arguments.all and not arguments.items:
        for name in (*DOWNLOADABLE, *EMBEDDED):
            print_state(arguments, name, *state_of(name, arguments.download_root))
        return 0
    found = [(name, _published(arguments, name)) for name in arguments.items]  # all, before anything is printed
    if arguments.all:
        models = [model for _, models in found for model in models] if found else published_models()
        if arguments.json:
            print_facts(models, as_json=True)
        else:
            print_table(models, arguments.sort)
        return 0
    for name, models in found:
        _print_known(arguments, name)
        print_facts(models, as_json=arguments.json)
    return 0


def _published(arguments: argparse.Namespace, name: str) -> list[Published]:
    """Find what is published of a model by any of its names."""
    if name in EMBEDDED and not arguments.all:
        return []
    if name in EMBEDDED:
        raise InputError(f"{name}: is in the package, and --all lists OpenCLIP's published models.")
    return published_models(name, arguments.pretrained)


def _print_known(arguments: argparse.Namespace, name: str) -> None:
    """Print whether a model that is named here is on the disk."""
    from numpyclip.families.locate import find_snapshot, split_subfolder
    from numpyclip.weights.hub import repository_of
    from numpyclip.weights.network_settings import hub_endpoint

    if name in DOWNLOADABLE or name in EMBEDDED:
        print_state(arguments, name, *state_of(name, arguments.download_root))
    elif name.startswith(PREFIX):
        folder = find_snapshot(name, arguments.download_root)
        page = f"{hub_endpoint()}/{repository_of(split_subfolder(name)[0])}"
        print_state(arguments, name, "downloaded" if folder else "not downloaded", folder or page)


# --- download -------------------------------------------------------------------------------------------------------


def _download(arguments: argparse.Namespace) -> int:
    if not arguments.items:
        raise InputError(
            f"no model named; expected one or more of {', '.join(DOWNLOADABLE)}, or {PREFIX}organization/name, "
            "or a name of OpenCLIP's with --pretrained."
        )
    if arguments.pretrained is not None and len(arguments.items) > 1:
        raise InputError(f"got {len(arguments.items)} names; expected one architecture with --pretrained.")
    from numpyclip.families.aliases import resolve
    from numpyclip.families.locate import find_tagged

    for name in arguments.items:  # a wrong name is an error before hours pass
        if arguments.pretrained is not None:
            find_tagged(name, arguments.pretrained)
        elif resolve(name) == (name, None, None) and not name.startswith(PREFIX):
            known_model(name)
    results = [_is_downloaded(arguments, name) for name in arguments.items]
    return 0 if all(results) else 3 if any(results) else 2


def _is_downloaded(arguments: argparse.Namespace, name: str) -> bool:
    """Download a model, and say so; or say what kept it from that, so that others may follow."""
    from numpyclip.families.aliases import resolve
    from numpyclip.families.locate import locate

    named = resolve(name, arguments.pretrained)
    try:
        files = locate(named.name, named.pretrained, arguments.download_root)
        if named.text_model is not None:
            locate(os.fspath(named.text_model), None, arguments.download_root)
    except NumPyCLIPError as error:
        say_error(error)
        return False
    print_state(arguments, name, "downloaded", files.path)
    return True


def _verify(arguments: argparse.Namespace) -> int:
    from numpyclip.cli.verification import verify

    return verify(arguments)


def _cache(arguments: argparse.Namespace) -> int:
    from numpyclip.runtime.prepared import prepared_files, remove_prepared

    if arguments.items:
        raise InputError("cache is for all prepared weights; expected no names of models.")
    files = list(prepared_files())
    if not files:
        say("no prepared weights are cached.")
    for file in files:
        size = file.stat().st_size
        state = "removed" if arguments.clear and remove_prepared(file) else "kept"
        if arguments.json:
            print_json({"state": state, "bytes": size, "path": str(file)})
        else:
            print_columns(f"{state:<8}{size / 2**20:>7.0f} MiB  {file}")
    return 0


_OPTIONS = {  # those of some actions → the argument, and these actions
    "--all": ("all", ("list",)),
    "--sort": ("sort", ("list",)),
    "--pretrained": ("pretrained", ("download", "verify", "list")),
    "--clear": ("clear", ("cache",)),
    "--images": ("images", ("verify",)),
    "--as": ("published_as", ("verify",)),
    **{f"--{name}": (name, ("verify",)) for name in ENGINE_OPTIONS},
}
_ACTIONS = {"list": _list, "download": _download, "verify": _verify, "cache": _cache}
