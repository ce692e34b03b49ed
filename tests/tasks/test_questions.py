"""Questions of every form, and the statements that they become; and many that are near a form, and must be refused."""

import pytest

from numpyclip.errors import InputError
from numpyclip.tasks.english import answer_lists
from numpyclip.tasks.questions import FORMS, understand
from numpyclip.tasks.vocabulary import everyday_nouns

YES_NO = [  # and the first rival
    ("is there a dog?", "a dog", ""),
    ("Are there any dogs", "dogs", ""),
    ("isn't there a dog?", "a dog", ""),
    ("is there a dog or not?", "a dog", ""),
    ("there's a dog", "a dog", ""),
    ("do you see a dog?", "a dog", ""),
    ("can't you see a dog?", "a dog", ""),
    ("does the picture show a dog?", "a dog", ""),
    ("please, is there a dog here?", "a dog", ""),
    ("a dog?", "a dog", ""),
    ("is a dog in the picture?", "a dog", ""),
    ("is there an olive?", "an olive", ""),
    ("is there a fire hydrant?", "a fire hydrant", ""),
    ("is there a red kayak?", "a red kayak", ""),
    ("is there a blorf?", "a blorf", ""),
    ("is there a blorf on a beach?", "a blorf on a beach", ""),
    ("is there a man wearing a hat?", "a man wearing a hat", ""),
    ("is there a black and white cat?", "a black and white cat", ""),
    ("is there a dog standing up in front of a house?", "a dog standing up in front of a house", ""),
    ("is there a cat and a dog sitting and looking at a bird?", "a cat and a dog sitting and looking at a bird", ""),
    ("are there buses?", "buses", ""),
    ("are there smiling people?", "smiling people", ""),
    ("is there a stop sign?", "a stop sign", ""),
    ("is there any water?", "water", ""),
    ("are there people smiling?", "people smiling", ""),
    ("is there a man and a woman?", "a man and a woman", ""),
    ("is there a slice of pizza on the plate?", "a slice of pizza on the plate", ""),
    ("is there anyone wearing a hat?", "a person wearing a hat", ""),
    ("is there anybody in this photo?", "a person", ""),
    ("is there a dog behind this cat?", "a dog behind this cat", ""),
    ("is there a dog in this painting?", "a dog in this painting", ""),
    ("it's a dog?", "a dog", ""),
    ("is it snow?", "snow", ""),
    ("are these red apples?", "red apples", ""),
    ("is the animal a dog?", "a dog", ""),
    ("is it a picture of a dog?", "a picture of a dog", ""),
    ("is the car red?", "a red car", "an orange car"),
    ("is the canvas white?", "a white canvas", "a red canvas"),
    ("is the octopus purple?", "a purple octopus", "a red octopus"),
    ("are the cars red?", "red cars", "orange cars"),
    ("are the glasses black?", "black glasses", "red glasses"),
    ("is the grass green?", "green grass", "red grass"),
    ("Is the sky gray?", "a gray sky", "a red sky"),
    ("is the fire truck red?", "a red fire truck", "an orange fire truck"),
    ("is the swimming pool empty?", "an empty swimming pool", "a full swimming pool"),
    ("is the man's shirt orange?", "a man's orange shirt", "a man's red shirt"),
    ("are the men's shirts red?", "men's red shirts", "men's orange shirts"),
    ("is the door open?", "an open door", "a closed door"),
    ("is this dog brown?", "a brown dog", "a red dog"),
    ("are the people happy?", "happy people", "sad people"),
    ("is it red or not?", "red", "orange"),
    ("is it sunny?", "sunny", "cloudy"),
    ("is he smiling?", "smiling", "frowning"),
    ("is it raining?", "raining", ""),
    ("is it on the table?", "on the table", ""),
    ("isn't the dog asleep?", "a dog asleep", "a dog awake"),
    ("is a dog sleeping?", "a dog sleeping", "a dog awake"),
    ("are the police running?", "police running", ""),
    ("is the man riding a horse?", "a man riding a horse", ""),
    ("is the man wearing red?", "a man wearing red", "a man wearing orange"),
    ("is the man holding an orange?", "a man holding an orange", ""),
    ("is the cat on the dining table?", "a cat on the dining table", ""),
    ("is the cat asleep on the sofa?", "a cat asleep on the sofa", ""),
]
CHOICE = [
    ("is it a dog or a cat?", "a dog/a cat", "a dog/a cat"),
    ("is this a dog, cat, or horse?", "a dog/a cat/a horse", "a dog/a cat/a horse"),
    ("is it an orange or an apple?", "an orange/an apple", "an orange/an apple"),
    ("dog or cat?", "a dog/a cat", "a dog/a cat"),
    ("red or blue?", "red/blue", "red/blue"),
    ("is it a photo, a drawing or a painting?", "a photo/a drawing/a painting", "a photo/a drawing/a painting"),
    ("orange or apple?", "an orange/an apple", "an orange/an apple"),
    ("What is it: a dog or a cat?", "a dog/a cat", "a dog/a cat"),
    ("which is it, a dog or a cat?", "a dog/a cat", "a dog/a cat"),
    ("is the animal a dog or a cat?", "a dog/a cat", "a dog/a cat"),
    ("is there a dog, a cat, or a horse?", "a dog/a cat/a horse", "a dog/a cat/a horse"),
    ("do you see dogs or cats?", "dogs/cats", "dogs/cats"),
    ("is it water or milk?", "water/milk", "water/milk"),
    ("is it day or night?", "day/night", "day/night"),
    ("is it indoors or outdoors?", "indoors/outdoors", "indoors/outdoors"),
    ("is the car red or blue?", "red/blue", "a red car/a blue car"),
    ("is this car red or blue?", "red/blue", "a red car/a blue car"),
    ("is the glass full or empty?", "full/empty", "a full glass/an empty glass"),
    ("is the man sitting or standing?", "sitting/standing", "a man sitting/a man standing"),
    (
        "is the man riding a horse or riding a bike?",
        "riding a horse/riding a bike",
        "a man riding a horse/a man riding a bike",
    ),
    ("is the dog on the sofa or on the chair?", "on the sofa/on the chair", "a dog on the sofa/a dog on the chair"),
]
LISTS = [  # and the statement of the second answer
    ("what colour is the car?", "colour", "orange", "an orange car"),
    ("what colour is the square?", "colour", "orange", "an orange square"),
    ("What color are the cars", "colour", "orange", "orange cars"),
    ("what colour is the man's shirt?", "colour", "orange", "a man's orange shirt"),
    ("what's the colour of the lens?", "colour", "orange", "an orange lens"),
    ("which colour is it?", "colour", "orange", "orange"),
    ("what colours do you see?", "colour", "orange", "orange"),
    ("what color is her hair?", "colour", "orange", "orange hair"),
    ("what animal is this?", "animal", "cat", "a cat"),
    ("which animals are in the picture?", "animal", "cat", "a cat"),
    ("what kinds of animals are there?", "animal", "cat", "a cat"),
    ("which fruit do you see?", "fruit", "banana", "a banana"),
    ("what sport is this?", "sport", "basketball", "basketball"),
    ("what musical instrument is it?", "musical instrument", "guitar", "a guitar"),
]
OPEN = ["what is this?", "what's in the picture?", "what do you see?", "what can you see here?", "what are those?"]
NEAR_A_FORM = """
are you sure there is a dog? / do you think there is a dog? / would you say there is a dog?
is it true that there is a dog? / is there any chance this is a dog? / is there any sign of a dog?
can you see if there is a dog? / is it possibly a dog? / is there a reason why the sky is blue?
does the picture show that there is a dog? / there is a dog, isn't there? / is there no dog? / is there not a dog?
aren't there no dogs? / is this not a dog? / is the dog not asleep? / is there a dog without a collar?
is there neither a dog nor a cat? / is there nothing on the table? / is there anything but a dog?
are there two dogs? / is there more than one dog? / is there only a dog? / are there several dogs?
is there another dog? / are all dogs black? / is there a dog on the left? / is the dog half asleep?
how many dogs are there? / is there a dog that is black? / is there a dog you like? / is there a dog and is it black?
is there a dog? or a cat? / is there a dog, and a cat? / is there a dog. it is black / is there a dog/cat?
are there dogs happy? / are there any good? / which of these is a dog? / which one is a dog?
which is bigger, a dog or a cat? / which dog is brown? / which animal is bigger? / what kind of dog is this?
what animal is the man riding? / what animal is not a dog? / what is this for? / what is wrong with this picture?
what colour do you like? / what colour is the man wearing? / what colour is the top of the car?
what colour is the red car? / is the dog black and white? / is the dog and the cat black? / is the red car blue?
is the door painted red? / is the old swimming pool blue? / is the light on? / is the dog cute? / is the car very old?
is the sky getting dark? / is the dog's black? / is the fire truck? / is the dog on the sofa brown?
is the man on the left friendly? / is the man riding a horse black? / is the cat on the table orange?
are the animals on the farm cows? / is the man in the car a doctor? / is the movie interesting?
is the man going to jump? / is the man a doctor? / is the animal on the sofa a dog? / is a dog a mammal?
is there an on? / is it here? / is it good? / is it his dog? / is it dog? / is it good or bad? / is it true or false?
is it here or there? / yes or no? / a or b? / is it a dog, or? / or a dog? / a dog, , or a cat?
is it a red or blue car? / is it a red car or blue? / are these red apples or green apples?
is the man riding a horse or a bike? / is there a dog or a cat on the table? / is this or that a dog?
is the dog or the cat black? / is it a dog or is it a cat? / do you prefer a dog or a cat?
is the window open or the door closed? / is the man young or a child? / is there a dog or nothing? / can a dog fly?
does the man have to go? / has the dog a collar? / is anyone there? / why is the sky blue? / who is this?
where is it? / is / is there / is there? / what / what colour / who / does / a / xyzzy / Was ist das?
Is dit een hond? / quelle couleur? / \u72ac\u306f\u3044\u307e\u3059\u304b / is this a photo of a dog or a cat?
is there a man riding or holding a horse? / is there a dog sleeping or a cat? / is it a boy's or a girl's room?
is there a lack of water? / is there a number of dogs? / is it both a dog and a cat? / is it a dog but not a cat?
is the water boiling hot? / what animals are missing?
was there a dog before? / is there a dog than cat? / is there a dog therefore? / is there a dog yesterday?
is there a dog already? / is there a blorf zzz? / is there an old zzz blorf? / is there a dog blorf on a beach?
is there a dog on a beach before? / is there a dog on a beach yesterday with a cat?
is there a man wearing a hat therefore? / is there a than dog? / is there a before?
is there a cat and zzz blorf? / is there a dog and happy? / are there any zzz blorfs?
is there a dog instead? / is there a man riding horse sofa? / is it a dog meanwhile? / is this an apple forever?
is there a barking? / is there anyone wearing a hat therefore? / is there a red and blue? / is it a dog than or a cat?
"""


@pytest.mark.parametrize(("question", "statement", "rival"), YES_NO)
def test_yes_or_no(question: str, statement: str, rival: str) -> None:
    found = understand(question)
    assert (found.kind, found.answers, set(found.statements)) == ("yes/no", ("yes", "no"), {statement})
    assert (found.rivals or ("",))[0] == rival
    assert statement not in found.rivals


@pytest.mark.parametrize(("question", "answers", "statements"), CHOICE)
def test_a_choice(question: str, answers: str, statements: str) -> None:
    found = understand(question)
    assert (found.kind, "/".join(found.answers), "/".join(found.statements)) == ("choice", answers, statements)


@pytest.mark.parametrize(("question", "kind", "answer", "statement"), LISTS)
def test_what_a_list_answers(question: str, kind: str, answer: str, statement: str) -> None:
    found = understand(question)
    assert (found.kind, found.answers[1], found.statements[1]) == (kind, answer, statement)
    assert len(set(found.statements)) == len(found.answers)


@pytest.mark.parametrize("question", OPEN)
def test_an_open_question(question: str) -> None:
    found = understand(question, vocabulary=["dog", "apples"])
    assert (found.kind, found.answers, found.statements) == ("open", ("dog", "apples"), ("a dog", "apples"))
    assert understand(question).answers == tuple(everyday_nouns())


@pytest.mark.parametrize("question", NEAR_A_FORM.strip().replace("\n", " / ").split(" / "))
def test_what_is_near_a_form_is_refused_and_taken_with_answers(question: str) -> None:
    with pytest.raises(InputError, match="has no form that is understood; these are: is there a dog") as error:
        understand(question)
    assert ascii(question)[1:5] in ascii(str(error.value))
    found = understand(question, ["one thing", "the other"])
    assert (found.kind, found.answers, found.statements) == ("choice", *(2 * [("one thing", "the other")]))


@pytest.mark.parametrize("form", FORMS)
def test_the_forms_that_errors_name_are_understood(form: str) -> None:
    assert understand(form).statements


@pytest.mark.parametrize("question", [row[0] for row in (*YES_NO, *CHOICE, *LISTS)])
def test_capitals_spaces_and_question_marks_make_no_difference(question: str) -> None:
    plain = understand(question)
    assert understand(f"  {question.upper()} ") == plain
    assert understand("\t" + question.rstrip("? ").replace(" ", "  ") + "\n") == plain


@pytest.mark.parametrize("question", ["", "  ", "?!", "...", "\n"])
def test_an_empty_question_is_named(question: str) -> None:
    for answers in (None, ["a", "b"]):
        with pytest.raises(InputError, match="the question is empty"):
            understand(question, answers)


def test_a_question_that_is_no_string_or_a_book_is_refused() -> None:
    with pytest.raises(InputError, match="expected a string"):
        understand(3)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="the question has 9000 characters; expected at most 2000"):
        understand("is there " * 1000)


@pytest.mark.parametrize(
    "begin", ["is there a dog and ", "what is the man is ", "or ", ",", "a ", "is a or is ", "what "]
)
def test_long_questions_are_refused(begin: str) -> None:  # a pattern that looks back would take minutes
    with pytest.raises(InputError):
        understand((begin * 2000)[:2000].strip() + "?")


@pytest.mark.parametrize(
    ("question", "statements"),
    [
        ("what colour is the car?", ("a red car", "an ochre car")),
        ("what is this?", ("a red", "an ochre")),
        ("is the car blue?", ("red", "ochre")),
        ("is it a dog or a cat?", ("red", "ochre")),
    ],
)
def test_answers_that_are_given_replace_those_of_a_list_or_stand_as_they_are(
    question: str, statements: tuple[str, ...]
) -> None:
    found = understand(question, ["red", "ochre"])
    assert (found.answers, found.statements) == (("red", "ochre"), statements)


def test_yes_and_no_may_be_given_where_they_are_the_answers() -> None:
    assert understand("is there a dog?", ["No", "yes"]) == understand("is there a dog?")
    with pytest.raises(InputError, match="has no form"):
        understand("are you sure there is a dog?", ["yes", "no"])


@pytest.mark.parametrize(
    ("answers", "message"),
    [
        ("yes", "expected a list of two or more"),
        (5, "expected a list of two or more"),
        ([], "two or more different strings"),
        (["dog", "dog"], "two or more different strings"),
        (["dog", " "], "two or more different strings"),
        (["dog", 3], "two or more different strings"),
        (["dog", ["cat"]], "two or more different strings"),
        (["yes", "no", "maybe"], "yes and no cannot be mixed"),
    ],
)
def test_answers_of_the_wrong_kind_are_named(answers: object, message: str) -> None:
    with pytest.raises(InputError, match=message):
        understand("is there a dog?", answers)  # type: ignore[arg-type]


def test_american_questions_get_american_answers() -> None:
    assert "gray" in understand("what color is it?").answers
    assert "grey" in understand("what colour is it?").answers


@pytest.mark.parametrize("name", sorted(answer_lists()))
def test_every_list_can_be_asked_for_and_is_sound(name: str) -> None:
    answers = understand(f"what {name} is it?").answers
    assert answers == answer_lists()[name]
    assert len(set(answers)) == len(answers) > 3
