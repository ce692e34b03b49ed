"""Sets of weights in one file: by the prefixes of their names, and which of several is read.

A wrapper around a model (data parallelism, `torch.compile`, a Lightning module) puts a prefix before the names of its
tensors, and may have tensors of its own. A file may hold a model several times, mostly as the running average of its
weights beside the weights themselves.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Generic, Protocol, TypeVar

from numpyclip.errors import quoted


class _HasShape(Protocol):
    @property
    def shape(self) -> tuple[int, ...]: ...


_T = TypeVar("_T", bound=_HasShape)

# Parts of names that wrappers put anywhere in them.
_WRAPPERS = {"_orig_mod", "_forward_module", "_fsdp_wrapped_module", "_checkpoint_wrapped_module"}
_MODULE = "module."

# A name of any CLIP begins so, after a dot.
_MARK = re.compile(
    r"\.(?:(?P<image>visual\.|vision_model\.|visual_projection\.|image_encoder\.model\.)"
    r"|(?P<text>text_model\.|text_encoder\.|text_projection(?:$|\.)|(?<!embeddings\.)token_embedding\.weight$))"
)
_OF_TEXT = "text."  # is no prefix, but OpenCLIP's text tower
# Of a tower by itself, whose names have no more: OpenAI's image tower, and those of transformers 5.
_BARE = (
    *("conv1.weight", "class_embedding", "attnpool.positional_embedding"),
    *("embeddings.patch_embedding.weight", "embeddings.token_embedding.weight", "embeddings.position_embedding.weight"),
)

_SCALARS = ("logit_scale", "logit_bias")

# Words in the name of an average over training.
_AVERAGE = re.compile(r"(?:^|[._])(?:ema|swa|averaged?|avg|teacher)(?=[._]|$)")
# The usual names of weights, the surest first; all others come after them.
_USUAL = ("state_dict", "model_state_dict", "model", "module", "net", "network", "student", "")
_MOST_LISTED = 4
_MAX_PREFIXES = 8  # of copies of a model
_COUNTERS = 2  # tensors that an average may have besides, such as `n_averaged`


@dataclass(frozen=True, eq=False)
class Group(Generic[_T]):
    """Tensors of one model, by their names without the prefix."""

    place: str  # the keys of the dicts that they are in
    prefix: str
    tensors: Mapping[str, _T]
    beside: tuple[str, ...] = ()  # the names of tensors in the same place that are in no group
    is_marked: bool = True  # some names are a CLIP's

    @property
    def label(self) -> str:
        """What it is called in the file."""
        return ".".join(filter(None, [self.place, self.prefix.rstrip(".")]))


def grouped(tensors: Mapping[str, _T], place: str = "") -> list[Group[_T]]:
    """Group tensors by the prefixes that are before the names of a CLIP; those without any are one group."""
    named = _without_wrappers(tensors)
    if prefixes := _prefixes(named):
        return [_group(named, place, prefix, prefixes) for prefix in prefixes]
    prefix = _bare_prefix(named)
    return [replace(_group(named, place, prefix, [prefix]), is_marked=bool(prefix))]


def _prefixes(names: Collection[str]) -> list[str]:
    """Return the prefixes of whole models that are many of the names, two of five; [""] if they have none."""
    counts: dict[str, int] = {}
    towers: dict[str, set[str | None]] = {}
    for name in names:
        if mark := _MARK.search(f".{name}"):
            prefix = name[: mark.start()]
            if prefix == _OF_TEXT or prefix.endswith(f".{_OF_TEXT}"):
                prefix = prefix.removesuffix(_OF_TEXT)
            counts[prefix] = counts.get(prefix, 0) + 1
            towers.setdefault(prefix, set()).add(mark.lastgroup)
    whole, most = set().union(*towers.values()), max(counts.values(), default=0)
    prefixes = [prefix for prefix in counts if counts[prefix] * 2 >= most and towers[prefix] == whole]
    if len(prefixes) > _MAX_PREFIXES:
        return [""]
    under = sum(name.startswith(tuple(prefixes)) for name in names)
    return prefixes if under * 5 >= len(names) * 2 and prefixes else [""] * bool(counts)


def _without_wrappers(tensors: Mapping[str, _T]) -> Mapping[str, _T]:
    named = {".".join(part for part in name.split(".") if part not in _WRAPPERS): name for name in tensors}
    if len(named) < len(tensors) or "" in named:
        return tensors
    return {short: tensors[name] for short, name in named.items()}


def _bare_prefix(names: Collection[str]) -> str:
    """Return what is before the names of a single tower, or of something else in a `module`."""
    for name in names:
        for anchor in _BARE[0], _BARE[-1]:
            prefix = name.removesuffix(anchor)
            if prefix != name and any(prefix + other in names for other in _BARE if other != anchor):
                return prefix
    return _MODULE if names and all(name.startswith(_MODULE) for name in names) else ""


def _group(named: Mapping[str, _T], place: str, prefix: str, prefixes: Collection[str]) -> Group[_T]:
    """Take the tensors under one of several prefixes, of which one may begin as another."""
    longer = tuple(other for other in prefixes if len(other) > len(prefix))
    own = {name for name in named if name.startswith(prefix) and not name.startswith(longer)}
    tensors = {name.removeprefix(prefix): tensor for name, tensor in named.items() if name in own}
    beside = [name for name in named if not name.startswith(tuple(prefixes))]
    for scalar in _SCALARS:  # which are often the wrapper's own
        found = [name for name in beside if name.rpartition(".")[2] == scalar]
        if scalar not in tensors and len(found) == 1:
            tensors[scalar] = named[found[0]]
            beside.remove(found[0])
    return Group(place, prefix, tensors, tuple(beside))


def choose(groups: Sequence[Group[_T]]) -> tuple[Group[_T], str | None]:
    """Choose the weights to read, and say so if there are others.

    An average of the same tensors is preferred, as timm does: it is what is evaluated and published. Of others, those
    under the most usual name are.
    """
    groups = [group for group in groups if group.is_marked] or groups
    most = max(len(group.tensors) for group in groups)
    groups = sorted((group for group in groups if len(group.tensors) * 2 >= most), key=_rank)
    raw = [group for group in groups if not _AVERAGE.search(group.label)]
    averages = [group for group in groups if _AVERAGE.search(group.label)]
    average = next((group for group in averages if not raw or _is_average(group, raw[0])), None)
    chosen = average or raw[0]
    others = [group for group in groups if group is not chosen]
    if not others:
        return chosen, None
    listed = ", ".join(_named(group) for group in others[:_MOST_LISTED]) + ", ..." * (len(others) > _MOST_LISTED)
    why = ", the average over training, as timm does" if average else ""
    return chosen, f"weights are {_named(chosen)} and {listed}; the first are used{why}. Save others alone to use them."


def _rank(group: Group[_T]) -> tuple[int, int]:
    key = group.label.split(".")[-1]
    return (_USUAL.index(key) if key in _USUAL else len(_USUAL), len(group.label))


def _is_average(group: Group[_T], of: Group[_T]) -> bool:
    has_all = all(name in group.tensors and group.tensors[name].shape == it.shape for name, it in of.tensors.items())
    return has_all and len(group.tensors) <= len(of.tensors) + _COUNTERS


def _named(group: Group[_T]) -> str:
    place = f"in {quoted(group.place, 60)}" if group.place else ""
    prefix = f"under {quoted(group.prefix, 60)}" if group.prefix else ""
    return " ".join(filter(None, [place, prefix])) or "at the root"
