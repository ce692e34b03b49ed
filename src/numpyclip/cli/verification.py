"""`numpyclip models verify`: whether models compute what the reference has computed with them."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from numpyclip.cli.outputs import print_columns, print_json, say

if TYPE_CHECKING:
    from numpyclip.dual_encoder.clip import CLIP
    from numpyclip.tasks.known_outputs import KnownOutput

_SHOWN = 6  # numbers of a row


def verify_outputs(arguments: argparse.Namespace, name: str, pretrained: str | None = None) -> bool:
    """Compute the known outputs of a model and compare them; return whether none differs."""
    from numpyclip.tasks.known_outputs import known_outputs

    known_as, tag = (arguments.published_as, None) if arguments.published_as else (name, pretrained)
    outputs = known_outputs(known_as, tag)
    if not outputs and arguments.items:
        say(f"{known_as}: no output of this model is published that could be compared.")
    folder = Path(arguments.images or ".")
    model: CLIP | None = None
    agree = True
    for output in outputs:
        if missing := output.missing(folder):
            _print(arguments, name, output, "not computed", None)
            for image in missing:
                say(f"{image.file}: is not in {folder}; get it from {image.url} and pass --images FOLDER.")
            continue
        model = model or _load(arguments, name, pretrained)
        found = output.compute(model, folder)
        is_same = output.agrees(found)
        agree = agree and is_same
        _print(arguments, name, output, "agrees" if is_same else "differs", found)
    return agree


def _load(arguments: argparse.Namespace, name: str, pretrained: str | None) -> CLIP:
    from numpyclip import loader

    return loader.load(name, pretrained=pretrained, download_root=arguments.download_root)[0]


def _print(arguments: argparse.Namespace, name: str, output: KnownOutput, state: str, found: np.ndarray | None) -> None:
    if arguments.json:
        facts = {"model": name, "state": state, "kind": output.kind, "inputs": output.inputs, "source": output.source}
        numbers = {"expected": output.expected.tolist(), "found": None if found is None else found.tolist()}
        print_json({**facts, **numbers, "atol": output.atol, "rtol": output.rtol})
        return
    print_columns(f"{name:<15} {state:<15} {output.kind.replace('_', ' ')} of {output.inputs}")
    print_columns(f"  source    {output.source}")
    print_columns(f"  expected  {_numbers(output.expected)}")
    if found is not None:
        print_columns(f"  found     {_numbers(found)}")
        largest = float(np.abs(found - output.expected).max())
        print_columns(f"  largest difference {largest:.2g}; allowed {output.atol:g} + {output.rtol:g} of the number")


def _numbers(rows: np.ndarray) -> str:
    written = [" ".join(f"{number:.5g}" for number in row[:_SHOWN]) for row in rows.tolist()]
    return " | ".join(written)
