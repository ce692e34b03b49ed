"""`numpyclip aesthetic`: score images with LAION's aesthetic predictors."""

import argparse

from numpyclip.cli.inputs import EmbeddedPictures, paths_in, progress, with_stdin
from numpyclip.cli.options import add_embedding_options, add_pictures
from numpyclip.cli.outputs import are_several, print_columns, print_json
from numpyclip.cli.stores import load_for_embeddings

EXAMPLES = """\
  numpyclip aesthetic photo.jpg --predictor sac+logos+ava1-l14-linearMSE.pth -m ViT-L/14
  numpyclip aesthetic photos/ --predictor sa_0_4_vit_b_32_linear.pth -m ViT-B/32 | sort -t "$(printf '\\t')" -k2 -nr

One line per image: its score, with the path before it where there is more than one image. The predictor is a file
of LAION's (github.com/LAION-AI/aesthetic-predictor, or christophschuhmann/improved-aesthetic-predictor), and the model
the one that it was trained with: with another one of the same size the scores mean nothing."""


def add_options(command: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    add_pictures(command, "score")
    command.add_argument("--predictor", metavar="FILE", required=True, help="weights of LAION's aesthetic predictor")
    command.add_argument("--json", action="store_true", help="print one JSON object per image")
    add_embedding_options(command)


def run(arguments: argparse.Namespace) -> int:
    """Print the score of every image, batch by batch."""
    from numpyclip.tasks.aesthetic import AestheticPredictor

    predictor = AestheticPredictor.read(arguments.predictor)
    model = load_for_embeddings(arguments)
    predictor.check(model.config.embed_dim)
    several = are_several(arguments.items)
    pictures = EmbeddedPictures(model, arguments, with_stdin(arguments.items, paths_in))
    for path, embedding in progress(pictures, "image", printing=True) if several else pictures:
        score = float(predictor([embedding])[0])
        if arguments.json:
            print_json({"path": path, "aesthetic": round(score, 6)})
        else:
            print_columns(*([path] if several else []), f"{score:.3f}")
    return pictures.status
