"""Learn labels from a few example images, and say which of them other images get.

    python examples/learn_labels.py kinds/ inbox/

Every folder in the first one is a label, and holds a few images of it: kinds/mine/, kinds/others/. This is for what
words cannot say, such as your own products. The accuracy is cross-validated.
"""

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import numpyclip
from numpyclip.tasks import Accuracy, Examples, cross_validate, learn


def embed(model: numpyclip.CLIP, folders: list[Path]) -> dict[str, NDArray[np.float32]]:
    """Embed the images in folders, by their paths; say which of them cannot be read."""
    paths = list(numpyclip.find_pictures(folders))
    records = model.iter_embeddings(paths, on_error=print)
    return {path: record.embedding for path, record in zip(paths, records, strict=True) if not record.error}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kinds", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--model", default="ViT-B/32")
    given = parser.parse_args()

    model, _ = numpyclip.load(given.model)
    folders = [path for path in sorted(given.kinds.glob("*")) if path.is_dir()]
    known = embed(model, folders)
    labels = [Path(path).relative_to(given.kinds).parts[0] for path in known]
    if len(set(labels)) < 2:
        parser.error(f"{given.kinds}: expected two or more folders with images in them")
    examples = Examples.of(np.stack(list(known.values())), labels, model.fingerprint)
    if measured := Accuracy.of(cross_validate(examples), examples.classes):
        print(f"accuracy {measured.accuracy:.2f} on {len(known)} examples")
    probe = learn(examples)
    for path, embedding in embed(model, [given.folder]).items():
        (row,) = probe.probabilities(embedding[np.newaxis])
        print(f"{row.max():.2f}  {probe.classes[row.argmax()]:12}  {path}")


if __name__ == "__main__":
    main()
