"""TEXT → CLEAN TEXT: what each library does to a text before its tokenizer splits it."""

import html
import re
import string
import unicodedata
from collections.abc import Callable

# ftfy changes ASCII only where there is an entity, an escape sequence or another control character to
# remove, or a carriage return (which becomes a newline, white space as before); html.unescape needs an
# ampersand.  Such text, nearly all there is, spares ftfy's time and even its import.
_PLAIN = re.compile(r"[\t\n\f\r -%'-~]*")
_NO_PUNCTUATION = str.maketrans("", "", string.punctuation)


def mend(text: str) -> str:
    """Mend mojibake, and resolve HTML entities, as openai/CLIP and OpenCLIP."""
    if _PLAIN.fullmatch(text):
        return text
    from ftfy import fix_text

    return html.unescape(html.unescape(fix_text(text)))


def clean(text: str) -> str:
    """Mend and lower the case, as openai/CLIP.

    White space is not collapsed and stripped as there: no word contains any, and no letter is lowered
    differently for it.
    """
    return mend(text).lower()


def whitespace(text: str) -> str:
    """Mend and collapse white space, as OpenCLIP's ``clean: whitespace``."""
    return " ".join(mend(text).split())


def lower(text: str) -> str:
    """Mend, collapse white space and lower the case, as OpenCLIP's ``clean: lower``."""
    return whitespace(text).lower()


def canonicalize(text: str) -> str:
    """Mend, drop ASCII punctuation and lower the case, as OpenCLIP's ``clean: canonicalize``. ``_`` becomes a space."""
    return " ".join(mend(text).replace("_", " ").translate(_NO_PUNCTUATION).lower().split())


# The values of OpenCLIP's option → what they mean.
OPEN_CLIP: dict[str, Callable[[str], str]] = {"lower": lower, "whitespace": whitespace, "canonicalize": canonicalize}


def without_punctuation(text: str) -> str:
    """Drop ASCII punctuation, ``_`` too, and collapse white space, as transformers' `SiglipTokenizer`."""
    return " ".join(text.translate(_NO_PUNCTUATION).split())


def lower_without_punctuation(text: str) -> str:
    """Do that in lower case, as `SiglipTokenizer` unless it is told otherwise."""
    return without_punctuation(text.lower())


def compose(text: str) -> str:
    """Compose accents (NFC) and lower the case, as transformers' `CLIPTokenizer`: every sigma alike."""
    if text.isascii():
        return text.lower()
    return "".join(map(str.lower, unicodedata.normalize("NFC", text)))


def replace_surrogates(text: str) -> str:
    """Put U+FFFD for halves of characters, as ftfy does; UTF-8 has none, and so the libraries raise."""
    return text if text.isascii() else text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
