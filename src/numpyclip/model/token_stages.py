"""The stages that the tokens of a tower go through, and the choice of one of them."""

from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from numpy.typing import NDArray

from numpyclip.arguments import whole_number
from numpyclip.errors import InputError
from numpyclip.model.ops import Array
from numpyclip.model.transformer import Transformer


@dataclass(frozen=True, kw_only=True)
class TokenStage:
    """A stage of tokens: after so many blocks, then maybe with the last norm, or with that and the projection."""

    layer: int
    norm: bool = False
    project: bool = False
    class_token: bool = False


@dataclass(frozen=True, kw_only=True)
class TokenStages:
    """What the tokens of a tower go through.

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
    class_token : bool, default=False
        Whether an image has tokens that are no patches: a class token, or registers.
    """

    layers: int
    has_norm: bool = True
    norms_all: bool = True
    projected_from: int | None = 0
    class_token: bool = False

    def choose(self, name: str, layer: object, norm: bool | None, project: bool) -> TokenStage:
        """Return the stage that a caller of the method `name` asks for; raise InputError if there is none."""
        number = index_of(name, layer, self.layers + 1)
        if project:
            self._check_projection(name, number, norm)
        elif norm and not self.has_norm:
            raise InputError(f"{name}: norm is {norm}, but this tower has no norm for single tokens. Leave it out.")
        elif norm is None:
            norm = self.has_norm and self.norms_all and number == self.layers
        return TokenStage(layer=number, norm=bool(norm), project=bool(project))

    def _check_projection(self, name: str, layer: int, norm: bool | None) -> None:
        if self.projected_from is None:
            raise InputError(
                f"{name}: project is True, but this tower has no projection of single tokens. Leave it out."
            )
        if layer < self.projected_from:
            raise InputError(
                f"{name}: project is True, but only the last layer can be projected. Leave it, or the layer, out."
            )
        if norm is not None and not norm:
            raise InputError(f"{name}: norm is {norm}, but a projection always follows the last norm. Leave norm out.")


def index_of(name: str, layer: object, count: int) -> int:
    """Return an index of `count` items as a number of 0 or more, counted from the end if negative."""
    number = whole_number(layer)
    if number is None or not -count <= number < count:
        raise InputError(f"{name}: layer is {layer!r:.60}; expected an integer from {-count} to {count - 1}.")
    return number % count


@runtime_checkable
class TokenTower(Protocol):
    """A tower whose tokens can be had, before they are pooled."""

    @property
    def stages(self) -> TokenStages:
        """What its tokens go through."""

    def tokens(self, inputs: NDArray[Any], stage: TokenStage, /) -> Array:
        """Compute the tokens of ids, (b, n) -> (b, n, d), or the patches of images, in rows and columns.

        With a class token, images have no rows and columns: it is the first of their tokens.
        """


@runtime_checkable
class AttentionTower(Protocol):
    """A tower whose attention can be had."""

    @property
    def transformer(self) -> Transformer:
        """The blocks that have attention among all tokens."""

    def attention(self, inputs: NDArray[Any], index: int, /) -> Array:
        """Compute how much each token attends to each in one block: (b, ...) -> (b, h, n, n)."""


def as_rows(x: Array, batch: int) -> Array:
    """Turn columns into rows: (d, b n) -> (b, n, d)."""
    rows: Array = x.reshape(len(x), batch, -1).transpose(1, 2, 0)
    return rows
