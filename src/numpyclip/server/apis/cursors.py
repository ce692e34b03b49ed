"""Cursors of searches: where the next results begin, and the embedding that they are compared with."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass

import numpy as np

from numpyclip.dispatch.fields import is_row_id, shown
from numpyclip.errors import InputError
from numpyclip.model.ops import Array

MAX_DEPTH = 20_000  # results that can be come to: a request finds those before again, in 10 microseconds each
_LENGTH = 1e-3  # that the square of an embedding's is off 1, at most


@dataclass(frozen=True, eq=False)
class Cursor:
    """Position in the results of a search, with the embedding of its query.

    Attributes
    ----------
    skip : int
        How many results there were.
    embedding : ndarray of shape (embed_dim,), dtype=float32
    is_text : bool
        Whether it is that of a single text.
    """

    skip: int
    embedding: Array
    is_text: bool

    def __str__(self) -> str:
        """Encode it for `read`."""
        data = base64.urlsafe_b64encode(self.embedding.astype("<f4").tobytes()).decode()
        return f"{self.skip}.{'t' if self.is_text else 'i'}.{data}"

    @classmethod
    def read(cls, text: str, embed_dim: int) -> Cursor:
        """Read one as a client sends it.

        Raises
        ------
        InputError
            If it is none.
        """
        skip, _, rest = text.partition(".")
        kind, _, data = rest.partition(".")
        try:
            embedding = np.frombuffer(base64.b64decode(data.encode("ascii"), b"-_", validate=True), "<f4")
        except (ValueError, binascii.Error):  # not of the characters of base64, or of another length
            embedding = np.empty(0, np.float32)
        square = float(embedding @ embedding) if embedding.shape == (embed_dim,) and np.isfinite(embedding).all() else 0
        if not is_row_id(skip) or int(skip) > MAX_DEPTH or kind not in ("t", "i") or abs(square - 1) > _LENGTH:
            raise InputError(f"cursor is {shown(text)}; expected `next` of an earlier answer of this index.")
        return cls(int(skip), embedding.astype(np.float32), kind == "t")
