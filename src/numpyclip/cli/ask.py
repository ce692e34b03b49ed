"""`numpyclip ask`: answer a question about pictures."""

import argparse
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from numpyclip.cli.inputs import EmbeddedPictures, paths_in, progress, texts_in, with_stdin
from numpyclip.cli.options import add_model_options, add_picture_options, add_verb, load_model, positive
from numpyclip.errors import InputError
from numpyclip.images.find import is_picture_name

_EXAMPLES = """\
  numpyclip ask docs/pictures/house.png "is there a house?" --model tiny
  numpyclip ask photo.jpg "what colour is the car?"
  numpyclip ask photo.jpg "is it a dog, a cat or a horse?"
  numpyclip ask photo.jpg "what is the man holding?" "a guitar" "an umbrella" "a fish"
  numpyclip ask photos/ "is there a dog?" -n 1 --json
  find . -name "*.jpg" | numpyclip ask - "where is it?"

One line per answer, best first: probability, answer, and the statement that was compared with the picture ("no" and
"0" show what they deny), with the path before them where there is more than one picture.

questions, in English:
  is there a dog? is the car red? does the man wear a hat?    yes, no
  is it a dog or a cat? a, b or c?                            one of these
  what colour is the car? what shape, material, animal,       one of a list of such things
  vehicle, fruit, ...? where? who? what is the dog doing?
  how many dogs are there?                                    0 to 10
  what is this? what is the man holding?                      966 everyday nouns
With answers given, any question: one that is not understood compares them with the picture as they stand.

What to expect: CLIP tells best what a picture is about ("is there ...?", "is it a ... or a ...?"), colours less
well. It hardly counts, cannot read "no" and "not", and chooses an answer even where none is right, but for yes
and no, and 0: those judge a statement by its rivals (is it red: the other colours), else by how a text usually fits."""


def add_to(verbs: Any) -> None:
    """Add the command to the parser."""
    verb = add_verb(verbs, "ask", "Answer a question about a picture.", _EXAMPLES)
    verb.usage = "numpyclip ask [OPTION ...] PICTURE QUESTION [ANSWER ...]"
    verb.add_argument(
        "items",
        metavar="PICTURE QUESTION ANSWER",
        nargs="*",
        help="a picture, a folder of pictures, or - for paths on stdin; then a question; then answers to choose from",
    )
    verb.add_argument("--answers", metavar="FILE", help="take the answers from a file, one a line")
    verb.add_argument(
        "-n", "--top", type=positive, default=5, metavar="COUNT", help="print the best COUNT answers (default: 5)"
    )
    verb.add_argument("--json", action="store_true", help="print one JSON object per picture")
    add_picture_options(verb)
    add_model_options(verb)
    verb.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print the answers for every picture, batch by batch."""
    from numpyclip.tasks.ask import Answerer
    from numpyclip.tasks.questions import understand

    source, question, answers = _source_question_answers(arguments)
    understand(question, answers)  # a question that is not understood is named before a model is loaded
    model = load_model(arguments)
    answerer = Answerer(model, question, answers)
    several = source == "-" or Path(source).is_dir()
    pictures = EmbeddedPictures(model, arguments, with_stdin([source], paths_in))
    for path, embedding in progress(pictures, "picture", printing=True) if several else pictures:
        ranked = answerer.answers([embedding])[0][: arguments.top]
        if arguments.json:
            found = [{**asdict(answer), "probability": round(answer.probability, 6)} for answer in ranked]
            record = {"picture": path, "question": question, "kind": answerer.question.kind, "answers": found}
            print(json.dumps(record), flush=True)
        else:
            for a in ranked:
                print(*([path] if several else []), f"{a.probability:.4f}", a.answer, a.statement, sep="\t", flush=True)
    return pictures.status


def _source_question_answers(arguments: argparse.Namespace) -> tuple[str, str, list[str] | None]:
    source, question, *answers = [*arguments.items, "", ""][: max(2, len(arguments.items))]
    if not source:
        raise InputError("nothing to ask about: name a picture or a folder, or - for paths on standard input.")
    if not question:
        raise InputError('no question: put one behind the picture, such as "is there a dog?".')
    if is_picture_name(question) and Path(question).is_file():  # `ask *.jpg "..."`
        raise InputError(
            f"the question {question!r} is a file. To ask about several pictures, name their folder, or -."
        )
    if arguments.answers is not None:
        if answers:
            raise InputError("answers come from the command line or from --answers FILE, not from both.")
        if "-" == source == arguments.answers:
            raise InputError("pictures and answers cannot both come from standard input.")
        answers = list(texts_in(arguments.answers))
    return source, question, answers if answers or arguments.answers is not None else None
