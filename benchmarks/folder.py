"""How many photographs a second: ViT-B/32, a folder of 500 JPEGs of 12 megapixels, files in, embeddings out.

Against the plain loop over openai/CLIP's preprocessing (torchvision and Pillow), and the same with a DataLoader.
"""

from contest import inputs
from contest.question import Question, ask

QUESTION = Question(
    "folder",
    "ViT-B/32, a folder of 500 photographs of 12 megapixels",
    "files",
    inputs.photographs,
    500,
    contestants=("numpyclip", "numpyclip_draft", "openai", "openai_workers"),
    sample=inputs.different_photographs,
)

if __name__ == "__main__":
    ask(QUESTION, rounds=3, least=0)
