"""Words that mean nearly the same: synonyms and the next wider word, of WordNet 3.0."""

import re
from pathlib import Path

_MOST = 5


class WordNet:
    """Nouns by their first, most usual, sense.

    Parameters
    ----------
    packages : Path
        With wordnet.
    """

    def __init__(self, packages: Path) -> None:
        folder = packages / "wordnet" / "usr/share/wordnet"
        self._first_sense = {parts[0]: parts[-int(parts[2])] for parts in map(str.split, _lines(folder / "index.noun"))}
        self._senses: dict[str, tuple[list[str], str | None]] = {}
        for line in _lines(folder / "data.noun"):
            parts = line.partition(" | ")[0].split()
            count = int(parts[3], 16)
            words = [parts[4 + 2 * n].replace("_", " ").lower() for n in range(count)]
            wider = re.search(r"(?:^| )@ (\d{8}) n", " ".join(parts[4 + 2 * count :]))
            self._senses[parts[0]] = words, wider[1] if wider else None

    def words(self, caption: str) -> list[str]:
        """Return synonyms of a caption that is a noun, or of the noun at its end, and the next wider word."""
        whole = re.sub(r"\W+", "_", caption.strip().lower())
        last = whole.rpartition("_")[2] if whole.count("_") == 1 else ""
        for noun in (whole, whole.removesuffix("s"), last):
            if noun in self._first_sense:
                synonyms, wider = self._senses[self._first_sense[noun]]
                near = [word for word in synonyms if word != caption] if noun == whole else synonyms[:2]
                return [*near, *(self._senses[wider][0][:1] if wider else ())][:_MOST]
        return []


def _lines(path: Path) -> list[str]:
    return [line for line in path.read_text("utf-8").splitlines() if not line.startswith(" ")]
