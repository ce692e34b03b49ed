"""How many photographs a second: ViT-B/32, a folder of 500 JPEGs of 12 megapixels, files in, embeddings out.

Against the plain loop over openai/CLIP's preprocessing (torchvision and Pillow), and the same with a DataLoader.
And how fast is decoding, alone?
"""

import os
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpyclip
from contest import inputs
from contest.arena import Result
from contest.files import Checkpoint
from contest.question import Question, ask, keep
from numpyclip.images.decode_options import DecodeOptions

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


def seconds_of_decoding(paths: Sequence[str], draft: bool) -> float:
    """Decode files, and make pixels of them, on all cores."""
    model, _ = numpyclip.load(Checkpoint(QUESTION.model).numpyclip)
    start = time.perf_counter()
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        for _ in threads.map(lambda path: model.preprocess.read(Path(path), DecodeOptions(draft=draft)), paths):
            pass
    return time.perf_counter() - start


def main() -> None:
    ask(QUESTION, rounds=3, least=0)
    paths = QUESTION.inputs().read_text("utf-8").splitlines()
    seconds = {str(draft): [seconds_of_decoding(paths, draft)] for draft in (False, True)}
    for draft, (each,) in seconds.items():
        print(f"Decoding alone, draft={draft}: {len(paths) / each:.1f} photographs/s")
    keep("folder_decoding", Result(seconds, {}, {}))


if __name__ == "__main__":
    main()
