"""What the functions and classes of `numpyclip.tasks` and the index have in common."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import numpyclip
from numpyclip import tasks
from numpyclip.dual_encoder.clip import CLIP
from numpyclip.errors import InputError
from numpyclip.pipeline import Embedded

PICTURES = Path(__file__).parents[2] / "docs" / "pictures"
BIRD = PICTURES / "bird.png"
EXAMPLES = tasks.Examples.of(np.eye(4), ["a", "a", "b", "b"])


@pytest.mark.parametrize(
    "call",
    [
        lambda model: tasks.tag(model, BIRD),
        lambda model: tasks.caption(model, BIRD),
        lambda model: tasks.ask(model, BIRD, "is it a bird?"),
        lambda model: tasks.filter_pictures(model, BIRD, "bird"),
        lambda model: tasks.find_duplicates(model, [BIRD]),
        lambda model: tasks.explain(model, BIRD, "bird"),
        lambda model: tasks.evaluate(model, tasks.open_dataset(PICTURES)),
        lambda model: tasks.ZeroShotClassifier(model, ["bird", "house"]),
        lambda model: tasks.ZeroShotClassifier.load(model, "labels.npz"),
        lambda model: tasks.Background(model),
        lambda model: EXAMPLES.with_texts(model),
        lambda model: tasks.learn(EXAMPLES).classify(model, BIRD),
        lambda model: numpyclip.Index("missing", model),
    ],
)
def test_what_is_no_model_is_refused(call: Callable[[Any], object]) -> None:
    for wrong in (numpyclip.load("tiny"), "tiny", BIRD):
        with pytest.raises(InputError, match=r"model: found .*; expected a model, the first of the two values"):
            call(wrong)


@pytest.mark.usefixtures("shared_cache")
def test_all_print_as_one_short_line(tiny: CLIP) -> None:
    assert tiny.checkpoint is not None
    assert repr(tiny.checkpoint) == f"Checkpoint({str(tiny.checkpoint.path)!r}, {len(tiny.checkpoint.arrays)} tensors)"
    assert repr(tiny.tokenizer) == "CLIPTokenizer('openai')"
    assert repr(tiny.visual) == "ModifiedResNet(64 px, 128 dimensions)"
    assert repr(tasks.Background(tiny)) == "Background(128 dimensions)"
    embeddings = tiny.embed_texts(["a", "b"])
    assert repr(tasks.Examples.of(embeddings, ["x", "y"])) == "Examples(2 embeddings, 2 classes, 128 dimensions)"
    assert repr(Embedded("a.png", 0, embeddings[0])) == "Embedded(picture='a.png', position=0, error=None, extra=None)"
    assert repr(tasks.open_dataset(PICTURES)) == f"Dataset({str(PICTURES)!r}, 1 label)"


def test_errors_name_the_argument(tiny: CLIP) -> None:
    with pytest.raises(InputError, match="captions is "):
        tasks.caption(tiny, BIRD, captions=[])
