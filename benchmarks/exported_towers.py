"""How many images a second with towers of other families, beside the runtimes on what open_clip and PyTorch export.

SigLIP-B/16, ConvNeXt-B and MobileCLIP2-S0, the last with fused branches in every form; batches of 16.
"""

from contest import inputs
from contest.files import Checkpoint
from contest.question import ENGINES, RUNTIMES, Question, ask

TOWERS = {"siglip": "ViT-B-16-SigLIP", "convnext": "convnext_base", "mobileclip": "MobileCLIP2-S0"}
CONTESTANTS = ("numpyclip", *ENGINES, "open_clip", *RUNTIMES)


def question(name: str) -> Question:
    model, count = TOWERS[name], 16
    size = Checkpoint(model).size
    title = f"{model}, {count} images"
    return Question(name, title, "images", lambda: inputs.pixels(size, count), count, model, CONTESTANTS)


if __name__ == "__main__":
    for name in TOWERS:
        ask(question(name), rounds=5)
