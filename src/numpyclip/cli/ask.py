"""`numpyclip ask`: answer a question about images."""

import argparse
from dataclasses import asdict
from pathlib import Path

from numpyclip.cli.inputs import EmbeddedPictures, paths_in, progress, texts_beside, with_stdin
from numpyclip.cli.options import add_embedding_options, add_pictures, positive
from numpyclip.cli.outputs import are_several, print_columns, print_json
from numpyclip.cli.stores import load_for_embeddings
from numpyclip.errors import InputError
from numpyclip.images.find import is_picture_name

EXAMPLES = """\
  numpyclip ask docs/pictures/house.png "is there a house?" --model tiny
  numpyclip ask photo.jpg "what color is the car?"
  numpyclip ask photo.jpg "is it a dog, a cat or a horse?"
  numpyclip ask photo.jpg "what is the man holding?" "a guitar" "an umbrella" "a fish"
  numpyclip ask photos/ "is there a dog?" -n 1 --json
  find . -name "*.jpg" | numpyclip ask - "what animal is this?"

One line per answer, best first: probability, answer, and the statement that was compared with the image ("no" shows
what it denies), with the path before them where there is more than one image.

questions, in English:
  is there a dog on the sofa? is the car red?              yes, no
  is the man riding a horse? is it sunny?
  is it a dog or a cat? is the car red or blue?            one of these
  what color is the car?                                   11 colors
  what animal is this? what fruit, vehicle, sport, ...?    one of a list of such things
  what is this? what do you see?                           966 everyday nouns
With answers given, any question: one that has none of these forms compares them with the image as they stand.

not answered: how many, where, who, when, why, left or right, "no" and "not". Such a question is an error, as is any
other that has none of these forms.

What to expect: CLIP is best at what an image is about ("is there ...?", "is it a ... or a ...?"), weaker at colors.
It chooses an answer even if none is right. Yes and no compare a statement with its rivals (is it red: the other
colors), else with how well texts usually fit."""


def add_options(command: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    command.usage = "numpyclip ask [OPTION ...] IMAGE QUESTION [ANSWER ...]"
    add_pictures(command, "ask about", "IMAGE QUESTION ANSWER", "a question; then answers to choose from")
    command.add_argument("--labels", metavar="FILE", help="choose from the texts in a file, one per line")
    command.add_argument(
        "-n", "--top", type=positive, default=5, metavar="N", help="print the best N answers (default: 5)"
    )
    command.add_argument("--json", action="store_true", help="print one JSON object per image")
    add_embedding_options(command)


def run(arguments: argparse.Namespace) -> int:
    """Print the answers for every image, batch by batch."""
    from numpyclip.tasks.answers import Answerer
    from numpyclip.tasks.questions import understand

    source, question, answers = _source_question_answers(arguments)
    understand(question, answers)  # a question that is not understood is named before a model is loaded
    model = load_for_embeddings(arguments)
    answerer = Answerer(model, question, answers)
    several = are_several([source])
    pictures = EmbeddedPictures(model, arguments, with_stdin([source], paths_in))
    for path, embedding in progress(pictures, "image", printing=True) if several else pictures:
        ranked = answerer.answers([embedding])[0][: arguments.top]
        if arguments.json:
            found = [{**asdict(answer), "probability": round(answer.probability, 6)} for answer in ranked]
            record = {"path": path, "question": question, "kind": answerer.question.kind, "answers": found}
            print_json(record)
        else:
            for a in ranked:
                print_columns(*([path] if several else []), f"{a.probability:.4f}", a.answer, a.statement)
    return pictures.status


def _source_question_answers(arguments: argparse.Namespace) -> tuple[str, str, list[str] | None]:
    if len(arguments.items) < 2:
        raise InputError('no question: put one after the image, such as "is there a dog?".')
    source, question, *answers = arguments.items
    if is_picture_name(question) and Path(question).is_file():  # `ask *.jpg "..."`
        raise InputError(f"the question {question!r} is a file. To ask about several images, name their folder, or -.")
    if answers and arguments.labels is not None:
        raise InputError("answers come from the command line or from --labels FILE, not from both.")
    return source, question, answers or texts_beside([source], arguments.labels, "answers")
