"""TEXT → CLEAN TEXT: the cleaning of each library, before its tokenizer splits a text."""

import html
import re
import string
import unicodedata
from collections.abc import Callable

# ftfy changes ASCII only for an entity, an escape sequence or another control character, or a carriage return (which
# becomes a newline, white space as before); html.unescape needs an ampersand. Most text needs neither.
_PLAIN = re.compile(r"[\t\n\f\r -%'-~]*")
_ENDLESS_NUMBER = re.compile(r"&#[0-9]{641,};?")  # of no letter; Python refuses to convert it, and the reference raises
_NO_PUNCTUATION = str.maketrans("", "", string.punctuation)


def basic_clean(text: str) -> str:
    """Fix mojibake, and unescape HTML entities, as openai/CLIP and OpenCLIP."""
    if _PLAIN.fullmatch(text):
        return text
    from ftfy import fix_text

    text = fix_text(text)
    for _ in range(2):
        text = html.unescape(_ENDLESS_NUMBER.sub("\ufffd", text))
    return text


def clean(text: str) -> str:
    """Fix and lower-case, as openai/CLIP; but white space is left in, since no word contains any."""
    return basic_clean(text).lower()


def whitespace(text: str) -> str:
    """Fix and collapse white space, as OpenCLIP's ``clean: whitespace``."""
    return " ".join(basic_clean(text).split())


def lower(text: str) -> str:
    """Fix, collapse white space and lower-case, as OpenCLIP's ``clean: lower``."""
    return whitespace(text).lower()


def canonicalize(text: str) -> str:
    """Fix, drop ASCII punctuation and lower-case, as OpenCLIP's ``clean: canonicalize``. ``_`` becomes a space."""
    return " ".join(basic_clean(text).replace("_", " ").translate(_NO_PUNCTUATION).lower().split())


# The values of OpenCLIP's option `clean`.
OPEN_CLIP: dict[str, Callable[[str], str]] = {"lower": lower, "whitespace": whitespace, "canonicalize": canonicalize}


def without_punctuation(text: str) -> str:
    """Drop ASCII punctuation, ``_`` too, and collapse white space, as transformers' `SiglipTokenizer`."""
    return " ".join(text.translate(_NO_PUNCTUATION).split())


def lower_without_punctuation(text: str) -> str:
    """Do that in lower case, the default of `SiglipTokenizer`."""
    return without_punctuation(text.lower())


def compose(text: str) -> str:
    """Compose accents (NFC) and lower-case letter by letter, as transformers' `CLIPTokenizer`: every sigma alike."""
    if text.isascii():
        return text.lower()
    return "".join(map(str.lower, unicodedata.normalize("NFC", text)))


def replace_surrogates(text: str) -> str:
    """Replace lone surrogates by U+FFFD, as ftfy does; the libraries raise, since UTF-8 has none."""
    return text if text.isascii() else text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
