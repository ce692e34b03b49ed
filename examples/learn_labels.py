"""Learn labels from a few example images, and say which of them other images get.

    python examples/learn_labels.py examples/ inbox/

Every folder in the first one is a label, and holds a few images of it: examples/mine/, examples/others/. This is for
what words cannot say, such as your own products. The accuracy is cross-validated.
"""

import argparse
from pathlib import Path

import numpyclip
from numpyclip.tasks import Accuracy, Examples, cross_validate, learn


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("examples", type=Path)
    parser.add_argument("folder")
    parser.add_argument("--model", default="ViT-B/32")
    given = parser.parse_args()

    model, _ = numpyclip.load(given.model)
    paths = list(numpyclip.find_pictures(given.examples))
    labels = [Path(path).relative_to(given.examples).parts[0] for path in paths]
    examples = Examples.of(model.embed_images(paths), labels, model.fingerprint)
    if measured := Accuracy.of(cross_validate(examples), examples.classes):
        print(f"accuracy {measured.accuracy:.2f} on {len(paths)} examples")
    probe = learn(examples)
    others = list(numpyclip.find_pictures(given.folder))
    for path, row in zip(others, probe.classify(model, others), strict=True):
        print(f"{row.max():.2f}  {probe.classes[row.argmax()]:12}  {path}")


if __name__ == "__main__":
    main()
