"""Token IDs of clients → texts, if they are what this model's tokenizer makes of these."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from numpyclip.dual_encoder.clip import CLIP
from numpyclip.errors import InputError

_EXPECTED = (
    "expected strings, or the IDs of a text as this model's tokenizer makes them, from the start-of-text to the "
    "end-of-text token. (In LangChain: OpenAIEmbeddings(check_embedding_ctx_length=False).)"
)


def texts_of(model: CLIP, rows: Sequence[Sequence[int]]) -> list[str]:
    """Return the texts of rows of IDs, with or without padding.

    IDs of another tokenizer, as libraries for OpenAI's own models send them, are embedded as a text that nobody wrote,
    unless they are recognised: they do not begin and end with the tokens of this one, which has to mark both.

    Raises
    ------
    InputError
        If the tokenizer of the model makes other IDs of every text.
    """
    empty, pad = model.tokenize([""])[0], model.config.text.pad_id if model.config.text else 0
    texts = []
    for number, row in enumerate(rows):
        if len(row) > len(empty):
            raise InputError(f"input {number} has {len(row)} token IDs; expected at most {len(empty)}.")
        ids = np.trim_zeros(np.asarray(row, np.int64) - pad, "b") + pad
        if len(ids) < 2 or (ids[0], ids[-1]) != (empty[0], empty[1]):
            raise InputError(
                f"input {number} holds token IDs that are not framed by {empty[0]} and {empty[1]}; {_EXPECTED}"
            )
        try:
            text = model.tokenizer.decode(ids[1:-1].tolist())
        except InputError as error:
            raise InputError(f"input {number} holds unknown token IDs; {_EXPECTED}") from error
        made = np.trim_zeros(model.tokenize([text], truncate=True)[0].astype(np.int64) - pad, "b") + pad
        if not np.array_equal(made, ids):
            raise InputError(f"input {number} holds token IDs that are of no text; {_EXPECTED}")
        texts.append(text)
    return texts
