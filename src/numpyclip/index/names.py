"""Look-up of names in an index, as people write them: of cameras, lenses, tags and albums."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

_IN_PART = ("camera", "lens")  # whose names are long, and no person's own


def meant(kind: str, name: str, names: Iterable[str]) -> list[str]:
    """Return those of the names of a kind that a name stands for, whatever the case of letters.

    Of a camera or lens that is called exactly so in no case, a part of its name is enough. Of tags, what is returned
    may be a level above those that there are: ``animals`` of ``animals/birds``.
    """
    wanted, levels = _folded(name), name.count("/") + 1
    if kind == "tag":
        names = dict.fromkeys("/".join(tag.split("/")[:levels]) for tag in names)
    folded = {each: _folded(each) for each in names}
    found = [each for each, written in folded.items() if written == wanted]
    if not found and kind in _IN_PART:
        found = [each for each, written in folded.items() if wanted in written]
    return found


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", name.casefold())
