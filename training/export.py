"""Write trained weights as the package ships them: OpenAI's names and shapes, matrices rounded, in float16, deflated.

    python export.py RUN OUT.npz

At any moment of a run. Rows of tokens that training never met are zero: deflate makes them vanish.
"""

import argparse
from pathlib import Path

import numpy as np
import torch

from rounding import rounded
from train import untrained


def export(run: Path, out: Path) -> None:
    state = torch.load(run / "state.pt", weights_only=True)
    begin = untrained().state_dict()["token_embedding.weight"]
    arrays = {}
    for name, tensor in state["averaged"].items():
        if name.endswith("num_batches_tracked"):
            continue
        if name == "token_embedding.weight":
            was_met = (tensor != begin).any(dim=1, keepdim=True)  # the others are as they were drawn, bit for bit
            tensor = tensor * was_met
        arrays[name] = rounded(name, tensor.numpy())
    part = out.with_name(f"{out.name}.part")
    with part.open("wb") as file:
        np.savez_compressed(file, **arrays)
    part.replace(out)
    numbers, size = sum(array.size for array in arrays.values()) / 1e6, out.stat().st_size / 1e6
    met = int(arrays["token_embedding.weight"].any(axis=1).sum())
    print(f"step {state['step']}: {numbers:.2f} M numbers, {met:,} rows of tokens, {size:.1f} MB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("run", type=Path, metavar="RUN")
    parser.add_argument("out", type=Path, metavar="OUT.npz")
    given = parser.parse_args()
    export(given.run, given.out)


if __name__ == "__main__":
    main()
