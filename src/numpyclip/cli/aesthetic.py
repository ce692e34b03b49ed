"""`numpyclip aesthetic`: score how pleasing pictures are."""

import argparse
import json
from pathlib import Path
from typing import Any

from numpyclip.cli.inputs import EmbeddedPictures, paths_in, progress, with_stdin
from numpyclip.cli.options import add_model_options, add_picture_options, add_verb, load_model
from numpyclip.errors import InputError

_EXAMPLES = """\
  numpyclip aesthetic photo.jpg --predictor sac+logos+ava1-l14-linearMSE.pth -m ViT-L/14
  numpyclip aesthetic photos/ --predictor sa_0_4_vit_b_32_linear.pth -m ViT-B/32 | sort -t "$(printf '\\t')" -k2 -nr

One line per picture: its score, with the path before it where there is more than one picture. The predictor is a file
of LAION's (github.com/LAION-AI/aesthetic-predictor, or christophschuhmann/improved-aesthetic-predictor), and the model
the one that it was trained with: with another one of the same size the scores mean nothing."""


def add_to(verbs: Any) -> None:
    """Add the command to the parser."""
    verb = add_verb(verbs, "aesthetic", _EXAMPLES)
    verb.add_argument("items", metavar="PICTURE", nargs="*", help="a picture, a folder, or - for paths on stdin")
    verb.add_argument("--predictor", metavar="FILE", required=True, help="weights of LAION's aesthetic predictor")
    verb.add_argument("--json", action="store_true", help="print one JSON object per picture")
    add_picture_options(verb)
    add_model_options(verb)
    verb.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print the score of every picture, batch by batch."""
    from numpyclip.tasks.aesthetic import AestheticPredictor

    items = arguments.items
    if not items:
        raise InputError("nothing to score: name a picture or a folder, or - for paths on standard input.")
    predictor = AestheticPredictor.read(arguments.predictor)
    model = load_model(arguments)
    predictor.check(model.config.embed_dim)
    several = len(items) > 1 or items[0] == "-" or Path(items[0]).is_dir()
    pictures = EmbeddedPictures(model, arguments, with_stdin(items, paths_in))
    for path, embedding in progress(pictures, "picture", printing=True) if several else pictures:
        score = float(predictor([embedding])[0])
        if arguments.json:
            print(json.dumps({"path": path, "aesthetic": round(score, 6)}), flush=True)
        else:
            print(*([path] if several else []), f"{score:.3f}", sep="\t", flush=True)
    return pictures.status
