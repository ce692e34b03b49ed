"""Names of tensors: out of whatever a file wraps them in, to the names that openai/CLIP gives them."""

from collections.abc import Iterator
from typing import Any

from numpyclip.errors import CorruptCheckpointError
from numpyclip.weights.checkpoint import Activation
from numpyclip.weights.torch_file import TensorRef
from numpyclip.weights.unpickle import Bag

# What training scripts put around a state dict (OpenCLIP, Lightning, timm and many more).
_WRAPPERS = ("state_dict", "model_state_dict", "model")
# What wrappers of modules put before every name: DistributedDataParallel, torch.compile, Lightning.
_PREFIXES = ("module.", "_orig_mod.", "model.")

_MAX_DEPTH = 64  # of modules within modules
_MAX_NODES = 1_000_000  # branches that are shared would otherwise multiply without end


def state_dict(root: object, where: str) -> tuple[dict[str, TensorRef], Activation | None]:
    """Find the tensors in a pickled tree, named as ``module.state_dict()`` names them, and the activation.

    A TorchScript archive pickles modules within modules: joining their attribute names with dots gives the
    names, and its classes tell the activation. Anything else is a dict of tensors, perhaps within the dict of
    a training script, and tells the activation only through the order of its names.
    """
    while isinstance(root, dict) and not _has_tensors(root):
        root = next((root[key] for key in _WRAPPERS if isinstance(root.get(key), dict | Bag)), None)
    if isinstance(root, Bag):
        members = list(_walk(root, where))
        tensors = {name: value for name, value in members if isinstance(value, TensorRef)}
        return _without_prefix(tensors), _activation_of_classes(members)
    if isinstance(root, dict):
        tensors = {str(name): value for name, value in root.items() if isinstance(value, TensorRef)}
        tensors = _without_prefix(tensors)
        return tensors, _activation_of_order(list(tensors))
    raise CorruptCheckpointError(
        f"{where}: no tensors were found; expected a state dict (names and tensors) or a TorchScript model."
    )


def _has_tensors(tree: dict[Any, Any]) -> bool:
    return any(isinstance(value, TensorRef) for value in tree.values())


def _without_prefix(tensors: dict[str, TensorRef]) -> dict[str, TensorRef]:
    for prefix in _PREFIXES:
        if tensors and all(name.startswith(prefix) for name in tensors):
            return _without_prefix({name.removeprefix(prefix): value for name, value in tensors.items()})
    return tensors


def _activation_of_classes(members: list[tuple[str, object]]) -> Activation | None:
    kinds = {value.kind.rpartition(".")[2] for _, value in members if isinstance(value, Bag)}
    if ("QuickGELU" in kinds) == ("GELU" in kinds):
        return None
    return "quick_gelu" if "QuickGELU" in kinds else "gelu"


def _activation_of_order(names: list[str]) -> Activation | None:
    """QuickGELU where the order of names shows that openai/CLIP's own classes were saved.

    They define a block's attention before its first norm, and know no other activation. OpenCLIP defines the
    norm first, and has both.
    """
    block = "transformer.resblocks.0."
    members = [name.removeprefix(block) for name in names if name.startswith(block)]
    return "quick_gelu" if members and members[0].startswith("attn.") else None


def _walk(root: Bag, where: str) -> Iterator[tuple[str, object]]:
    pending = [("", root, 0)]
    nodes = 0
    while pending:
        path, bag, depth = pending.pop()
        for name, value in bag.attributes.items():
            nodes += 1
            if nodes > _MAX_NODES or depth > _MAX_DEPTH:
                raise CorruptCheckpointError(f"{where}: its modules are nested without end.")
            yield f"{path}{name}", value
            if isinstance(value, Bag):
                pending.append((f"{path}{name}.", value, depth + 1))

