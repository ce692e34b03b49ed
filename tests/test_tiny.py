"""The embedded model finds drawings that it never saw, by words that it never read.

164 emoji of Noto, of concepts held out from training, against their 164 names. A broken tokenizer, preprocess or
loader brings the recall down to chance (1 in 164), so the bars only have to stay below any weights that are worth
shipping: the first ones reached 24, 43 and 53 percent, these 56, 70 and 79.
"""

import numpy as np
import pytest
from PIL import Image

from numpyclip.dual_encoder.clip import CLIP


@pytest.fixture(scope="module")
def ranks(tiny: CLIP, emoji: dict[str, Image.Image]) -> np.ndarray:
    """For each caption, how many pictures score at least as high as the right one."""
    scores = tiny.embed_texts(emoji) @ tiny.embed_images(emoji.values()).T
    ranks: np.ndarray = (scores >= scores.diagonal()[:, np.newaxis]).sum(axis=1)
    return ranks


@pytest.mark.parametrize(("k", "at_least"), [(1, 0.47), (5, 0.66), (10, 0.72)])
def test_recall_on_held_out_emoji(ranks: np.ndarray, k: int, at_least: float) -> None:
    assert len(ranks) == 164
    assert (ranks <= k).mean() >= at_least
