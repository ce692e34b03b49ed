"""Methods of `torch.nn.Module` that scripts for openai/CLIP and open_clip call on a model.

Those without effect here, such as `eval`, return the model; those without an equivalent, such as `cuda`, raise an error
that says what to do instead.
"""

from __future__ import annotations

from typing import Any, NoReturn, TypeVar, cast

import numpy as np

from numpyclip.errors import InputError

_Model = TypeVar("_Model", bound="TorchMethods")

_IN_MEMORY = "a model stays on its device in its precision, as load(..., device=, precision=) chose; leave the call out"


class LogitScale(np.ndarray[Any, np.dtype[np.float32]]):
    """A scalar with the method `exp`, as of a tensor; results of other operations are plain NumPy scalars."""

    def exp(self) -> np.float32:
        """Return the factor between cosines and logits."""
        return cast("np.float32", np.exp(self))

    def __array_wrap__(self, array: Any, context: Any = None, return_scalar: bool = False) -> Any:
        return np.asarray(array)[()]


class TorchMethods:
    """Methods of `torch.nn.Module` for an immutable model whose embeddings are float32 arrays."""

    @property
    def device(self) -> str:
        """Device of the computation, as passed to `numpyclip.load`."""
        return "cpu"

    @property
    def dtype(self) -> np.dtype[np.float32]:
        """Of embeddings, whatever the file's."""
        return np.dtype(np.float32)

    def eval(self: _Model) -> _Model:
        """Return the model, which is never in training."""
        return self

    def train(self: _Model, mode: bool = True) -> _Model:
        """Return the model if `mode` is false; raise InputError otherwise."""
        return _refuse("train()", "models are not trained here; call .eval(), or leave it out") if mode else self

    def requires_grad_(self: _Model, requires_grad: bool = True) -> _Model:
        """Return the model if `requires_grad` is false; raise InputError otherwise."""
        if requires_grad:
            _refuse("requires_grad_()", "there are no gradients here; pass False, or leave it out")
        return self

    def float(self: _Model) -> _Model:
        """Return the model, whose embeddings are float32."""
        return self

    def cpu(self: _Model) -> _Model:
        """Return the model, whose embeddings are on the CPU."""
        return self

    def to(self: _Model, *args: object, **kwargs: object) -> _Model:
        """Return the model if the device is "cpu" or its own, and the dtype float32; raise InputError otherwise."""
        for value in (*args, *kwargs.values()):
            name = str(getattr(value, "__name__", value)).removeprefix("torch.")
            if name not in ("cpu", "float32", self.device) and not isinstance(value, bool | None):  # non_blocking, copy
                _refuse(f"to({value!r:.60})", _IN_MEMORY)
        return self

    def cuda(self: _Model, *args: object, **kwargs: object) -> _Model:
        """Return the model if it is on such a device; raise InputError otherwise."""
        return self if self.device.startswith("cuda") else _refuse("cuda()", _IN_MEMORY)

    def half(self) -> NoReturn:
        """Raise InputError: embeddings are float32."""
        _refuse("half()", f"{_IN_MEMORY}, or for less memory load(..., low_memory=True)")

    def state_dict(self, *args: object, **kwargs: object) -> NoReturn:
        """Raise InputError: use `checkpoint`."""
        _refuse("state_dict()", "use model.checkpoint.arrays, or numpyclip.save(model, folder) to write a file")

    def parameters(self, recurse: bool = True) -> NoReturn:
        """Raise InputError: use `checkpoint`."""
        _refuse("parameters()", "use model.checkpoint.arrays.values() to count them, and 'cpu' as the device")


def _refuse(call: str, instead: str) -> NoReturn:
    raise InputError(f"model.{call}: NumPyCLIP's models are not PyTorch modules: {instead}.")
