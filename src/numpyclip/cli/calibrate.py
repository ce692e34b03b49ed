"""`numpyclip index --calibrate`: probabilities fitted to queries of one's own."""

from __future__ import annotations

import argparse
import csv
import io
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from numpyclip.cli.outputs import print_json, say
from numpyclip.errors import InputError

if TYPE_CHECKING:
    from numpyclip.index import CalibrationReport, Index, Where

_PLACES = {"path", "folder", "tag"}


def read_queries(file: str) -> dict[str, list[str | Where]]:
    """Read queries and where their right images are from a CSV file with a header, and check the queries."""
    from numpyclip.index import Where
    from numpyclip.index.calibrate import check_queries
    from numpyclip.tasks.text_files import read_text

    text = read_text(file)
    header = text.partition("\n")[0]
    separator = next((each for each in ",;\t" if each in header), ",")  # as spreadsheets write them
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    try:
        columns = _columns(reader.fieldnames or (), file)
        queries: dict[str, list[str | Where]] = {}
        for row in reader:
            cells = {name: cell for name, written in columns.items() if (cell := (row[written] or "").strip())}
            query = cells.get("query")
            places = [Where(tag=cells[name]) if name == "tag" else cells[name] for name in cells if name in _PLACES]
            if not query and not places:
                continue
            if not query or not places:
                missing = "images" if query else "query"
                raise InputError(
                    f"{file}: line {reader.line_num} has no {missing}; expected a query, and a path or tag."
                )
            queries.setdefault(query, []).extend(places)
    except csv.Error as error:
        raise InputError(f"{file}: is not a CSV file ({error}). Double the quotes within quotes.") from error
    check_queries(queries)
    return queries


def _columns(names: Sequence[str], file: str) -> dict[str, str]:
    """Return the names of columns as they are written, by what they mean."""
    columns = {name.strip().lower(): name for name in names}
    if "query" not in columns or not columns.keys() & _PLACES:
        shown = ", ".join(names) or "none"
        raise InputError(f"{file}: has the columns {shown:.80}; expected query, and path, folder or tag.")
    if len(columns) < len(names):
        raise InputError(f"{file}: has a column twice ({', '.join(names):.80}); expected a row for each image.")
    return columns


def run_calibrate(arguments: argparse.Namespace, index: Index, queries: dict[str, list[str | Where]]) -> int:
    """Calibrate an index, and say what came of it."""
    from numpyclip.index import calibrate

    report = calibrate(index, queries)
    if arguments.json:
        print_json({**asdict(report), "is_better": report.is_better})
    else:
        for line in _described(report):
            say(line)
    return 0 if report.is_better else 1


def _described(report: CalibrationReport) -> list[str]:
    before, after = report.before, report.after
    lines = [
        f"fitted to {report.queries} queries with {report.right} right images, of {report.pictures:,} in the index; "
        f"for {report.shown} queries one of these is among the first 20",
        "cross-validated: each query by a calibration fitted to the others (in parentheses: by the default)",
        f"calibration error {after.error:.2f} ({before.error:.2f})",
        f"above the cutoff, without a right image {after.passed:.0%} ({before.passed:.0%})",
    ]
    if after.hidden is not None and before.hidden is not None:
        lines.append(f"below the cutoff, with a right image {after.hidden:.0%} ({before.hidden:.0%})")
    if not report.is_better:
        lines.append("worse than the default, so not stored: name more queries, and all right images of each.")
    return lines
