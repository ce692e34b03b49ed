"""Sets of weights in one file: by the prefixes of their names, and which of several is read.

A wrapper around a model (data parallelism, `torch.compile`, a Lightning module) puts a prefix before the names of its
tensors, and may have tensors of its own. A file may hold a model several times, mostly as the running average of its
weights beside the weights themselves.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Generic, Protocol, TypeVar

from numpyclip.errors import UnsupportedCheckpointError, quoted
from numpyclip.weights.clip_names import MARK, SCALARS, bare_prefix, towers


class _HasShape(Protocol):
    @property
    def shape(self) -> tuple[int, ...]: ...


_T = TypeVar("_T", bound=_HasShape)

# Parts of names that wrappers put anywhere in them.
_WRAPPERS = {"_orig_mod", "_forward_module", "_fsdp_wrapped_module", "_checkpoint_wrapped_module"}
_MODULE = "module."

_OF_TEXT = "text."  # is no prefix, but OpenCLIP's text tower
_IMAGE = "visual."

# Words in the name of an average over training; timm's loader prefers such under its own names.
_AVERAGE = re.compile(r"(?:^|[._])(?:ema|swa|averaged?|avg)(?=[._]|$)", re.IGNORECASE)
_OF_TIMM = ("state_dict_ema", "model_ema")
# In names of what has the names of the weights and is none: gradients, and an optimizer's running averages.
_NO_MODEL = re.compile(r"exp_avg|grad|optim|moment", re.IGNORECASE)
# The usual names of weights, the surest first; all others come after them.
_USUAL = (
    *("state_dict", "model_state_dict", "model", "module", "net", "network", "student"),
    *("params", "weights", "online_model", "encoder_q", ""),
)
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
    bare = bare_prefix(named)
    shared = _MODULE if named and all(name.startswith(_MODULE) for name in named) else ""
    prefix = shared if bare is None else bare
    return [replace(_group(named, place, prefix, [prefix]), is_marked=bare is not None)]


def _prefixes(names: Collection[str]) -> list[str]:
    """Return the prefixes of models; of single towers, only if they are two of five names; [""] if there are none."""
    counts: dict[str, int] = {}
    marks: dict[str, set[str | None]] = {}
    for name in names:
        if mark := MARK.search(f".{name}"):
            prefix = name[: mark.start()]
            if prefix == _OF_TEXT or prefix.endswith(f".{_OF_TEXT}"):
                prefix = prefix.removesuffix(_OF_TEXT)
            counts[prefix] = counts.get(prefix, 0) + 1
            marks.setdefault(prefix, set()).add(mark.lastgroup)
    whole, most = set().union(*marks.values()), max(counts.values(), default=0)
    are_towers = len(whole) == 1
    prefixes = [it for it in counts if marks[it] == whole and (counts[it] * 2 >= most or not are_towers)]
    if len(prefixes) > _MAX_PREFIXES:
        return [""]
    under = sum(name.startswith(tuple(prefixes)) for name in names)
    are_many = not are_towers or under * 5 >= len(names) * 2
    return prefixes if are_many and prefixes else [""] * bool(counts)


def _without_wrappers(tensors: Mapping[str, _T]) -> Mapping[str, _T]:
    """Take wrappers out of the names, but for those that would then be others' names."""
    named: dict[str, str] = {name: name for name in tensors if not _is_wrapped(name)}
    for name in filter(_is_wrapped, tensors):
        short = ".".join(part for part in name.split(".") if part not in _WRAPPERS)
        named[name if short in named or not short else short] = name
    return {short: tensors[name] for short, name in named.items()}


def _is_wrapped(name: str) -> bool:
    return any(part in name for part in _WRAPPERS)


def _group(named: Mapping[str, _T], place: str, prefix: str, prefixes: Collection[str]) -> Group[_T]:
    """Take the tensors under one of several prefixes, of which one may begin as another."""
    longer = tuple(other for other in prefixes if len(other) > len(prefix))
    own = {name for name in named if name.startswith(prefix) and not name.startswith(longer)}
    tensors = {name.removeprefix(prefix): tensor for name, tensor in named.items() if name in own}
    beside = [name for name in named if not name.startswith(tuple(prefixes))]
    for scalar in SCALARS:  # which are often the wrapper's own
        found = [name for name in beside if name.rpartition(".")[2] == scalar]
        if scalar not in tensors and len(found) == 1:
            tensors[scalar] = named[found[0]]
            beside.remove(found[0])
    return Group(place, prefix, tensors, tuple(beside))


def choose(groups: Sequence[Group[_T]], where: str) -> tuple[Group[_T], str | None]:
    """Choose the weights to read, and say so if there are others; `where` begins the error if no name tells.

    An average of the same tensors is preferred: it is what is evaluated and published. Of others, those under the most
    usual name are, however small: a teacher has more tensors than its student. Only what is less than a whole CLIP is
    passed over for its size.
    """
    groups = [group for group in groups if group.is_marked] or groups
    most = max(len(group.tensors) for group in groups)
    whole = [group for group in groups if len(group.tensors) * 2 >= most or len(towers(group.tensors)) > 1]
    whole.sort(key=_rank)
    models = [group for group in whole if not _NO_MODEL.search(group.label)] or whole
    raw = [group for group in models if not _AVERAGE.search(group.label)]
    averages = [group for group in models if _AVERAGE.search(group.label)]
    averages.sort(key=lambda group: not _AVERAGE.search(_last_part(group)))
    average = next((group for group in averages if not raw or _is_average(group, raw[0])), None)
    chosen = average or raw[0]
    if joined := _with_other_tower(chosen, groups, where):
        return joined
    others = [group for group in whole if group is not chosen]
    if not others:
        return chosen, None
    if not average and _is_unusual(chosen) and chosen.is_marked:
        _refuse_rivals([group for group in models if not _kinds(group) < _kinds(chosen)], where)
    as_timm = ", as timm does" * (_last_part(chosen) in _OF_TIMM)
    why = f", the average over training{as_timm}" if average else ""
    return (
        chosen,
        f"weights are {_named(chosen)} and {_listed(others)}; the first are used{why}. Save others alone to use them.",
    )


def _refuse_rivals(rivals: Sequence[Group[_T]], where: str) -> None:
    if len(rivals) > 1:
        raise UnsupportedCheckpointError(
            f"{where}: holds {len(rivals)} models of one kind, {_listed(rivals)}, and none of these names tells which "
            "is meant; expected one. Save that one alone, its state dict, in a file of its own."
        )


def _with_other_tower(chosen: Group[_T], groups: Sequence[Group[_T]], where: str) -> tuple[Group[_T], str] | None:
    """Join a tower with the only one of the other kind, where a file has a dict for each."""
    own = set(towers(chosen.tensors))
    others = [group for group in groups if len(found := set(towers(group.tensors))) == 1 and not found & own]
    if len(own) != 1 or not others:
        return None
    _refuse_rivals(others, where)
    tensors: dict[str, _T] = {}
    for group in (chosen, others[0]):
        is_bare = "image" in towers(group.tensors) and bare_prefix(group.tensors) == ""
        tensors |= {f"{_IMAGE}{name}" * is_bare or name: tensor for name, tensor in group.tensors.items()}
    note = f"the towers are {_named(chosen)} and {_named(others[0])}; both are used."
    return replace(chosen, tensors=tensors, beside=(*chosen.beside, *others[0].beside)), note


def _rank(group: Group[_T]) -> tuple[bool, int, int]:
    """Sort usual names before others, shallow before deep ones, surer ones first; and others by their size."""
    if _is_unusual(group):
        return True, -len(group.tensors), 0
    return False, group.label.count("."), _USUAL.index(_last_part(group))


def _is_unusual(group: Group[_T]) -> bool:
    return _last_part(group) not in _USUAL


def _last_part(group: Group[_T]) -> str:
    return group.label.rpartition(".")[2]


def _is_average(group: Group[_T], of: Group[_T]) -> bool:
    has_all = all(name in group.tensors and group.tensors[name].shape == it.shape for name, it in of.tensors.items())
    return has_all and len(group.tensors) <= len(of.tensors) + _COUNTERS


def _kinds(group: Group[_T]) -> set[str]:
    """Return the names of its tensors without numbers, which are the same in a deeper model."""
    return {re.sub("[0-9]+", "", name) for name in group.tensors}


def _named(group: Group[_T]) -> str:
    place = f"in {quoted(group.place, 60)}" if group.place else ""
    prefix = f"under {quoted(group.prefix, 60)}" if group.prefix else ""
    return " ".join(filter(None, [place, prefix])) or "at the root"


def _listed(groups: Sequence[Group[_T]]) -> str:
    return ", ".join(map(_named, groups[:_MOST_LISTED])) + ", ..." * (len(groups) > _MOST_LISTED)
