"""How long one short prompt takes: ViT-B/32, string in, embedding out."""

from contest import inputs
from contest.question import Question, ask

if __name__ == "__main__":
    prompt = ["a photo of a dog"]
    ask(Question("one_prompt", "ViT-B/32, one prompt", "texts", lambda: inputs.lines("prompt", prompt), 1))
