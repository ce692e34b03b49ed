"""How many prompts a second: ViT-B/32, `a photo of a ...` with ImageNet's 1,000 names, strings in, embeddings out."""

from contest import inputs
from contest.question import Question, ask

TITLE = "ViT-B/32, ImageNet's 1,000 prompts"

if __name__ == "__main__":
    ask(Question("thousand_prompts", TITLE, "texts", inputs.prompts, 1000, sample=inputs.some_prompts), rounds=3)
