"""Classify the images of a folder by your own labels, into a table for a spreadsheet.

    python examples/classify_folder.py photos/ labels.csv dog cat person food landscape

Probabilities compare the labels with each other, so there should be one for everything that occurs ("something else" is
no label that CLIP understands).
"""

import argparse
import csv
from pathlib import Path

import numpy as np

import numpyclip
from numpyclip.tasks import ZeroShotClassifier


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder")
    parser.add_argument("table", type=Path, help="the CSV file to write")
    parser.add_argument("labels", nargs="+", metavar="label")
    parser.add_argument("--template", default="a photo of a {}", help="sentence around a label (default: %(default)s)")
    parser.add_argument("--model", default="ViT-B/32")
    given = parser.parse_args()

    model, _ = numpyclip.load(given.model)
    classifier = ZeroShotClassifier(model, given.labels, given.template)
    found = model.iter_embeddings(numpyclip.find_pictures(given.folder), draft=True, on_error=print)
    images = {record.picture: record.embedding for record in found if not record.error}
    if not images:
        parser.error(f"{given.folder}: no images found")
    probabilities = classifier.probabilities(np.stack(list(images.values())))  # (n_images, n_labels)

    with given.table.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["path", "best", *given.labels])
        for path, row in zip(images, probabilities, strict=True):
            rows.writerow([path, given.labels[row.argmax()], *(f"{p:.4f}" for p in row)])
    print(f"{given.table}: {len(images)} images")


if __name__ == "__main__":
    main()
