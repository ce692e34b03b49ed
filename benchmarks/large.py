"""How many images a second with the largest transformer: ViT-L/14@336px, batches of 4. Takes 10 GB of memory."""

from contest import inputs
from contest.question import ENGINES, RUNTIMES, Question, ask

MODEL = "ViT-L/14@336px"
CONTESTANTS = ("numpyclip", *ENGINES, "openai", "open_clip", "transformers", *RUNTIMES)

if __name__ == "__main__":
    title = f"{MODEL}, 4 images"
    ask(Question("large", title, "images", lambda: inputs.pixels(336, 4), 4, MODEL, CONTESTANTS), rounds=5)
