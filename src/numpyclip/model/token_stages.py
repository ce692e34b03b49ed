"""The stages that the tokens of a tower go through."""

from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from numpy.typing import NDArray

from numpyclip.model.ops import Array
from numpyclip.model.transformer import Transformer


@dataclass(frozen=True, kw_only=True)
class TokenStage:
    """A stage of tokens: after so many blocks, then maybe with the last norm, or with that and the projection.

    `all_tokens`: of an image not only its patches.
    """

    layer: int
    norm: bool = False
    project: bool = False
    all_tokens: bool = False


@dataclass(frozen=True, kw_only=True)
class TokenStages:
    """Layers, last norm and projection of a tower's tokens.

    Attributes
    ----------
    layers : int
        Number of blocks, or of stages of a convolutional tower. Layer 0 is the input of the first.
    has_norm : bool, default=True
        Whether there is a last norm for single tokens.
    norms_all : bool, default=True
        Whether the model applies it to all tokens, not to the pooled one only.
    projected_from : int or None, default=0
        The first layer whose tokens can be projected; None if no single token can be.
    """

    layers: int
    has_norm: bool = True
    norms_all: bool = True
    projected_from: int | None = 0


@runtime_checkable
class AttentionTower(Protocol):
    """A tower that can return its attention."""

    @property
    def transformer(self) -> Transformer:
        """The blocks that have attention among all tokens."""

    def attention(self, inputs: NDArray[Any], index: int, /) -> Array:
        """Compute how much each token attends to each in one block: (b, ...) -> (b, h, n, n)."""


def as_rows(x: Array, batch: int) -> Array:
    """Turn columns into rows: (d, b n) -> (b, n, d)."""
    rows: Array = x.reshape(len(x), batch, -1).transpose(1, 2, 0)
    return rows
