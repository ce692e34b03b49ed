"""`numpyclip models`: list models, download them, verify them."""

import argparse
import os
from collections.abc import Iterable

from numpyclip.cli.options import add_weights_options
from numpyclip.cli.outputs import print_columns, print_json, say
from numpyclip.errors import InputError
from numpyclip.weights.catalogue import DOWNLOADABLE, EMBEDDED, KnownModel

EXAMPLES = """\
  numpyclip models
  numpyclip models --all
  numpyclip models download ViT-B/32
  numpyclip models download ViT-B-32 --pretrained laion2b_s34b_b79k
  numpyclip models download hf-hub:laion/CLIP-ViT-B-32-laion2B-s34B-b79K
  numpyclip models verify
  numpyclip models cache
  numpyclip models cache --clear

list: every model that is known by name, whether it is here, and the file. With --all, the published models of OpenCLIP
that can be run here: architecture, tag, image size, millions of parameters, zero-shot accuracy on ImageNet in
percent, licence, repository on the Hugging Face hub; - where OpenCLIP has published nothing. verify: compare the
files here with the published SHA-256; the exit status is 1 if one is damaged. cache: the files of prepared weights that
make the next start fast (in $NUMPYCLIP_CACHE; 0 for none); --clear removes them.
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
    command.add_argument("--all", action="store_true", help="with list: the published models of OpenCLIP")
    command.add_argument("--json", action="store_true", help="print one JSON object per line")
    command.add_argument("--clear", action="store_true", help="with cache: remove the files")
    add_weights_options(command, "NAME")


def run(arguments: argparse.Namespace) -> int:
    """Do one of the four actions."""
    for option, action in (("all", "list"), ("pretrained", "download"), ("clear", "cache")):
        if getattr(arguments, option) and arguments.action != action:
            raise InputError(f"--{option} is for `numpyclip models {action}`, not for {arguments.action}.")
    return _ACTIONS[arguments.action](arguments)


def _list(arguments: argparse.Namespace) -> int:
    if arguments.all:
        return _list_published(arguments)
    from numpyclip.families.locate import find_copy
    from numpyclip.weights.local import is_present, weights_folder

    folder = weights_folder(arguments.download_root)
    for name in arguments.items or [*DOWNLOADABLE, *EMBEDDED]:
        if name in EMBEDDED:
            _print(arguments, name, "in the package", str(EMBEDDED[name]))
        else:
            model = _known(name)
            here = is_present(model, arguments.download_root)
            path = None if here else find_copy(name, arguments.download_root)
            state = "downloaded" if here or path else "not downloaded"
            _print(arguments, name, state, str(path or folder / model.file))
    return 0


def _list_published(arguments: argparse.Namespace) -> int:
    from numpyclip.families.locate import find_architecture, is_supported
    from numpyclip.weights.published import architectures

    found = [find_architecture(name) for name in arguments.items or architectures()]
    if not arguments.json:
        print_columns(_published_line(_HEADER))
    left_out = 0
    for known in found:
        for model in known.models.values():
            if not is_supported(known, model):
                left_out += 1
                continue
            facts = {
                "model": known.name,
                "pretrained": model.tag,
                "image_size": known.image_size,
                "parameters": known.parameters,
                "imagenet_top1": model.top1,
                "licence": model.licence,
                "hub": model.hub,
            }
            if arguments.json:
                print_json(facts)
            else:
                print_columns(_published_line(facts.values()))
    if left_out:
        say(f"{left_out} more published models cannot be run here.")
    return 0


_HEADER = ("architecture", "tag", "pixels", "millions", "ImageNet", "licence", "repository")


def _published_line(columns: Iterable[object]) -> str:
    name, tag, *numbers, licence, place = ["-" if value is None else str(value) for value in columns]
    return f"{name:<29} {tag:<34} {''.join(f'{number:>9}' for number in numbers)}  {licence:<12}{place}"


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
    from numpyclip.weights.local import verify, weights_folder

    folder = weights_folder(arguments.download_root)
    seen = damaged = False
    for model in [_known(name) for name in arguments.items or DOWNLOADABLE]:
        state = verify(model, arguments.download_root)
        if state == "missing" and not arguments.items:
            continue
        damaged = damaged or state != "verified"
        seen = True
        _print(arguments, model.name, state, str(folder / model.file))
    if not seen:
        say(f"none of the known models is in {folder}.")
    return 1 if damaged else 0


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
