"""State dicts in a pickled tree: what training scripts wrap them in, and the names of their tensors."""

from collections import deque
from collections.abc import Iterator, Mapping
from itertools import chain
from typing import Any, NamedTuple

from numpyclip.errors import CorruptCheckpointError, listed, quoted
from numpyclip.weights.activations import Activation
from numpyclip.weights.clip_names import SCALARS
from numpyclip.weights.dtypes import Unread
from numpyclip.weights.torch_file import TensorRef
from numpyclip.weights.unpickle import Opaque, ScriptObject

_MAX_DEPTH = 8  # of dicts around a state dict; they can hold themselves
_MAX_MEMBERS = 2**15  # of a state dict or all modules, some thousand in the largest; shared branches could multiply
_MAX_ALL_MEMBERS = 2**18  # of all together
_MAX_FOUND = 2**9  # dicts of tensors; the outermost come first
_MAX_NAME = 200  # characters; a module can hold itself
# What keys begin with under which are no weights, though there may be momenta of the same names, or a copy; where there
# are no tensors elsewhere, it is the name of a model, such as "optimized_model".
_NO_WEIGHTS = ("opt", "scaler", "sched", "lr_sched", "hyper_parameters", "hparams")
_MAKES_TENSORS = "_rebuild"  # what functions of PyTorch begin with
_CALLED = {  # what a file may have in place of a dict
    TensorRef: "a single tensor",
    list: "a list without dicts of tensors",
    tuple: "a tuple without dicts of tensors",
    type(None): "None",
    str: "a string",
    int: "a number",
    float: "a number",
    bool: "a bool",
}
_PARTS = ("_parameters", "_buffers", "_modules")  # of the state of a module


class StateDict(NamedTuple):
    """The tensors of one dict in a file, or of one module."""

    place: str  # the keys by which it is found, joined with dots
    tensors: Mapping[str, Any]  # `TensorRef`, or `Unread`; of other files than PyTorch's, arrays
    activation: Activation | None = None  # as the classes of a TorchScript archive, or of a pickled model, show it


def state_dicts(root: object, where: str) -> list[StateDict]:
    """Find the dicts of tensors in a pickled tree, named as ``module.state_dict()`` names them, the outermost first.

    A TorchScript archive pickles modules within modules, and so does ``torch.save(model)``: joining their attribute
    names with dots gives the names. Anything else is a dict of tensors, perhaps within the dicts of a training script.
    """
    found = _found(root, where, _NO_WEIGHTS) or _found(root, where, ())
    if not found:
        raise CorruptCheckpointError(
            f"{where}: no tensors were found, but {_described(root)}; expected a state dict (names and tensors), "
            "perhaps within the dict of a training script, or a TorchScript model."
        )
    return found


def _found(root: object, where: str, skipped: tuple[str, ...]) -> list[StateDict]:
    """Find them, but not under keys that begin so, nor under numbers, as those of an optimizer are."""
    found, left = list[StateDict](), _MAX_ALL_MEMBERS
    for place, holder in _holders(root, skipped):
        members = list(_members(holder, where, min(left, _MAX_MEMBERS)))
        left -= len(members)
        tensors = {name: _as_tensor(value) for name, value in members if not _is_module(value)}
        if any(isinstance(value, TensorRef) or _is_unread(value) for _, value in members):
            found.append(StateDict(place, tensors, _activation(members)))
        if len(found) == _MAX_FOUND:
            break
    return found


def _is_unread(value: object) -> bool:
    """Tell whether a value is a tensor that is stored in another way than as plain numbers."""
    return isinstance(value, Opaque) and value.kind.name.startswith(_MAKES_TENSORS)


def _as_tensor(value: object) -> object:
    if isinstance(value, TensorRef):
        return value
    if isinstance(value, Opaque):
        return Unread("an array of NumPy" if _is_array(value) else f"made by {quoted(str(value.kind), 100)}")
    return Unread(f"the number {value}")


def _holders(root: object, skipped: tuple[str, ...]) -> Iterator[tuple[str, object]]:
    """Walk the dicts of a tree, lists included, with their keys; or take the module that it is.

    Each is walked once, whichever objects share it, so that this takes no longer than reading the pickle did.
    """
    if _is_module(root):
        yield "", root
        return
    pending = deque(("", part, 0) for part in _containers(root))
    seen = {id(part) for _, part, _ in pending}
    while pending:
        place, value, depth = pending.popleft()
        if isinstance(value, dict):
            yield place, value
        if depth == _MAX_DEPTH or (isinstance(value, dict) and _is_of_optimizer(value)):
            continue
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            name = str(key) if isinstance(key, str) or not (skipped and isinstance(value, dict)) else ""
            if not name or len(name) > _MAX_NAME or name.startswith(skipped) or _is_module(inner):
                continue
            for part in _containers(inner):
                if id(part) not in seen:
                    seen.add(id(part))
                    pending.append((f"{place}.{name}" if place else name, part, depth + 1))


def _containers(value: object) -> list[Any]:
    """Return a dict or a list, or the dicts that an object of another class has."""
    if isinstance(value, Opaque):
        return [part for part in (value.items, value.state) if isinstance(part, dict)]
    return [value] if isinstance(value, dict | list | tuple) else []


def _is_module(value: object) -> bool:
    """Tell whether a value is a module of TorchScript, or a pickled `torch.nn.Module`."""
    state = value.state if isinstance(value, Opaque) else None
    return isinstance(value, ScriptObject) or (
        isinstance(state, dict) and all(isinstance(state.get(part), dict) for part in _PARTS)
    )


def _attributes(module: Any) -> Iterator[tuple[Any, object]]:
    if isinstance(module, ScriptObject):
        return iter(module.attributes.items())
    return chain.from_iterable(module.state[part].items() for part in _PARTS)


def _members(holder: object, where: str, most: int) -> Iterator[tuple[str, object]]:
    """Walk a dict, or a module, and the modules within it, with dotted names; all else in a dict is skipped.

    Modules may share their attributes under many names, so whatever these are, they count.
    """
    own = holder.items() if isinstance(holder, dict) else _attributes(holder)
    pending: list[tuple[str, Iterator[tuple[Any, object]]]]
    pending = [("", ((name, value) for name, value in own if _is_module(holder) or _is_member(name, value)))]
    count = 0
    while pending:
        path, attributes = pending.pop()
        for name, member in attributes:
            count += 1
            if count > most or len(path) + len(str(name)) > _MAX_NAME:
                raise CorruptCheckpointError(
                    f"{where}: its tensors have endless names; {quoted(path + str(name)[:60], 60)} begins one of them."
                )
            if _is_member(str(name), member):
                yield f"{path}{name}", member
            if _is_module(member):
                pending.append((f"{path}{name}.", _attributes(member)))


def _is_member(name: object, value: object) -> bool:
    """Tell what is kept: tensors, modules, and what stands in place of a tensor."""
    if isinstance(value, float):
        return isinstance(name, str) and name.rpartition(".")[2] in SCALARS
    is_kept = isinstance(value, TensorRef) or _is_module(value) or _is_unread(value) or _is_array(value)
    return isinstance(name, str) and is_kept


def _activation(members: list[tuple[str, object]]) -> Activation | None:
    modules = (value for _, value in members if _is_module(value) and isinstance(value, ScriptObject | Opaque))
    kinds = {module.kind.name for module in modules}
    if ("QuickGELU" in kinds) == ("GELU" in kinds):
        return None
    return "quick_gelu" if "QuickGELU" in kinds else "gelu"


def _described(root: object) -> str:
    """Say what there is in place of tensors."""
    if not isinstance(root, dict):
        name = quoted(str(root.kind), 100) if isinstance(root, Opaque) else type(root).__name__
        return _CALLED.get(type(root), f"an object of class {name}")
    if not root:
        return "an empty dict"
    if _is_of_optimizer(root):
        return "the state of an optimizer, 'state' and 'param_groups'"
    arrays = [name for name, value in root.items() if _is_array(value)]
    if arrays:
        return f"{len(arrays)} array{'s' * (len(arrays) > 1)} of NumPy (write such with numpy.savez, or as tensors)"
    return listed([*map(str, root)], 5, 40)


def _is_of_optimizer(value: dict[Any, object]) -> bool:
    return {"state", "param_groups"} <= value.keys()


def _is_array(value: object) -> bool:
    return (
        isinstance(value, Opaque)
        and value.kind.module.partition(".")[0] == "numpy"
        and value.kind.name in ("_reconstruct", "_frombuffer")
    )
