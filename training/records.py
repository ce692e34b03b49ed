"""Checkpoints and logs of a run, which can be killed at any moment."""

import csv
import os
from pathlib import Path
from typing import Any

import torch


def save(values: dict[str, Any], path: Path) -> None:
    """Write a checkpoint: readers and crashes see the old file or the new one."""
    part = path.with_suffix(".part")
    with part.open("wb") as file:
        torch.save(values, file)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)


class Log:
    """A CSV file. Rows behind the step that a run goes on from are dropped: no step counts twice."""

    def __init__(self, path: Path, step: int) -> None:
        self._path = path
        if path.exists():
            with path.open(newline="") as file:
                rows = list(csv.DictReader(file))
            kept = [row for row in rows if row["step"] and int(row["step"]) <= step]
            if len(kept) < len(rows):
                part = path.with_suffix(".part")
                with part.open("w", newline="") as file:
                    writer = csv.DictWriter(file, list(rows[0]))
                    writer.writeheader()
                    writer.writerows(kept)
                part.replace(path)

    def __call__(self, row: dict[str, Any]) -> None:
        with self._path.open("a", newline="") as file:
            writer = csv.DictWriter(file, list(row))
            if not file.tell():
                writer.writeheader()
            writer.writerow(row)
        print("  ".join(f"{key} {value}" for key, value in row.items()), flush=True)
