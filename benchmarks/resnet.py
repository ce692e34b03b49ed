"""How many images a second with a ResNet: RN50, batches of 16, preprocessed pixels in, embeddings out."""

from contest import inputs
from contest.question import ENGINES, RUNTIMES, Question, ask

CONTESTANTS = ("numpyclip", *ENGINES, "openai", "open_clip", *RUNTIMES)

if __name__ == "__main__":
    ask(Question("resnet", "RN50, 16 images", "images", lambda: inputs.pixels(224, 16), 16, "RN50", CONTESTANTS))
