r"""Regular expressions of untrusted files: those that take linear time, whatever the text.

The library backtracks, so that a pattern such as ``(a|a)*b`` takes exponential time. Allowed are alternatives without
groups that match one character or more, and in which nothing can fail after an unlimited repetition, as in those of
GPT-2 and CLIP: ``'s| ?\p{L}+|\s+``.
"""

import re

MAX_PATTERN = 512  # characters
_MAX_CHOICES = 2  # repetitions between two bounds in one alternative, each of which multiplies the ways to match

# One item: a class without nested ones, a property, an escaped or a plain letter; and how often it is repeated. No
# text matches this in two ways, so that it takes linear time itself.
_ITEM = re.compile(
    r"(?:\[\^?(?:\\[^0-9](?:\{\w+\})?|[^\[\]\\&{}])+\]|\\[pP]\{\w+\}|\\[sSdDwWnrt]|\\[^\w\s]|[^\\\[\](){}|*+?^$])"
    r"(?P<repeated>\?|\*|\+|\{[0-9](?:,[0-9]?)?\})?"
)

# Alternatives that the libraries write, linear for other reasons.
_CASELESS_ENDINGS = "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
_LINE_BREAKS = r"\s*[\r\n]+|\s+(?!\S)|\s+"
_WHITE_SPACE = r"\s+(?!\S)"
_KNOWN = re.compile(rf"(?:{'|'.join(map(re.escape, (_CASELESS_ENDINGS, _LINE_BREAKS, _WHITE_SPACE)))})(?=\||\Z)")


def is_linear(pattern: str) -> bool:
    """Tell whether a pattern of Oniguruma's syntax is one of those."""
    if len(pattern) > MAX_PATTERN:
        return False
    position, is_start, takes, is_endless, choices = 0, True, False, False, 0
    while position < len(pattern):
        if is_start and (known := _KNOWN.match(pattern, position)):
            position, is_start, takes = known.end(), False, True
        elif pattern[position] == "|" and takes:
            position, is_start, takes, is_endless, choices = position + 1, True, False, False, 0
        elif item := _ITEM.match(pattern, position):
            position, is_start, repeated = item.end(), False, item["repeated"] or ""
            is_optional = repeated.startswith(("?", "*", "{0"))
            if is_endless and not is_optional:
                return False
            takes = takes or not is_optional
            is_endless = is_endless or repeated in ("*", "+") or repeated.endswith(",}")
            choices += bool(repeated) and not is_endless
            if choices > _MAX_CHOICES:
                return False
        else:
            return False
    return takes
