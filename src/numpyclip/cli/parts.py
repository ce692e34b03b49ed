"""`numpyclip embed` to a folder or URL: parts, on many workers, with progress and a summary."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Sequence
from contextlib import redirect_stdout
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from numpyclip.cli.inputs import Reporter, exit_status, is_terminal, paths_in, say_left_out, with_stdin
from numpyclip.cli.options import decode_options, load_options, positive
from numpyclip.cli.outputs import counted, print_json, say
from numpyclip.errors import InputError

if TYPE_CHECKING:
    from numpyclip.batch import Options, Progress, Summary

_EVERY = 60  # seconds between lines that tell how far a run is, where they are not on a terminal


def add_parts_options(command: argparse.ArgumentParser) -> None:
    """Add who computes parts, which of them, and how they are written."""
    group = command.add_argument_group("parts, where the output is a folder or URL")
    group.add_argument("--workers", type=positive, metavar="N", help="of one core each (default: all cores)")
    group.add_argument(
        "--on", metavar="CLUSTER", help="ray for the cluster of this machine, or ray://HOST:10001 (default: processes)"
    )
    group.add_argument(
        "--shard",
        type=shard,
        metavar="I/N",
        help="only parts whose number modulo N is I, from 0: for job arrays, which share the output",
    )
    group.add_argument("--layout", choices=("parquet", "clip-retrieval"), help="of the output (default: parquet)")


def refuse_options(arguments: argparse.Namespace, more: Sequence[str]) -> None:
    """Raise InputError for options that have no meaning for an output of one file, and more of them."""
    for name in ("workers", "on", "shard", "layout", *more):
        if getattr(arguments, name) is not None:
            kind = (
                "a .parquet file, a folder or a URL" if name in more else "a folder, which ends in /, or a URL of one"
            )
            raise InputError(f"--{name} is for outputs to {kind}; leave it out, or choose such an --output.")


def embed_parts(arguments: argparse.Namespace) -> int:
    """Embed sources into parts of a folder or URL; print or say what was done."""
    from numpyclip.batch import embed

    report, display = Reporter(), _Display(arguments.kind)
    if arguments.kind == "texts" and "-" in arguments.items:
        raise InputError("-: texts of standard input cannot be divided into parts; put them into a file for --from.")
    lists = () if arguments.list_file is None else (arguments.list_file,)
    options = _options(arguments, lists=lists, on_error=report, progress=display)
    try:
        with redirect_stdout(sys.stderr):  # for Ray, which prints to it what happens to workers
            summary = embed(
                list(with_stdin(arguments.items, paths_in)),
                arguments.output,
                model=arguments.model,
                kind=arguments.kind,
                workers=arguments.workers,
                on=arguments.on,
                options=options,
            )
    except KeyboardInterrupt:
        display.close()
        say(f"{arguments.output}: is not complete; the same command continues.")
        raise
    finally:
        display.close()
    say_left_out(summary.left_out, report.count)
    _say_summary(arguments, summary)
    return _status(summary, report.count)


def _options(arguments: argparse.Namespace, **of_run: Any) -> Options:
    from numpyclip.batch import Options

    if getattr(arguments, "store", None) is not None:
        raise InputError("--store is for outputs of one file; a folder or URL takes no embeddings of an index.")
    return Options(
        load=load_options(arguments),
        column=arguments.column,
        columns=arguments.carry,
        limit=arguments.limit,
        shard=arguments.shard or (0, 1),
        layout=arguments.layout or "parquet",
        dtype=arguments.dtype or "float32",
        batch_size=arguments.batch_size,
        **_of_kind(arguments),
        **of_run,
    )


def _of_kind(arguments: argparse.Namespace) -> dict[str, Any]:
    if arguments.kind == "images":
        return {"decoding": decode_options(arguments), "views": arguments.views}
    return {"truncate": arguments.truncate}


def _say_summary(arguments: argparse.Namespace, summary: Summary) -> None:
    for part in summary.failed:
        say(f"part {part.number}: {part.error}")
    if arguments.json:
        print_json(summary.to_dict())
        return
    noun = "view" if getattr(arguments, "views", None) is not None else arguments.kind.removesuffix("s")
    before = f" ({summary.parts_skipped:,} were complete before)" if summary.parts_skipped else ""
    say(
        f"{summary.destination}: {counted(summary.rows, noun)} in {counted(summary.parts, 'part')}{before}, "
        f"{summary.rows_per_second:.4g}/s"
    )
    if summary.errors:
        say(f"{summary.errors:,} of them with an error in the place of an embedding")
    if summary.failed:
        say(f"{counted(len(summary.failed), 'part')} failed, named above; the same command tries again")


def _status(summary: Summary, problems: int) -> int:
    """Return the exit status: 3 if something is without an embedding, 2 if all is."""
    is_embedded = summary.rows > summary.errors or summary.parts_skipped > 0
    return exit_status(summary.errors + len(summary.failed) + problems, is_embedded)


class _Display:
    """Shows progress on stderr: on a terminal in one line that changes, elsewhere in a line now and then."""

    def __init__(self, kind: str) -> None:
        self._kind = kind
        self._said = 0.0
        self._bar: Any = None
        if is_terminal(sys.stderr):
            from tqdm import tqdm

            self._bar = tqdm(bar_format="{desc}", dynamic_ncols=True)

    def __call__(self, progress: Progress) -> None:
        """Show how far a run is."""
        if self._bar is not None:
            self._bar.set_description_str(self._text(progress))
        elif progress.seconds - self._said >= _EVERY:
            self._said = progress.seconds
            say(self._text(progress))

    def _text(self, progress: Progress) -> str:
        text = f"{progress.rows:,} {self._kind}, {progress.rows_per_second:.4g}/s"
        text += f", {progress.parts_done:,} of {counted(progress.parts, 'part')}"
        if progress.seconds_left is not None:
            text += f", {timedelta(seconds=round(progress.seconds_left))} left"
        return text

    def close(self) -> None:
        """End the line."""
        if self._bar is not None:
            self._bar.close()


def shard(text: str) -> tuple[int, int]:
    """Read I/N."""
    found = re.fullmatch(r"([0-9]{1,9})/([0-9]{1,9})", text)
    if found is None or int(found[1]) >= int(found[2]):
        raise argparse.ArgumentTypeError(f"{text!r} is not I/N with I from 0 to N - 1, such as 0/8")
    return int(found[1]), int(found[2])
