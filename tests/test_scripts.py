"""The scripts of two READMEs, openai/CLIP's and open_clip's, minus the tensors, on small files of the genuine formats.

What is left out of them: torch and its devices; `unsqueeze(0)` is `[np.newaxis]`, and where a tensor's method has no
counterpart in NumPy (`softmax`, `norm`, `topk`, `torch.cat`) the function is called that has. Names of files differ.
"""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import numpyclip
from numpyclip.dual_encoder.clip import CLIP

ROOT = Path(__file__).parents[1]

ZERO_SHOT = """
import numpy as np
import numpyclip as clip
from PIL import Image

device = "cpu"
model, preprocess = clip.load(MODEL, device=device)

image = preprocess(Image.open("CLIP.png"))[np.newaxis]
text = clip.tokenize(["a diagram", "a dog", "a cat"])

logits_per_image, logits_per_text = model(image, text)
probs = clip.softmax(logits_per_image, axis=-1)
"""

PREDICTION = """
import numpy as np
import numpyclip as clip

# Load the model
device = "cpu"
model, preprocess = clip.load(MODEL, device)
model.eval().float().to(device).requires_grad_(False)

# Prepare the inputs
image, class_id = dataset[3]
image_input = preprocess(image)[np.newaxis]
text_inputs = np.concatenate([clip.tokenize(f"a photo of a {c}") for c in classes])

# Calculate features
image_features = model.encode_image(image_input.astype(model.dtype))
text_features = model.encode_text(text_inputs)
assert image_features.shape == (1, model.visual.output_dim)

# Pick the top 5 most similar labels for the image
image_features /= np.linalg.norm(image_features, axis=-1, keepdims=True)
text_features /= np.linalg.norm(text_features, axis=-1, keepdims=True)
similarity = clip.softmax(model.logit_scale.exp() * image_features @ text_features.T, axis=-1)
indices = np.argsort(-similarity[0])[:5]
top = [(classes[index], similarity[0][index].item()) for index in indices]
"""

LINEAR_PROBE = """
import numpy as np
import numpyclip as clip
from numpyclip.tasks import Examples, Recipe, learn  # for sklearn.linear_model.LogisticRegression

model, preprocess = clip.load(MODEL, "cpu")

def get_features(dataset):
    images = np.stack([preprocess(image) for image, label in dataset])
    return model.encode_image(images), [classes[label] for image, label in dataset]

# Calculate the image features
train_features, train_labels = get_features(dataset)
test_features, test_labels = get_features(dataset)

# Perform logistic regression
classifier = learn(Examples.of(train_features, train_labels), Recipe(settings={"c": 0.316}))

# Evaluate using the logistic regression classifier
predictions = np.array(classifier.classes)[classifier.probabilities(test_features).argmax(axis=1)]
accuracy = np.mean((np.array(test_labels) == predictions).astype(float)) * 100.
"""

OPEN_CLIP = """
import numpy as np
from PIL import Image
import numpyclip.open_clip as open_clip
from numpyclip import softmax

model, _, preprocess = open_clip.create_model_and_transforms(*MODEL)
model.eval()  # model in train mode by default, impacts some models with BatchNorm or stochastic depth active
tokenizer = open_clip.get_tokenizer(MODEL[0])

image = preprocess(Image.open("CLIP.png"))[np.newaxis]
text = tokenizer(["a diagram", "a dog", "a cat"])

image_features = model.encode_image(image)
text_features = model.encode_text(text)
image_features /= np.linalg.norm(image_features, axis=-1, keepdims=True)
text_features /= np.linalg.norm(text_features, axis=-1, keepdims=True)

text_probs = softmax(100.0 * image_features @ text_features.T, axis=-1)
"""


@pytest.fixture(autouse=True)
def _in_a_folder_with_the_picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copyfile(ROOT / "docs" / "pictures" / "house.png", tmp_path / "CLIP.png")
    monkeypatch.chdir(tmp_path)


def run(script: str, **names: Any) -> dict[str, Any]:
    exec(compile(script, "README.md", "exec"), names)
    return names


def test_zero_shot_as_in_openais_readme() -> None:
    found = run(ZERO_SHOT.replace('["a diagram"', '["a house"'), MODEL="tiny")
    assert found["probs"].shape == (1, 3)
    assert found["probs"][0, 0] > 0.9


@pytest.mark.parametrize("file", ["vit-torchscript.pt", "resnet-torchscript.pt", "vit-state-dict.pt"])
@pytest.mark.filterwarnings("ignore:.*the activation is not recorded")
def test_zero_shot_with_files_as_openai_and_training_scripts_write_them(
    checkpoints: Path, monkeypatch: pytest.MonkeyPatch, file: str
) -> None:
    toy, _ = numpyclip.load(checkpoints / file)
    ids = np.minimum(numpyclip.tokenize(["a", "b", "c"])[:, : toy.context_length], toy.vocab_size - 1)
    monkeypatch.setattr(numpyclip, "tokenize", lambda texts: ids)  # the toys know but a few tokens
    found = run(ZERO_SHOT, MODEL=checkpoints / file)
    features = [found["model"].encode_image(found["image"]), found["model"].encode_text(found["text"])]
    image, text = (each / np.linalg.norm(each, axis=-1, keepdims=True) for each in features)
    np.testing.assert_allclose(found["logits_per_text"].T, toy.logit_scale.exp() * image @ text.T, rtol=1e-4)
    assert found["probs"].sum() == pytest.approx(1)


def test_prediction_as_in_openais_readme(emoji: dict[str, Image.Image]) -> None:
    classes = ["bird", *list(emoji)[:6]]
    names = {"classes": classes, "dataset": [(emoji[name], n) for n, name in enumerate(classes[1:], start=1)]}
    top = run(PREDICTION, MODEL="tiny", **names)["top"]
    assert top[0][0] == classes[4]
    assert sum(probability for _, probability in top) <= 1.0001


def test_linear_probe_as_in_openais_readme(emoji: dict[str, Image.Image]) -> None:
    classes = list(emoji)[:3]
    dataset = [(emoji[name].rotate(angle), n) for n, name in enumerate(classes) for angle in (0, 5, -5)]
    assert run(LINEAR_PROBE, MODEL="tiny", classes=classes, dataset=dataset)["accuracy"] == 100.0


@pytest.mark.parametrize("use", ["from numpyclip import clip", "import numpyclip as clip; clip = clip.clip"])
def test_the_module_clip_of_openai_is_there(use: str) -> None:
    found = run(
        f"{use}\nmodel, preprocess = clip.load('tiny')\ntransform = clip._transform(64)\nids = clip.tokenize('a dog')"
    )
    assert found["transform"] == found["preprocess"]
    assert found["ids"][0, 1:3].tolist() == found["clip"]._tokenizer.encode("a dog") == [320, 1929]
    assert "ViT-B/32" in found["clip"]._MODELS


@pytest.mark.parametrize("prefix", ["", "local-dir:"])
def test_zero_shot_as_in_open_clips_readme(tiny: CLIP, prefix: str) -> None:
    folder = numpyclip.save(tiny, "toy", "open_clip")
    found = run(OPEN_CLIP.replace('["a diagram"', '["a house"'), MODEL=[f"{prefix}{folder}"])
    assert found["text_probs"][0, 0] > 0.9
    for tower, inputs in (("image", found["image"]), ("text", found["text"])):
        encoded = getattr(found["model"], f"encode_{tower}")(inputs, normalize=True)
        np.testing.assert_allclose(encoded, found[f"{tower}_features"], atol=1e-6)
