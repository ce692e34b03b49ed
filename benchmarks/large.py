"""How many images a second with the largest transformer: ViT-L/14@336px, batches of 4. Takes 10 GB of memory."""

from contest import inputs
from contest.question import FLOAT32, Question, ask

MODEL = "ViT-L/14@336px"

if __name__ == "__main__":
    ask(Question("large", f"{MODEL}, 4 images", "images", lambda: inputs.pixels(336, 4), 4, MODEL, FLOAT32), rounds=5)
