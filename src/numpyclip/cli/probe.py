"""`numpyclip classify --probe`: tell classes that were learned from examples."""

import argparse
import json
from pathlib import Path

from numpyclip.cli.inputs import EmbeddedPictures, paths_in, progress, with_stdin
from numpyclip.cli.options import load_model
from numpyclip.errors import InputError


def run(arguments: argparse.Namespace) -> int:
    """Print the classes of every picture, as `numpyclip classify` prints labels."""
    from numpyclip.tasks.learning.files import read_probe

    if arguments.labels is not None or arguments.template != "{}":
        raise InputError("a probe has its own classes; leave out --labels and --template.")
    if not arguments.items:
        raise InputError("nothing to classify: name a picture or a folder, or - for paths on standard input.")
    for item in arguments.items:  # labels are not given beside a probe
        if item != "-" and not Path(item).exists():
            raise InputError(f"{item!r:.200} is no file; with --probe all items are pictures, and it has the classes.")
    probe = read_probe(arguments.probe)
    model = load_model(arguments)
    probe.check(model.fingerprint)
    several = len(arguments.items) > 1 or arguments.items[0] == "-" or Path(arguments.items[0]).is_dir()
    pictures = EmbeddedPictures(model, with_stdin(arguments.items, paths_in), arguments.batch_size, arguments.orient)
    for path, embedding in progress(pictures, "picture", printing=True) if several else pictures:
        probabilities = probe.probabilities([embedding])[0].tolist()
        ranked = sorted(zip(probabilities, probe.classes, strict=True), key=lambda pair: -pair[0])[: arguments.top]
        if arguments.json:
            found = [{"label": label, "probability": round(p, 6)} for p, label in ranked]
            print(json.dumps({"picture": path, "labels": found}), flush=True)
        else:
            for p, label in ranked:
                print(*([path] if several else []), f"{p:.4f}", label, sep="\t", flush=True)
    return pictures.status
