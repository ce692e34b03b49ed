"""IDs of tokenizers of several kinds; those of the embedded model are sent to a server in `test_openai_api`."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from numpyclip.errors import InputError
from numpyclip.server.apis.token_ids import checked_ids
from numpyclip.tokenizer.base import Tokenizer
from tests.tokenizer.test_hugging_face import of_open_clip, of_siglip


def model(tokenizer: Tokenizer, pad_id: int) -> Any:
    """What `checked_ids` needs of a model."""
    return SimpleNamespace(
        tokenizer=tokenizer,
        config=SimpleNamespace(text=SimpleNamespace(pad_id=pad_id)),
        tokenize=lambda texts, truncate=False: tokenizer(texts, 64, truncate),
    )


def test_a_tokenizer_that_marks_start_and_end() -> None:
    found = model(of_open_clip("xlm-roberta", "whitespace"), 1)
    rows = found.tokenize(["a dog", "", "two cats on a sofa"])
    np.testing.assert_array_equal(checked_ids(found, rows.tolist()), rows)


def test_tokenizers_that_do_not_mark_both_cannot_tell_their_ids() -> None:
    for found in (model(of_siglip("siglip"), 1), model(of_open_clip("bert", "whitespace"), 0)):
        for row in found.tokenize(["a dog", ""]).tolist():
            with pytest.raises(InputError, match="are not framed by "):
                checked_ids(found, [row])
