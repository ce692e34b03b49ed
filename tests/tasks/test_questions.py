"""Questions in many forms, and the statements that they become. The tables were read by a person, row by row."""

import time

import pytest

from numpyclip.errors import InputError
from numpyclip.tasks.candidates import lists
from numpyclip.tasks.questions import understand
from numpyclip.tasks.vocabulary import everyday_nouns

YES_NO = [  # what an answer to the statement is called first, and the first rival
    ("is there a dog?", "yes", "a dog", ""),
    ("Are there any dogs", "yes", "dogs", ""),
    ("IS THERE A DOG?", "yes", "a dog", ""),
    ("isn't there a dog?", "yes", "a dog", ""),
    ("Is there no dog?", "no", "a dog", ""),
    ("are there no dogs in the picture?", "no", "dogs", ""),
    ("is there anyone wearing a hat?", "yes", "a person wearing a hat", ""),
    ("is there anybody in this photo?", "yes", "a person", ""),
    ("is the car red?", "yes", "a red car", "an orange car"),
    ("Are the cars red?", "yes", "red cars", "orange cars"),
    ("is the fire truck red?", "yes", "a red fire truck", "an orange fire truck"),
    ("is the man's shirt orange?", "yes", "a man's orange shirt", "a man's red shirt"),
    ("is the door open?", "yes", "an open door", "a closed door"),
    ("is this dog brown?", "yes", "a brown dog", "a red dog"),
    ("is this a dog?", "yes", "a dog", ""),
    ("is it a dog?", "yes", "a dog", ""),
    ("Is this Barack Obama?", "yes", "Barack Obama", ""),
    ("are these red apples?", "yes", "red apples", ""),
    ("is it raining?", "yes", "raining", ""),
    ("is it sunny?", "yes", "sunny", "cloudy"),
    ("is he smiling?", "yes", "a man smiling", "a man frowning"),
    ("is the man riding a horse?", "yes", "a man riding a horse", ""),
    ("is the cat on the table?", "yes", "a cat on the table", ""),
    ("is the animal a dog?", "yes", "a dog", ""),
    ("is the dog not asleep?", "no", "a dog asleep", "a dog awake"),
    ("isn't the dog asleep?", "yes", "a dog asleep", "a dog awake"),
    ("is the man with the hat smiling?", "yes", "a man with the hat smiling", "a man with the hat frowning"),
    ("is the top of the car red?", "yes", "a red top of the car", "an orange top of the car"),
    ("is a dog in the picture?", "yes", "a dog", ""),
    ("is a dog sleeping?", "yes", "a dog sleeping", "a dog awake"),
    ("does the man have a beard?", "yes", "a man with a beard", ""),
    ("does the man wear glasses?", "yes", "a man wearing glasses", ""),
    ("does the old man ride a horse?", "yes", "an old man riding a horse", ""),
    ("do you see a dog?", "yes", "a dog", ""),
    ("Can you see a dog in the image", "yes", "a dog", ""),
    ("does the picture show a dog?", "yes", "a dog", ""),
    ("does it have wings?", "yes", "wings", ""),
    ("has the man got a beard?", "yes", "a man with a beard", ""),
    ("has the dog a collar?", "yes", "a dog with a collar", ""),
    ("can the bird fly?", "yes", "a bird flying", ""),
    ("does the girl look happy?", "yes", "a happy girl", "a sad girl"),
    ("does it look like a dog?", "yes", "a dog", ""),
    ("does the dog have no collar?", "no", "a dog with a collar", ""),
    ("is it red or not?", "yes", "red", "orange"),
    ("there is a dog?", "yes", "a dog", ""),
    ("there's a dog", "yes", "a dog", ""),
    ("it's a dog?", "yes", "a dog", ""),
    ("two dogs?", "yes", "two dogs", ""),
    ("a dog?", "yes", "a dog", ""),
    ("are both dogs black?", "yes", "black dogs", "red dogs"),
    ("is the dog asleep?", "yes", "a dog asleep", "a dog awake"),
    ("is the woman wearing a red dress?", "yes", "a woman wearing a red dress", ""),
    ("is there a man and a woman?", "yes", "a man and a woman", ""),
    ("is there any water?", "yes", "water", ""),
    ("is there something red?", "yes", "something red", ""),
    ("is the boy taller than the girl?", "yes", "a boy taller than the girl", ""),
    ("do the dogs sleep?", "yes", "dogs sleeping", "dogs awake"),
    ("does this picture contain dogs?", "yes", "dogs", ""),
    ("are the people happy?", "yes", "happy people", "sad people"),
    ("is there not a dog?", "yes", "a dog", ""),
    ("can't you see a dog?", "yes", "a dog", ""),
    ("won't the bird fly?", "yes", "a bird flying", ""),
    ("is the umbrella orange?", "yes", "an orange umbrella", "a red umbrella"),
    ("is the door shut?", "yes", "a shut door", "an open door"),
    ("are there two dogs?", "yes", "two dogs", ""),
    ("is there a cup of tea?", "yes", "a cup of tea", ""),
    ("is the house on fire?", "yes", "a house on fire", ""),
    ("Is the sky gray?", "yes", "a gray sky", "a red sky"),
    ("please, is there a dog?", "yes", "a dog", ""),
    ("hey, is there a dog?", "yes", "a dog", ""),
    ("do the cars look old?", "yes", "old cars", "young cars"),
    ("Are there men?", "yes", "men", ""),
    ("is   there\na dog ?", "yes", "a dog", ""),
    ('"is there a dog?"', "yes", "a dog", ""),
    ("is there a dog in this painting?", "yes", "a dog in this painting", ""),
    ("is there somebody sleeping?", "yes", "a person sleeping", ""),
    ("is an elephant in the photo?", "yes", "an elephant", ""),
    ("is my dog happy?", "yes", "a happy dog", "a sad dog"),
    ("does she smile?", "yes", "a woman smiling", "a woman frowning"),
]
CHOICE = [
    ("is it day or night?", ["day", "night"], ["day", "night"]),
    ("is it a dog or a cat?", ["a dog", "a cat"], ["a dog", "a cat"]),
    ("Is it a dog, a cat or a horse?", ["a dog", "a cat", "a horse"], ["a dog", "a cat", "a horse"]),
    ("is this a dog, cat, or horse?", ["a dog", "a cat", "a horse"], ["a dog", "a cat", "a horse"]),
    ("a dog or a cat?", ["a dog", "a cat"], ["a dog", "a cat"]),
    ("dog or cat?", ["dog", "cat"], ["a dog", "a cat"]),
    ("is the car red or blue?", ["red", "blue"], ["a red car", "a blue car"]),
    ("is the man sitting or standing?", ["sitting", "standing"], ["a man sitting", "a man standing"]),
    (
        "is the man riding a horse or a bike?",
        ["riding a horse", "riding a bike"],
        ["a man riding a horse", "a man riding a bike"],
    ),
    (
        "is there a dog or a cat on the table?",
        ["a dog on the table", "a cat on the table"],
        ["a dog on the table", "a cat on the table"],
    ),
    ("What is it: a dog or a cat?", ["a dog", "a cat"], ["a dog", "a cat"]),
    ("which is it, a dog or a cat?", ["a dog", "a cat"], ["a dog", "a cat"]),
    ("does the man wear a hat or a cap?", ["a hat", "a cap"], ["a man wearing a hat", "a man wearing a cap"]),
    ("is there a dog, a cat, or a horse?", ["a dog", "a cat", "a horse"], ["a dog", "a cat", "a horse"]),
    ("is it a tea or coffee?", ["a tea", "coffee"], ["a tea", "coffee"]),
    ("is it indoors or outdoors?", ["indoors", "outdoors"], ["indoors", "outdoors"]),
    ("what's this, a dog or a cat?", ["a dog", "a cat"], ["a dog", "a cat"]),
    (
        "is she wearing a hat or a scarf?",
        ["wearing a hat", "wearing a scarf"],
        ["a woman wearing a hat", "a woman wearing a scarf"],
    ),
    ("IS IT A DOG OR A CAT", ["a dog", "a cat"], ["a dog", "a cat"]),
    ("is it an apple or pear?", ["an apple", "a pear"], ["an apple", "a pear"]),
]
COUNT = [  # of one, of two, and what is denied by none
    ("how many people are there?", "one person", "two people", "people"),
    ("How many dogs", "one dog", "two dogs", "dogs"),
    ("how many person are in the picture?", "one person", "two people", "people"),
    ("how many dogs can you see?", "one dog", "two dogs", "dogs"),
    (
        "how many cups of tea are on the table?",
        "one cup of tea on the table",
        "two cups of tea on the table",
        "cups of tea on the table",
    ),
    ("how many legs does the dog have?", "a dog with one leg", "a dog with two legs", "a dog with legs"),
    ("how many balls is the man holding?", "a man holding one ball", "a man holding two balls", "a man holding balls"),
    ("how many dogs are black?", "one black dog", "two black dogs", "black dogs"),
    ("how many dogs are sleeping?", "one dog sleeping", "two dogs sleeping", "dogs sleeping"),
    ("how many sheep are there?", "one sheep", "two sheep", "sheep"),
    ("how many children wear hats?", "one child wearing hats", "two children wearing hats", "children wearing hats"),
    ("what is the number of dogs?", "one dog", "two dogs", "dogs"),
    ("tell me how many dogs there are", "one dog", "two dogs", "dogs"),
    ("how many of the dogs are black?", "one black dog", "two black dogs", "black dogs"),
    ("how many knives can be seen?", "one knife", "two knives", "knives"),
    ("how many boxes are there?", "one box", "two boxes", "boxes"),
    ("how many mice does the cat chase?", "a cat chasing one mouse", "a cat chasing two mice", "a cat chasing mice"),
]
LISTS = [  # and the statement of the second answer
    ("what colour is the car, red or blue?", "colour", "blue", "a blue car"),
    ("what colour is the car?", "colour", "orange", "an orange car"),
    ("What color are the cars", "colour", "orange", "orange cars"),
    ("what colour is the man's shirt?", "colour", "orange", "a man's orange shirt"),
    ("what's the colour of the car?", "colour", "orange", "an orange car"),
    ("what is the car's color?", "colour", "orange", "an orange car"),
    ("what colour car is this?", "colour", "orange", "an orange car"),
    ("what color hat is the man wearing?", "colour", "orange", "a man wearing an orange hat"),
    ("what colour is it?", "colour", "orange", "orange"),
    ("what colours can you see?", "colour", "orange", "orange"),
    ("which colour does the car have?", "colour", "orange", "an orange car"),
    ("could you tell me what colour the car is?", "colour", "orange", "an orange car"),
    ("what is the main color of this picture?", "colour", "orange", "orange"),
    ("what animal is this?", "animal", "cat", "a cat"),
    ("which animals are in the picture?", "animal", "cat", "a cat"),
    ("what kind of animal is it?", "animal", "cat", "a cat"),
    ("what animal is the man riding?", "animal", "cat", "a man riding a cat"),
    ("what kinds of animals are there?", "animal", "cat", "a cat"),
    ("what is the animal?", "animal", "cat", "a cat"),
    ("what kind of fruit is on the plate?", "fruit", "banana", "a banana on the plate"),
    ("which fruit do you see?", "fruit", "banana", "a banana"),
    ("what is the dog doing?", "action", "sitting", "a dog sitting"),
    ("what are they doing?", "action", "sitting", "people sitting"),
    ("What's happening?", "action", "sitting", "sitting"),
    ("what is the woman doing in the kitchen?", "action", "sitting", "a woman sitting in the kitchen"),
    ("what is the table made of?", "material", "metal", "a table made of metal"),
    ("what material is the table?", "material", "metal", "a table made of metal"),
    ("what shape is the sign?", "shape", "square", "a square sign"),
    ("what season is it?", "season", "summer", "summer"),
    ("what time of day is it?", "time", "at noon", "at noon"),
    ("when was this taken?", "time", "at noon", "at noon"),
    ("what time is it?", "time", "at noon", "at noon"),
    ("what is the weather like?", "weather", "cloudy", "cloudy weather"),
    ("how's the weather?", "weather", "cloudy", "cloudy weather"),
    ("what sport is this?", "sport", "basketball", "basketball"),
    ("what instrument is the man playing?", "instrument", "guitar", "a man playing a guitar"),
    ("how does the man feel?", "feeling", "sad", "a sad man"),
    ("how is she feeling?", "feeling", "sad", "a sad woman"),
    ("what emotion does the face show?", "feeling", "sad", "a sad face"),
    ("how do the people feel?", "feeling", "sad", "sad people"),
    ("who is this?", "person", "woman", "a woman"),
    ("who is riding the horse?", "person", "woman", "a woman riding the horse"),
    ("who wears a hat?", "person", "woman", "a woman wearing a hat"),
    ("who has a beard?", "person", "woman", "a woman with a beard"),
    ("who is he?", "person", "woman", "a woman"),
    ("where is the dog?", "place", "on a mountain", "a dog on a mountain"),
    ("where's the man sitting?", "place", "on a mountain", "a man sitting on a mountain"),
    ("where was this photo taken?", "place", "on a mountain", "on a mountain"),
    ("where are the dogs", "place", "on a mountain", "dogs on a mountain"),
    ("where does the man sit?", "place", "on a mountain", "a man sitting on a mountain"),
    ("what vehicle is this?", "vehicle", "taxi", "a taxi"),
    ("what sort of vehicle is it?", "vehicle", "taxi", "a taxi"),
    ("what flower is this", "flower", "tulip", "a tulip"),
    ("what food is on the plate", "food", "cheese", "cheese on the plate"),
]
OPEN = [
    ("what is this?", "a dog", "apples"),
    ("what's in the picture?", "a dog", "apples"),
    ("What is on the table?", "a dog on the table", "apples on the table"),
    ("what is the man holding?", "a man holding a dog", "a man holding apples"),
    ("what is the man holding in his hand?", "a man holding a dog in his hand", "a man holding apples in his hand"),
    ("what is the man sitting on?", "a man sitting on a dog", "a man sitting on apples"),
    ("what does the man hold?", "a man holding a dog", "a man holding apples"),
    ("what do you see?", "a dog", "apples"),
    ("what kind of dog is this?", "a dog, a kind of dog", "apples, a kind of dog"),
    ("what is red?", "a red dog", "red apples"),
    ("what can you see on the table?", "a dog on the table", "apples on the table"),
    ("what is the man looking at?", "a man looking at a dog", "a man looking at apples"),
    ("what's he wearing?", "a man wearing a dog", "a man wearing apples"),
    ("what is it eating?", "eating a dog", "eating apples"),
    ("what is it on?", "on a dog", "on apples"),
    ("What gray animal is this?", "a dog, a kind of gray animal", "apples, a kind of gray animal"),
    ("what is on fire?", "a dog on fire", "apples on fire"),
    ("what are those?", "a dog", "apples"),
]
NO_ENGLISH = [
    "Was ist das?",
    "Ist das ein Hund?",
    "\u00bfDe qu\u00e9 color es el coche?",
    "quelle couleur?",
    "Y a-t-il un chien ?",
    "Is dit een hond?",
    "\u72ac\u306f\u3044\u307e\u3059\u304b\uff1f",
]
NOT_TO_BE_SEEN = ["why is the sky blue?", "how old is he?", "how much is it", "whose dog is this?", "xyzzy"]
TOO_SHORT = ["is", "is there", "is there?", "what", "how many", "how many?", "who", "where", "does"]


@pytest.mark.parametrize(("question", "affirmed", "statement", "rival"), YES_NO)
def test_yes_or_no(question: str, affirmed: str, statement: str, rival: str) -> None:
    found = understand(question)
    assert found.kind == "yes/no"
    assert (found.answers, found.denial) == ((affirmed, "yes" if affirmed == "no" else "no"), 1)
    assert set(found.statements) == {statement}
    assert (found.rivals or ("",))[0] == rival
    assert statement not in found.rivals


@pytest.mark.parametrize(("question", "answers", "statements"), CHOICE)
def test_a_choice(question: str, answers: list[str], statements: list[str]) -> None:
    found = understand(question)
    assert (found.kind, found.denial) == ("choice", None)
    assert list(found.answers) == answers
    assert list(found.statements) == statements


@pytest.mark.parametrize(("question", "one", "two", "some"), COUNT)
def test_a_count(question: str, one: str, two: str, some: str) -> None:
    found = understand(question)
    assert found.kind == "count"
    assert sorted(map(int, found.answers)) == list(range(11))
    said = dict(zip(found.answers, found.statements, strict=True))
    assert (said["1"], said["2"], said["0"]) == (one, two, some)
    assert found.denial is not None
    assert found.answers[found.denial] == "0"


@pytest.mark.parametrize(("question", "kind", "answer", "statement"), LISTS)
def test_what_a_list_answers(question: str, kind: str, answer: str, statement: str) -> None:
    found = understand(question)
    assert found.kind == kind
    assert (found.answers[1], found.statements[1]) == (answer, statement)
    assert len(set(found.statements)) == len(found.answers)


@pytest.mark.parametrize(("question", "one", "several"), OPEN)
def test_an_open_question(question: str, one: str, several: str) -> None:
    found = understand(question, vocabulary=["dog", "apples"])
    assert (found.kind, found.answers, found.statements) == ("open", ("dog", "apples"), (one, several))
    assert understand(question).answers == tuple(everyday_nouns())
    assert not any("\t" in answer for answer in understand(question).answers)


@pytest.mark.parametrize("question", [row[0] for row in (*YES_NO, *CHOICE, *COUNT, *LISTS, *OPEN)])
def test_capitals_spaces_and_question_marks_make_no_difference(question: str) -> None:
    plain = understand(question)
    if question == question.lower():
        assert understand(f"  {question.upper()} ") == plain
    assert understand(question.rstrip("? ") + "??") == plain
    assert understand("\t" + question.rstrip("? ").replace(" ", "  ") + "\n") == plain


@pytest.mark.parametrize("question", [*NO_ENGLISH, *NOT_TO_BE_SEEN, *TOO_SHORT])
def test_what_is_not_understood_is_named_and_taken_with_answers(question: str) -> None:
    with pytest.raises(InputError, match="is of no kind that is known") as error:
        understand(question)
    assert question.strip("?")[:4] in str(error.value) or not question.isascii()
    found = understand(question, ["one thing", "the other"])
    assert (found.kind, found.denial) == ("choice", None)
    assert found.answers == found.statements == ("one thing", "the other")


@pytest.mark.parametrize("question", ["", "  ", "?", "?!", "...", "\n"])
def test_an_empty_question_is_named(question: str) -> None:
    with pytest.raises(InputError, match="the question is empty"):
        understand(question)
    with pytest.raises(InputError, match="the question is empty"):
        understand(question, ["a", "b"])


def test_a_question_that_is_no_text_or_a_book_is_refused() -> None:
    with pytest.raises(InputError, match="expected a text"):
        understand(3)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="the question has 9000 letters; expected at most 2000"):
        understand("is there " * 1000)


@pytest.mark.parametrize(
    "begin",
    ["is there a dog and ", "what is the man is ", "or ", ",", "a ", "is a or is ", "what ", "how many has ", "do "],
)
def test_long_questions_take_no_time(begin: str) -> None:
    start = time.perf_counter()
    for length in (500, 2000):
        try:
            understand((begin * 2000)[:length].strip() + "?")
        except InputError:
            continue
    assert time.perf_counter() - start < 2  # 0.05 s here; a pattern that looks back would take minutes


@pytest.mark.parametrize(
    ("question", "statements"),
    [
        ("what colour is the car?", ["a red car", "an ochre car"]),
        ("is the car blue?", ["a red car", "an ochre car"]),
        ("is it a dog or a cat?", ["red", "ochre"]),
        ("what is this?", ["a red", "an ochre"]),
        ("where is the car?", ["a red car", "an ochre car"]),
    ],
)
def test_answers_that_are_given_replace_those_of_the_kind(question: str, statements: list[str]) -> None:
    found = understand(question, ["red", "ochre"])
    assert found.answers == ("red", "ochre")
    assert list(found.statements) == statements


@pytest.mark.parametrize("answers", [["yes", "no"], ["No", "Yes"]])
def test_yes_and_no_are_what_such_a_question_has_anyway(answers: list[str]) -> None:
    assert understand("is there a dog?", answers) == understand("is there a dog?")


def test_counts_may_be_given_as_words_and_with_none() -> None:
    found = understand("how many dogs are there?", ["none", "two", "3", "a few", "many", "0"])
    assert found.answers == ("two", "3", "a few", "many", "none")
    assert found.statements == ("two dogs", "three dogs", "a few dogs", "many dogs", "dogs")
    assert found.denial == 4
    assert understand("how many dogs?", ["1", "2"]).denial is None


@pytest.mark.parametrize(
    ("question", "answers", "message"),
    [
        ("is there a dog?", "yes", "expected a list of two or more"),
        ("is there a dog?", 5, "expected a list of two or more"),
        ("is there a dog?", [], "two or more different texts"),
        ("is there a dog?", ["dog"], "two or more different texts"),
        ("is there a dog?", ["dog", "dog"], "two or more different texts"),
        ("is there a dog?", ["dog", " "], "two or more different texts"),
        ("is there a dog?", ["dog", 3], "two or more different texts"),
        ("is there a dog?", ["yes", "no", "maybe"], "yes and no cannot be mixed"),
        ("how many dogs are there?", ["0", "none"], "all say that there are none"),
    ],
)
def test_answers_of_the_wrong_kind_are_named(question: str, answers: object, message: str) -> None:
    with pytest.raises(InputError, match=message):
        understand(question, answers)  # type: ignore[arg-type]


def test_american_questions_get_american_answers() -> None:
    assert "gray" in understand("what color is it?").answers
    assert "grey" in understand("what colour is it?").answers


def test_lists_of_answers_are_sound() -> None:
    for name, answers in lists().items():
        assert name == name.strip().lower() and len(answers) > 3
        assert len(set(answers)) == len(answers), name
        assert all(answer == answer.strip() and answer for answer in answers), name


@pytest.mark.parametrize("name", sorted(lists()))
def test_every_list_can_be_asked_for(name: str) -> None:
    assert understand(f"what {name} is it?").kind == name
