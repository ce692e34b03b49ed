"""The state dict in a pickled tree: out of whatever a file wraps it in, to the names of openai/CLIP."""

from collections.abc import Iterator, Mapping
from typing import TypeVar

from numpyclip.errors import CorruptCheckpointError, quoted
from numpyclip.weights.checkpoint import Activation
from numpyclip.weights.torch_file import TensorRef
from numpyclip.weights.unpickle import ScriptObject

_T = TypeVar("_T")

# What training scripts put around a state dict (OpenCLIP, Lightning, timm and many more).
_WRAPPERS = ("state_dict", "model_state_dict", "model")
_AT_ROOT = "text_projection"  # a name without dots in every CLIP

_MAX_WRAPPERS = 8  # a dict can hold itself
_MAX_MEMBERS = (
    2**15
)  # of all modules, some thousand in the largest; branches that are shared would otherwise multiply without end
_MAX_NAME = 200  # characters; a module can hold itself


def state_dict(root: object, where: str) -> tuple[dict[str, TensorRef], Activation | None]:
    """Find the tensors in a pickled tree, named as ``module.state_dict()`` names them, and the activation.

    A TorchScript archive pickles modules within modules: joining their attribute names with dots gives the names, and
    their classes show the activation. Anything else is a dict of tensors, perhaps within the dict of a training script,
    and does not record it.
    """
    root = _unwrapped(root)
    members = list(_members(root, where))
    tensors = {name: value for name, value in members if isinstance(value, TensorRef)}
    if not tensors:
        found = ", ".join(quoted(str(name), 40) for name, _ in members[:5]) or f"a {type(root).__name__}"
        raise CorruptCheckpointError(
            f"{where}: no tensors were found, but {found}; expected a state dict (names and tensors), perhaps "
            f"within {' or '.join(map(repr, _WRAPPERS))}, or a TorchScript model."
        )
    return tensors, _activation(members)


def without_prefix(tensors: Mapping[str, _T]) -> dict[str, _T]:
    """Drop the prefix of wrappers from every name, such as ``module.``: whatever precedes ``text_projection``."""
    anchor = next((name for name in tensors if name.endswith(f".{_AT_ROOT}")), _AT_ROOT)
    prefix = anchor.removesuffix(_AT_ROOT)
    if not all(name.startswith(prefix) for name in tensors):
        return dict(tensors)
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items()}


def _unwrapped(root: object) -> object:
    for _ in range(_MAX_WRAPPERS):
        if not isinstance(root, dict):
            break
        root = next((root[key] for key in _WRAPPERS if isinstance(root.get(key), dict | ScriptObject)), root)
    return root


def _activation(members: list[tuple[str, object]]) -> Activation | None:
    kinds = {value.kind.name for _, value in members if isinstance(value, ScriptObject)}
    if ("QuickGELU" in kinds) == ("GELU" in kinds):
        return None
    return "quick_gelu" if "QuickGELU" in kinds else "gelu"


def _members(root: object, where: str) -> Iterator[tuple[str, object]]:
    """Walk a dict, or a module and the modules within it, with dotted names."""
    pending = [("", root)]
    count = 0
    while pending:
        path, value = pending.pop()
        members = value.attributes if isinstance(value, ScriptObject) else value
        for name, member in members.items() if isinstance(members, dict) else ():
            count += 1
            if not isinstance(name, str):
                continue
            if count > _MAX_MEMBERS or len(path) + len(name) > _MAX_NAME:
                raise CorruptCheckpointError(
                    f"{where}: its tensors have endless names; {quoted(path + name[:60], 60)} begins one of them."
                )
            yield f"{path}{name}", member
            if isinstance(member, ScriptObject):
                pending.append((f"{path}{name}.", member))
