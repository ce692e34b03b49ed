"""How long one image takes: ViT-B/32, preprocessed pixels in, embedding out."""

from contest import inputs
from contest.question import Question, ask

if __name__ == "__main__":
    ask(Question("one_image", "ViT-B/32, one image", "images", lambda: inputs.pixels(224, 1), 1))
