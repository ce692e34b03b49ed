"""Write trained weights as the package ships them: OpenAI's names and shapes, matrices in float16, deflated.

    python export.py CHECKPOINT DATA OUT.npz

Rows of tokens that no training text has, in no way that its words may fall apart, are zero: deflate makes them vanish.
"""

import argparse
import random
from pathlib import Path

import numpy as np
import torch

from batches import COLOURS, TEMPLATES
from sources import sets
from splits import read
from tokens import END, START, Tokenizer

_AND_SO_ON = "and next to beside background on a an , . the of in with"
_TRIES = 20  # of each text with dropout


def trained_tokens(data: Path) -> set[int]:
    """Return the ids that training may have met."""
    tokenizer, rng = Tokenizer(), random.Random(0)
    texts = {*COLOURS, *TEMPLATES, _AND_SO_ON}
    for drawn in sets().values():
        if drawn.is_trained_on:
            for entry in read(data, drawn.name)[1]:
                texts |= {entry["cap"], *entry["tags"], *entry["words"], *entry["narrower"]}
    ids = {START, END}
    for text in sorted(text.replace("{}", "") for text in texts):
        ids.update(tokenizer(text))
        for _ in range(_TRIES):
            ids.update(tokenizer(text, rng, 1.0))
    return ids


def export(checkpoint: Path, data: Path, out: Path) -> None:
    saved = torch.load(checkpoint, weights_only=True)
    trained = np.zeros(len(saved["averaged"]["token_embedding.weight"]), bool)
    trained[list(trained_tokens(data))] = True
    arrays = {}
    for name, tensor in saved["averaged"].items():
        if name.endswith("num_batches_tracked"):
            continue
        array = tensor.float().numpy().copy()
        if name == "token_embedding.weight":
            array[~trained] = 0
        arrays[name] = array.astype(np.float16 if array.ndim > 1 else np.float32)
    np.savez_compressed(out, **arrays)
    numbers = sum(array.size for array in arrays.values()) / 1e6
    size = out.stat().st_size / 1e6
    print(f"step {saved['step']}: {numbers:.2f} M numbers, {trained.sum()} rows of tokens, {size:.1f} MB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    given = parser.parse_args()
    export(given.checkpoint, given.data, given.out)


if __name__ == "__main__":
    main()
