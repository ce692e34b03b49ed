"""The layout of a batch's tokens in the rows of a matrix."""

from dataclasses import dataclass

from numpyclip.graph.builder import Graph, Value


@dataclass(frozen=True)
class TokenLayout:
    """Layout of the tokens of a batch in the rows of a matrix (b n, d): all of one input, then all of the next.

    Attributes
    ----------
    length : int, or Value of shape (1,)
        Tokens of each input, n.
    mask : Value of shape (n, n) or (b, 1 or h, 1 or n, n), or None
        Added to the attention scores.
    pooled : int, or Value of shape (b,)
        Position of the pooled token; -1 is the last. If it differs, the mask is (n, n).
    """

    length: int | Value
    mask: Value | None = None
    pooled: int | Value = 0

    def by_input(self, g: Graph, x: Value, *sizes: int) -> Value:
        """Separate inputs, and parts of a token: (b n, d) -> (b, n, *sizes)."""
        return g.op("Reshape", x, g.shape(-1, self.length, *sizes))

    def pick(self, g: Graph, x: Value) -> Value:
        """Take the pooled token of each input: (b, n, ...) -> (b, ...)."""
        if isinstance(self.pooled, int):
            return g.op("Gather", x, self.pooled, axis=1)
        return g.op("GatherND", x, g.op("Unsqueeze", self.pooled, [1]), batch_dims=1)

    def mask_of_pooled(self, g: Graph) -> Value | None:
        """Take the mask's rows for the pooled tokens; what they are added to is (b, h, n)."""
        if self.mask is None:
            return None
        if isinstance(self.pooled, int):
            return g.op("Gather", self.mask, self.pooled, axis=-2)
        return g.op("Unsqueeze", g.op("Gather", self.mask, self.pooled), [1])  # (b, 1, n)
