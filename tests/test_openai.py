"""With OpenAI's own weights, where they are on disk, the numbers of openai/CLIP's README come out.

The picture is CLIP.png of the repository openai/CLIP; it is looked for in the folder of the weights.
"""

import hashlib

import numpy as np
import pytest
from PIL import Image

import numpyclip
from numpyclip.weights.catalogue import DOWNLOADABLE
from numpyclip.weights.local import weights_folder

FOLDER = weights_folder()  # before a fixture points $CLIP_DIR elsewhere
PICTURE = FOLDER / "CLIP.png"
PICTURE_SHA256 = "308a3ca4503f1c7a07803916c369d78c4ef501e5ab7fc727da9b5e1d2f9ec85b"
MODEL = "ViT-B/32"
WEIGHTS = FOLDER / DOWNLOADABLE[MODEL].file


@pytest.mark.skipif(not WEIGHTS.is_file(), reason=f"{WEIGHTS} is missing")
@pytest.mark.skipif(not PICTURE.is_file(), reason=f"{PICTURE} is missing: put openai/CLIP's CLIP.png there")
def test_the_numbers_of_openais_readme() -> None:
    assert hashlib.sha256(PICTURE.read_bytes()).hexdigest() == PICTURE_SHA256
    model, preprocess = numpyclip.load(MODEL, download_root=FOLDER)
    image = preprocess(Image.open(PICTURE))[np.newaxis]
    logits_per_image, _ = model(image, numpyclip.tokenize(["a diagram", "a dog", "a cat"]))
    probabilities = numpyclip.softmax(logits_per_image, axis=-1)
    np.testing.assert_allclose(probabilities, [[0.99279356, 0.00421067, 0.00299573]], atol=1e-4)
