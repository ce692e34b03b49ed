"""Excerpts of very long texts, so that truncation costs no more than the tokens that it keeps."""

import re

LONGEST_TOKEN = 32  # characters, of white space too
_LETTERS_PER_TOKEN = 4 * LONGEST_TOKEN  # a character may be written as an entity, or as mojibake of its bytes
_NOT_SPACE = re.compile(r"\S")


def excerpt(text: str, context_length: int, *, from_end: bool = False) -> tuple[str, bool]:
    """Return the part of a text that decides its first tokens, and whether that is not the whole.

    A text of at most 128 characters per token is returned as it is. Of a longer one, so many first characters are, up
    to the last line break or else the last space in the last eighth of them: cleaning fixes lines one by one, and no
    word contains a space. A run of white space that reaches their end is shortened to 32 characters per token.

    Parameters
    ----------
    text : str
    context_length : int
    from_end : bool, default=False
        Return the part that decides the last tokens instead; no white space is shortened.
    """
    limit = _LETTERS_PER_TOKEN * context_length
    if len(text) <= limit:
        return text, False
    slack = limit // 8
    if from_end:
        part = text[-limit:]
        starts = (part.find(mark, 0, slack) + 1 for mark in "\n ")
        return part[next(filter(None, starts), 0) :], True
    part, position = _beginning(text, limit, LONGEST_TOKEN * context_length)
    if position == len(text):
        return part, False
    ends = (part.rfind(mark, limit - slack) + 1 for mark in "\n ")
    return part[: next(filter(None, ends), limit)], True


def _beginning(text: str, limit: int, most_spaces: int) -> tuple[str, int]:
    """Return the first characters, with a long run of white space at their end shortened, and how far they reach."""
    part, position = "", 0
    while len(part) < limit and position < len(text):
        added = text[position : position + limit - len(part)]
        part, position = part + added, position + len(added)
        characters = len(part.rstrip())
        if len(part) - characters > most_spaces:
            part = part[: characters + most_spaces]
            following = _NOT_SPACE.search(text, position)
            position = following.start() if following else len(text)
    return part, position
