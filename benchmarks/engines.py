"""Ask all that docs/guides/engines.md says of the engines, the most important first, and compare it with the goals.

    VENV/bin/python benchmarks/engines.py             (25 minutes on two cores, with nothing else on them)
    VENV/bin/python benchmarks/engines.py --only one_image folder

It runs the scripts of the questions, each with the contestants that its goals name. What all of these have answered, on
this machine and of this commit, is not asked again, unless it is given by `--only`; so it may be stopped and started
again. `--table` only prints the table.
"""

import argparse
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from contest import report
from contest.arena import THREADS, Result
from contest.contestants import TITLES
from contest.question import kept

F32, BF16, INT8 = "numpyclip_openvino", "numpyclip_openvino_bf16", "numpyclip_openvino_int8"
ORT = "numpyclip_onnxruntime"
OURS = (F32, BF16, ORT)
THEIRS = ("onnxruntime", "openvino", "openvino_bf16")
TORCH = ("openai", "open_clip_bf16")
PLAIN = "fastapi + onnxruntime"


class Asked(NamedTuple):
    """A script, its options, and the names of what it answers."""

    script: str
    answers: tuple[str, ...]
    contestants: tuple[str, ...] = ()
    options: tuple[str, ...] = ("--rounds", "5")


class Goal(NamedTuple):
    """How many times as long as NumPyCLIP another ought to take, at least."""

    answer: str
    ours: str
    theirs: str
    least: float


SERVER = tuple(f"server_image_{clients}" for clients in (1, 8, 32))
TOWERS = ("siglip", "convnext", "mobileclip")
ASKED = (
    Asked("batch_of_images", ("batch_of_images",), ("numpyclip", *OURS, INT8, *TORCH, *THEIRS)),
    Asked("one_image", ("one_image",), ("numpyclip", *OURS, INT8, *TORCH, *THEIRS)),
    Asked("one_prompt", ("one_prompt",), ("numpyclip", *OURS, INT8, *TORCH, *THEIRS)),
    Asked("cold_start", ("cold_start",), ("numpyclip", F32, BF16, ORT, "onnxruntime", "openvino_cached")),
    Asked("server", SERVER, options=("--rounds", "5", "--seconds", "2", "--kinds", "image")),
    Asked("resnet", ("resnet",), ("numpyclip", *OURS, *THEIRS)),
    Asked("exported_towers", TOWERS, ("numpyclip", *OURS, *THEIRS)),
    Asked("thousand_prompts", ("thousand_prompts",), ("numpyclip", BF16, ORT, "onnxruntime", "openvino_bf16")),
    Asked("large", ("large",), OURS + THEIRS),
    Asked(
        "folder",
        ("folder",),
        ("numpyclip", "numpyclip_draft", BF16, "numpyclip_openvino_draft"),
        ("--rounds", "1"),
    ),
)
GOALS = (
    Goal("batch_of_images", BF16, "openvino_bf16", 1.08),
    Goal("batch_of_images", BF16, "open_clip_bf16", 1.3),
    Goal("batch_of_images", ORT, "onnxruntime", 1.05),
    Goal("one_image", F32, "openvino", 1.0),
    Goal("one_image", F32, "onnxruntime", 1.0),
    Goal("one_image", F32, "openai", 1.0),
    Goal("one_image", BF16, "openvino_bf16", 1.1),
    Goal("one_image", BF16, "open_clip_bf16", 1.0),
    Goal("one_prompt", BF16, "openvino_bf16", 1.6),
    Goal("thousand_prompts", BF16, "openvino_bf16", 10),
    Goal("thousand_prompts", ORT, "onnxruntime", 5),
    Goal("cold_start", F32, "numpyclip", 1 / 1.5),
    Goal("cold_start", BF16, "numpyclip", 1 / 1.5),
    *(Goal(name, BF16, PLAIN, 1.0) for name in SERVER),
    *(
        Goal(name, ours, theirs, 1.0)
        for name in ("large", "resnet", *TOWERS)
        for ours, theirs in ((F32, "openvino"), (F32, "onnxruntime"), (BF16, "openvino_bf16"))
    ),
)
MEMORY = ((F32, "openvino"), (BF16, "openvino_bf16"), (ORT, "onnxruntime"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=[each.script for each in ASKED], help="ask these, again")
    parser.add_argument("--rounds", help="of every question, in place of its own number")
    parser.add_argument("--table", action="store_true", help="ask nothing")
    given = parser.parse_args()
    for each in () if given.table else ASKED:
        if each.script in given.only if given.only else not is_answered(each):
            ask(each, given.rounds)
    print(report.table(["question", "NumPyCLIP with", "takes 1, this takes", "", "goal"], list(times())))
    print()
    print(report.table(["question", "NumPyCLIP with", "peak MiB", "than", "peak MiB"], list(peaks())))
    missing = [each.script for each in ASKED if not is_answered(each)]
    print(f"\nStill to be answered: {', '.join(missing) or 'none'}.")
    print(f"\n{report.machine(THREADS)}")


def ask(each: Asked, rounds: str | None) -> None:
    """Run a script; what fails is said, and does not keep others from being asked."""
    command = [sys.executable, str(Path(__file__).with_name(f"{each.script}.py")), *each.options]
    command += ["--rounds", rounds] if rounds else []
    command += ["--contestants", *each.contestants] if each.contestants else []
    done = subprocess.run(command, env={**os.environ, "PYTHONUNBUFFERED": "1"})
    if done.returncode:
        print(f"{each.script}.py has failed, with status {done.returncode}", flush=True)


def is_answered(each: Asked) -> bool:
    found = map(read, each.answers)
    return all(result is not None and set(each.contestants) <= result.seconds.keys() for result in found)


def read(name: str) -> Result | None:
    return kept(name, THREADS)


def times() -> Iterator[list[str]]:
    """Make a row of each goal whose question has been answered."""
    for goal in GOALS:
        result = read(goal.answer)
        ratio = None if result is None else result.ratio(goal.theirs, goal.ours)
        if ratio is not None:
            titles = TITLES[goal.ours].removeprefix("NumPyCLIP, "), TITLES.get(goal.theirs, goal.theirs)
            reached = f"{goal.least:.2f}" + ("" if ratio >= goal.least else ": missed")
            yield [goal.answer.replace("_", " "), titles[0], titles[1], f"{ratio:.2f}", reached]
    whole, decoding = read("folder"), read("folder_decoding")
    for name, decoder in ((BF16, "numpyclip"), ("numpyclip_openvino_draft", "numpyclip_draft")):
        if whole and decoding and name in whole.seconds and decoder in decoding.seconds:
            share = decoding.median(decoder) / whole.median(name)
            yield ["folder", TITLES[name].removeprefix("NumPyCLIP, "), "decoding alone", f"{share:.2f}", ""]


def peaks() -> Iterator[list[str]]:
    """Make a row of peak memory for each pair of contestants that embed the same."""
    for name in (name for each in ASKED for name in each.answers):
        result = read(name)
        found = {} if result is None else result.peaks
        for pair in MEMORY:
            if found.keys() >= set(pair):
                ours, theirs = ([TITLES[each].removeprefix("NumPyCLIP, "), f"{found[each]:.0f}"] for each in pair)
                yield [name.replace("_", " "), *ours, *theirs]


if __name__ == "__main__":
    main()
