"""`numpyclip models`: list models, download them, verify them."""

import argparse
import os
from pathlib import Path

from numpyclip.cli.options import add_weights_options
from numpyclip.cli.outputs import print_columns, print_json, say
from numpyclip.cli.published_models import print_facts, print_table
from numpyclip.errors import InputError
from numpyclip.weights.catalogue import DOWNLOADABLE, EMBEDDED, KnownModel

EXAMPLES = """\
  numpyclip models
  numpyclip models --all
  numpyclip models list ViT-B-32
  numpyclip models download ViT-B/32
  numpyclip models download ViT-B-32 --pretrained laion2b_s34b_b79k
  numpyclip models download hf-hub:laion/CLIP-ViT-B-32-laion2B-s34B-b79K
  numpyclip models verify
  numpyclip models verify ViT-B/32 --images images/
  numpyclip models verify clip-vit-base-patch32/ --as hf-hub:openai/clip-vit-base-patch32
  numpyclip models cache
  numpyclip models cache --clear

list: every model that is known by name, whether it is here, and the file. With --all, the published models of OpenCLIP
that can be run here: architecture, tag, side of images in pixels, megabytes to download, zero-shot accuracy on
ImageNet (IN1k) and recall at 1 of images for a text on COCO, in percent, NumPyCLIP's images per second over those of
ViT-B/32 (rate), and licence: "research" forbids commercial use, as CC-BY-NC does. - where nothing is published.
All facts, also texts, languages, parameters and memory: list ARCHITECTURE, or --all --json. verify: compare the
files here with the published SHA-256, and what the models compute with outputs that others have published: of texts,
and of images, which --images FOLDER has; each is shown with its source. hf-hub: names, tags and folders are loaded for
it, and downloaded if they are missing; --as says which published model a file or folder is. The exit status is 1 if a
file is damaged or an output differs. cache: the files of prepared weights that make the next start fast (in
$NUMPYCLIP_CACHE; 0 for none); --clear removes them.
Models from elsewhere are used by path, as in numpyclip embed images --model FILE."""


def add_options(command: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    command.add_argument(
        "action",
        nargs="?",
        choices=list(_ACTIONS),
        default="list",
        metavar="ACTION",
        help="list (default), download, verify or cache",
    )
    command.add_argument("items", nargs="*", metavar="NAME", help="models to download or verify (verify: default all)")
    command.add_argument("--all", action="store_true", help="with list: OpenCLIP's published models")
    command.add_argument("--json", action="store_true", help="print one JSON object per line")
    command.add_argument("--clear", action="store_true", help="with cache: remove the files")
    command.add_argument("--images", metavar="FOLDER", help="with verify: where the known images are (default: .)")
    command.add_argument(
        "--as", metavar="NAME", dest="published_as", help="with verify: the published model that a file or folder is of"
    )
    add_weights_options(command, "NAME")


def run(arguments: argparse.Namespace) -> int:
    """Do one of the four actions."""
    for option, (name, actions) in _OPTIONS.items():
        if getattr(arguments, name) not in (None, False) and arguments.action not in actions:
            raise InputError(f"{option} is for `numpyclip models {actions[0]}`, not for {arguments.action}.")
    return _ACTIONS[arguments.action](arguments)


def _list(arguments: argparse.Namespace) -> int:
    if arguments.all and arguments.json:
        print_facts(arguments.items, as_json=True)
    elif arguments.all:
        print_table(arguments.items)
    else:
        published = [name for name in arguments.items if _is_architecture(name)]
        known = [_known_or_embedded(name) for name in arguments.items or _NAMES if name not in published]
        if published:
            print_facts(published, as_json=arguments.json)
        for name in known:
            _print_state(arguments, name)
    return 0


def _print_state(arguments: argparse.Namespace, name: str) -> None:
    from numpyclip.weights.local import weights_folder

    if name in EMBEDDED:
        _print(arguments, name, "in the package", str(EMBEDDED[name]))
        return
    found = _file_or_copy(arguments, name)
    file = found or weights_folder(arguments.download_root) / DOWNLOADABLE[name].file
    _print(arguments, name, "downloaded" if found else "not downloaded", str(file))


def _file_or_copy(arguments: argparse.Namespace, name: str) -> Path | None:
    """Find the file of one of OpenAI's models, or a copy of it from the hub."""
    from numpyclip.families.locate import find_copy
    from numpyclip.weights.local import is_present, weights_folder

    if is_present(DOWNLOADABLE[name], arguments.download_root):
        return weights_folder(arguments.download_root) / DOWNLOADABLE[name].file
    return find_copy(name, arguments.download_root)


def _known_or_embedded(name: str) -> str:
    return name if name in EMBEDDED else _known(name).name


def _is_architecture(name: str) -> bool:
    """Tell whether a name is one of OpenCLIP's and not one of OpenAI's, for some are both."""
    from numpyclip.weights.published import architecture

    return name not in DOWNLOADABLE and name not in EMBEDDED and architecture(name) is not None


def _download(arguments: argparse.Namespace) -> int:
    if not arguments.items:
        raise InputError(
            f"no model named; expected one or more of {', '.join(DOWNLOADABLE)}, or hf-hub:organization/name, "
            "or a name of OpenCLIP's with --pretrained."
        )
    if arguments.pretrained is not None and len(arguments.items) > 1:
        raise InputError(f"got {len(arguments.items)} names; expected one architecture with --pretrained.")
    from numpyclip.families.aliases import resolve
    from numpyclip.families.locate import find_architecture, locate, unknown_tag

    for name in arguments.items:  # a wrong name is an error before hours pass
        if arguments.pretrained is not None:
            known = find_architecture(name)
            if known.find(arguments.pretrained) is None:
                raise unknown_tag(known, arguments.pretrained)
        elif resolve(name) == (name, None, None) and not name.startswith("hf-hub:"):
            _known(name)
    for name in arguments.items:
        named = resolve(name, arguments.pretrained)
        files = locate(named.name, named.pretrained, arguments.download_root)
        if named.text_model is not None:
            locate(os.fspath(named.text_model), None, arguments.download_root)
        _print(arguments, name, "downloaded", str(files.path))
    return 0


def _verify(arguments: argparse.Namespace) -> int:
    from numpyclip.weights.local import weights_folder

    if len(arguments.items) != 1 and (arguments.pretrained or arguments.published_as):
        raise InputError(f"got {len(arguments.items)} names; expected one with --pretrained or --as.")
    names = arguments.items or [name for name in DOWNLOADABLE if _file_or_copy(arguments, name)]
    if not names:
        say(f"none of the known models is in {weights_folder(arguments.download_root)}.")
    results = [_is_verified(arguments, name) for name in names]  # also those behind one that is damaged
    return 0 if all(results) else 1


def _is_verified(arguments: argparse.Namespace, name: str) -> bool:
    """Verify the file of one of OpenAI's models, and the outputs of any model."""
    from numpyclip.cli.verification import verify_outputs
    from numpyclip.families.aliases import resolve
    from numpyclip.families.locate import find_architecture, unknown_tag
    from numpyclip.weights.local import exists, verify, weights_folder

    named = resolve(name, arguments.pretrained)
    if named.text_model is not None:
        raise InputError(f"{name}: is a text tower; verify {named.name}, whose images it searches.")
    name, tag = named.name, None if named.pretrained is None else os.fspath(named.pretrained)
    if tag is not None and not exists(tag):
        known = find_architecture(name)
        if (published := known.find(tag)) is None:
            raise unknown_tag(known, tag)
        name, tag = (published.openai, None) if published.openai else (name, tag)
    if tag is None and not name.startswith("hf-hub:") and (name in DOWNLOADABLE or not exists(name)):
        model = _known(name)
        file = _file_or_copy(arguments, name) or weights_folder(arguments.download_root) / model.file
        state = verify(model, arguments.download_root)
        is_copy = state == "missing" and file.exists()  # which was verified by the SHA-256 of its own
        _print(arguments, name, "copy" if is_copy else state, str(file))
        if state != "verified" and not is_copy:
            return False
    return verify_outputs(arguments, name, tag)


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


_NAMES = (*DOWNLOADABLE, *EMBEDDED)
_OPTIONS = {  # those of some actions → the argument, and these actions
    "--all": ("all", ("list",)),
    "--pretrained": ("pretrained", ("download", "verify")),
    "--clear": ("clear", ("cache",)),
    "--images": ("images", ("verify",)),
    "--as": ("published_as", ("verify",)),
}
_ACTIONS = {"list": _list, "download": _download, "verify": _verify, "cache": _cache}


def _known(name: str) -> KnownModel:
    if name in EMBEDDED:
        raise InputError(f"Model {name!r} is in the package; there is nothing to download or to verify.")
    if name not in DOWNLOADABLE:
        from numpyclip.families.locate import unknown_name

        raise unknown_name(name)
    return DOWNLOADABLE[name]


def _print(arguments: argparse.Namespace, name: str, state: str, path: str) -> None:
    if arguments.json:
        print_json({"model": name, "state": state, "path": path})
    else:
        print_columns(f"{name:<15} {state:<15} {path}")
