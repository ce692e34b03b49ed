"""How many images a second: ViT-B/32, batches of 32, preprocessed pixels in, embeddings out."""

from contest import inputs
from contest.question import Question, ask

if __name__ == "__main__":
    ask(Question("batch_of_images", "ViT-B/32, 32 images", "images", lambda: inputs.pixels(224, 32), 32))
