"""How many photographs a second: ViT-B/32, a folder of 500 JPEGs of 12 megapixels, files in, embeddings out.

Against the plain loop over openai/CLIP's preprocessing (torchvision and Pillow), and the same with a DataLoader.
And how fast is decoding, alone?
"""

from contest import inputs
from contest.arena import Result, compete, options, workers
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
    threads = options(QUESTION.title, QUESTION.contestants, 3).threads
    with workers(DECODERS, QUESTION.model, threads) as team:  # first: once the question is answered, this is, too
        seconds = compete(team, "decode", QUESTION.inputs(), rounds=1, least=0)
    for name, (each,) in seconds.items():
        print(f"Decoding alone, {TITLES[name]}: {QUESTION.count / each:.1f} photographs/s")
    keep("folder_decoding", Result(seconds, {}, {}), threads)
    ask(QUESTION, rounds=3, least=0)


if __name__ == "__main__":
    main()
