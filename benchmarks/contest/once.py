"""A whole program: probabilities of labels for one picture, printed as JSON.

Run as `python -m contest.once CONTESTANT MODEL PICTURE LABEL [LABEL ...]`.
"""

import json
import os
import sys
from pathlib import Path

import numpy as np

from contest import contestants
from contest.files import Checkpoint

FACTOR = 100  # of the cosines; OpenAI's models have learned it


def main() -> None:
    name, model, picture, *labels = sys.argv[1:]
    contestant = contestants.load(name, Checkpoint(model), int(os.environ["OPENBLAS_NUM_THREADS"]))
    image, texts = contestant.files([Path(picture)]), contestant.texts(labels)
    image, texts = (rows / np.linalg.norm(rows, axis=1, keepdims=True) for rows in (image, texts))
    powers = np.exp(FACTOR * (image @ texts.T))
    print(json.dumps((powers / powers.sum()).tolist()))


if __name__ == "__main__":
    main()
