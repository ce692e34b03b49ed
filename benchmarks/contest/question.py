"""A question about speed that contestants answer side by side, and the answer as a table."""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from contest import report
from contest.arena import Options, Result, agree, compete, options, workers
from contest.contestants import TITLES
from contest.files import ANSWERS

ENGINES = ("numpyclip_openvino", "numpyclip_openvino_bf16", "numpyclip_openvino_int8", "numpyclip_onnxruntime")
RUNTIMES = ("open_clip_bf16", "onnxruntime", "openvino", "openvino_bf16")
PEERS = ("openai", "open_clip", "transformers", *RUNTIMES)
ALL = ("numpyclip", *ENGINES, *PEERS, "ancestor")


@dataclass(frozen=True)
class Question:
    """What is asked.

    Attributes
    ----------
    name : str
        Of the files with the answer.
    title : str
    task : {"images", "texts", "files"}
        The method of the contestants.
    inputs : callable
        Makes the file of what is embedded.
    count : int
        How many there are in it.
    model : str
    contestants : sequence of str
    sample : callable, optional
        Makes a file of fewer, where comparing what is computed from all would take too long.
    """

    name: str
    title: str
    task: Literal["images", "texts", "files"]
    inputs: Callable[[], Path]
    count: int
    model: str = "ViT-B/32"
    contestants: Sequence[str] = ALL
    sample: Callable[[], Path] | None = None


AGREEMENT = (
    "Cosines are those of the worst embedding to openai/CLIP or, where that does not take part, to open_clip or the "
    "exported model on ONNX Runtime."
)


def ask(question: Question, rounds: int = 7, least: float = 1.0) -> None:
    """Ask the contestants that the command line names, and write the answer down.

    In a turn of theirs, what takes less than the `least` seconds is repeated, and its median counts.
    """
    given = options(question.title, question.contestants, rounds)
    with workers(given.names, question.model, given.threads, given.ancestor) as team:
        cosines, peaks = agree(team, question.task, (question.sample or question.inputs)())
        result = Result(compete(team, question.task, question.inputs(), given.rounds, least), cosines, peaks)
    answer(question, given, result)


def answer(question: Question, given: Options, result: Result, agreement: str = "") -> None:
    """Write the result down; `agreement` says how far embeddings agree, where they were not compared one by one."""
    one = question.count == 1
    unit = "ms" if one else f"{'texts' if question.task == 'texts' else 'images'}/s"

    def value(seconds: float) -> float:
        return 1e3 * seconds if one else question.count / seconds

    rows = []
    for name in given.names:
        turns = [value(seconds) for seconds in result.seconds[name]]
        row = [TITLES[name], number(value(result.median(name))), f"{number(min(turns))} to {number(max(turns))}"]
        ratio = result.ratio(name)
        row.append("" if ratio is None else f"{ratio:.2f}")
        row += [f"{1 - result.cosines[name]:.0e}"] if result.cosines else []
        rows.append(row + ([f"{result.peaks[name]:.0f}"] if result.peaks else []))
    compared = ["1 - cosine"] if result.cosines else []
    header = ["", unit, "range", "time / NumPyCLIP's", *compared, *(["peak MiB"] if result.peaks else [])]
    keep(question.name, result, given.threads)
    titles, values = [TITLES[name] for name in given.names], [value(result.median(name)) for name in given.names]
    report.write(
        question.name,
        question.title,
        [
            report.table(header, rows),
            report.bars(question.name, question.title, titles, values, unit),
            f"Medians of {given.rounds} rounds, in turn. The ratio is the median of the rounds' ratios: above 1, "
            f"NumPyCLIP is faster. {agreement or AGREEMENT}",
            report.machine(given.threads),
        ],
    )


def keep(name: str, result: Result, threads: int) -> None:
    """Keep a result for `engines.py`, with the machine and the commit that it was measured on."""
    ANSWERS.mkdir(exist_ok=True)
    text = json.dumps({"machine": report.machine(threads), "result": asdict(result)})
    (ANSWERS / f"{name}.json").write_text(text, "utf-8")


def kept(name: str, threads: int) -> Result | None:
    """Return the result that was kept; None if there is none of this machine and commit, with so many threads."""
    file = ANSWERS / f"{name}.json"
    found = json.loads(file.read_text("utf-8")) if file.exists() else {}
    return Result(**found["result"]) if found.get("machine") == report.machine(threads) else None


def number(value: float) -> str:
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"
