"""Errors about names of models that are not known, with those of similar spelling."""

import re
from collections.abc import Iterable

from numpyclip.errors import ModelNotFoundError
from numpyclip.families.repository_files import SUFFIXES
from numpyclip.weights import hub
from numpyclip.weights.catalogue import available_models
from numpyclip.weights.local import exists
from numpyclip.weights.published import Architecture, architecture, architectures

_REPOSITORY = re.compile(
    r"((https?://)?(huggingface|hf)\.co/)?(?P<name>[\w-][\w.-]*/[\w-][\w.-]*(@[\w./-]+)?)/?", re.ASCII
)


def unknown_name(name: str, is_architecture: bool = False) -> ModelNotFoundError:
    """Make an error about an unknown name, or about one that needs `pretrained` beside it."""
    if known := architecture(name):
        return _without_weights(known)
    if name.startswith(hub.PREFIX) or exists(name):
        kind = "a repository" if name.startswith(hub.PREFIX) else "a file or folder"
        return ModelNotFoundError(f"{name}: is {kind}; expected a name that `numpyclip models --all` lists.")
    is_path = is_architecture or name.endswith(SUFFIXES)
    repository = None if is_path else _REPOSITORY.fullmatch(name)
    names = architectures() if is_architecture else [*available_models(), *architectures()]
    close = _similar(name, names, 0.8 if repository else 0.5)
    if repository and not close:
        close = [f"{hub.PREFIX}{repository['name']}"]
    return ModelNotFoundError(
        f"Model {name!r:.200} not found: neither a known name nor a file or folder here."
        f"{_did_you_mean(close)} Known names: {', '.join(available_models())}; "
        f"those of OpenCLIP (numpyclip models --all); {hub.PREFIX}organization/name."
    )


def _without_weights(known: Architecture) -> ModelNotFoundError:
    if not known.models:
        return ModelNotFoundError(
            f"{known.name} has no published weights; pass a file: --pretrained FILE (pretrained='FILE')."
        )
    first, *others = known.models
    listed = f"; another tag ({', '.join(others)}), or a file" if others else ", or a file"
    return ModelNotFoundError(
        f"{known.name} is an architecture; name its weights too: --pretrained {first} (pretrained={first!r}){listed}."
    )


def unknown_tag(known: Architecture, tag: str) -> ModelNotFoundError:
    """Make an error about a tag that an architecture does not have."""
    return ModelNotFoundError(
        f"{known.name}: {tag!r:.200} is neither one of its tags nor a file or folder here."
        f"{_did_you_mean(_similar(tag, known.models, 0.7))} Expected "
        f"{', '.join(known.models) or 'a file, for none of its weights were published'}."
    )


def _similar(name: str, names: Iterable[str], cutoff: float) -> list[str]:
    """Choose names of similar spelling, case-insensitively; a slash is a hyphen, as in OpenCLIP's names."""
    import difflib  # slow to import, and most names are right

    def plain(name: str) -> str:
        return name.lower().replace("/", "-")

    known = {plain(known): known for known in reversed(list(names))}  # of two that are the same, the first
    if exact := known.get(plain(name)):
        return [exact]
    return [known[close] for close in difflib.get_close_matches(plain(name), known, 3, cutoff)]


def _did_you_mean(names: Iterable[str]) -> str:
    listed = " or ".join(map(repr, names))
    return f" Did you mean {listed}?" if listed else ""
