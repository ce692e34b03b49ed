"""Validation of token IDs from clients: they must be as this model's tokenizer makes them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from numpyclip.dual_encoder.clip import CLIP
from numpyclip.errors import InputError

_EXPECTED = (
    "expected strings, or the IDs of a text as this model's tokenizer makes them, from the start-of-text to the "
    "end-of-text token. (In LangChain: OpenAIEmbeddings(check_embedding_ctx_length=False).)"
)
_CUT = 9  # tokens at most of a letter, or a word, that is cut: the beginning of one is tokenized otherwise


def checked_ids(model: CLIP, rows: Sequence[Sequence[int]]) -> NDArray[np.int32]:
    """Return rows of IDs with padding, which clients may leave out: (n, context_length).

    IDs of another tokenizer, as libraries for OpenAI's own models send them, are embedded as a text that nobody wrote,
    unless they are recognised: they do not begin and end with the tokens of this one, which has to mark both.

    Raises
    ------
    InputError
        If the tokenizer of the model makes other IDs of every text.
    """
    empty, pad = model.tokenize([""])[0], model.config.text.pad_id if model.config.text else 0
    checked = []
    for number, row in enumerate(rows):
        if len(row) > len(empty):
            raise InputError(f"input {number} has {len(row)} token IDs; expected at most {len(empty)}.")
        ids = _without_padding(row, pad)
        if len(ids) < 2 or (ids[0], ids[-1]) != (empty[0], empty[1]):
            raise InputError(
                f"input {number} holds token IDs that are not framed by {empty[0]} and {empty[1]}; {_EXPECTED}"
            )
        try:
            text = model.tokenizer.decode(ids[1:-1].tolist())
        except InputError as error:
            raise InputError(f"input {number} holds unknown token IDs; {_EXPECTED}") from error
        made = _without_padding(model.tokenize([text], truncate=True)[0], pad)
        is_full = len(ids) == len(empty)  # the text may have been cut
        known = len(ids) - 1 - _CUT if is_full else max(len(made), len(ids))
        if not np.array_equal(made[:known], ids[:known]):
            raise InputError(f"input {number} holds token IDs that are of no text; {_EXPECTED}")
        checked.append(np.pad(ids, (0, len(empty) - len(ids)), constant_values=pad).astype(np.int32))
    return np.stack(checked)


def _without_padding(row: ArrayLike, pad: int) -> NDArray[np.int64]:
    return np.trim_zeros(np.asarray(row, np.int64) - pad, "b") + pad
