"""Names of drawings → emoji: their labels and keywords (CLDR's, by emojibase, and emojilib's)."""

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

# Names of files that are labels or shortcodes of other emoji, and the labels that fit what they show.
_MISLEADING = {
    "bow": "ribbon",
    "couple": "couplewithheart",
    "imp": "angryfacewithhorns",
    "beachumbrella": "beachwithumbrella",
    "up": "backhandindexpointingup",
    "down": "backhandindexpointingdown",
    "japan": "flagjapan",
    "whiteheavycheckmark": "checkmarkbutton",
    "bbutton": "bbuttonbloodtype",
    "abutton": "abuttonbloodtype",
    "abbutton": "abbuttonbloodtype",
    "obutton": "obuttonbloodtype",
    "manwithbunnyears": "menwithbunnyears",
}


@dataclass(frozen=True)
class Emoji:
    code: str
    label: str
    tags: tuple[str, ...]

    @property
    def concept(self) -> str:
        return f"emoji:{self.code}"


class EmojiNames:
    """All emoji, found by code points, labels and the names that vendors gave their files.

    Parameters
    ----------
    packages : Path
        With emojibase and emojilib.
    """

    def __init__(self, packages: Path) -> None:
        self._base = packages / "emojibase" / "package" / "en"
        extra = json.loads((packages / "emojilib" / "package" / "dist" / "emoji-en-US.json").read_text("utf-8"))
        self._by_code: dict[str, Emoji] = {}
        self._by_label: dict[str, Emoji] = {}
        for entry in json.loads((self._base / "data.json").read_text("utf-8")):
            label = entry["label"]
            more = (word.replace("_", " ") for word in extra.get(entry["emoji"], []))
            tags = dict.fromkeys([*entry.get("tags", []), *(word for word in more if word != label)])
            emoji = Emoji(entry["hexcode"], label.lower().replace("flag: ", "flag of "), tuple(tags))
            self._by_code[_plain(emoji.code)] = emoji
            self._by_label[_key(label)] = emoji

    def by_code(self, *codes: str) -> Emoji | None:
        """Find by code points, as in ``1f408-200d-2b1b``."""
        return next((self._by_code[_plain(code)] for code in codes if _plain(code) in self._by_code), None)

    def by_name(self, name: str) -> Emoji | None:
        """Find by a label."""
        return self._by_label.get(_key(name))

    def by_nickname(self, name: str) -> Emoji | None:
        """Find by what vendors call their files: labels and shortcodes run together, with more or less around them."""
        squashed = _MISLEADING.get(_squash(name), _squash(name))
        guesses = (
            squashed,
            squashed.replace("flagforflag", "flag").replace("flagfor", "flag"),
            squashed.replace("white", "", 1),
            squashed.replace("black", "", 1),
            f"{squashed}face",
            f"{squashed}button",
        )
        return next((self._by_nickname[guess] for guess in guesses if guess in self._by_nickname), None)

    @cached_property
    def _by_nickname(self) -> dict[str, Emoji]:
        found: dict[str, Emoji] = {}
        for label, emoji in self._by_label.items():
            found.setdefault(_squash(label), emoji)
        for code, shortcode in self._shortcodes():
            if code in self._by_code and len(_squash(shortcode)) > 2:
                found.setdefault(_squash(shortcode), self._by_code[code])
        return found

    def _shortcodes(self) -> Iterator[tuple[str, str]]:
        for path in sorted((self._base / "shortcodes").glob("*.json")):
            for code, shortcodes in json.loads(path.read_text("utf-8")).items():
                several: Iterable[str] = [shortcodes] if isinstance(shortcodes, str) else shortcodes
                for shortcode in several:
                    yield _plain(code), shortcode


def _key(name: str) -> str:
    """Make labels and names of files comparable: "keycap: 10", "keycap-10", but not "keycap: #" and "keycap"."""
    return " ".join(re.findall(r"[^\W_]+|[#*]", name.lower()))


def _plain(code: str) -> str:
    return code.lower().replace("-fe0f", "")


def _squash(name: str) -> str:
    return re.sub(r"[^a-z0-9#*]", "", name.lower())
