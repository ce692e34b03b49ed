"""How many photographs a second: ViT-B/32, a folder of 500 JPEGs of 12 megapixels, files in, embeddings out.

Against the plain loop over openai/CLIP's preprocessing (torchvision and Pillow), and the same with a DataLoader.
And how fast is decoding, alone?
"""

from contest import inputs
from contest.arena import Result, compete, workers
from contest.contestants import TITLES
from contest.question import Question, ask, keep

DECODERS = ("numpyclip", "numpyclip_draft")

QUESTION = Question(
    "folder",
    "ViT-B/32, a folder of 500 photographs of 12 megapixels",
    "files",
    inputs.photographs,
    500,
    contestants=(
        "numpyclip",
        "numpyclip_draft",
        "numpyclip_openvino_bf16",
        "numpyclip_openvino_draft",
        "openai",
        "openai_workers",
    ),
    sample=inputs.different_photographs,
)


def main() -> None:
    ask(QUESTION, rounds=3, least=0)
    with workers(DECODERS, QUESTION.model, threads=2) as team:
        seconds = compete(team, "decode", QUESTION.inputs(), rounds=1, least=0)
    for name, (each,) in seconds.items():
        print(f"Decoding alone, {TITLES[name]}: {QUESTION.count / each:.1f} photographs/s")
    keep("folder_decoding", Result(seconds, {}, {}))


if __name__ == "__main__":
    main()
