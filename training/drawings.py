"""PACKAGES → DRAWINGS: what each set has, and what it calls it."""

import io
import json
import re
import zipfile
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path

from PIL import Image

from drawing import Drawing, as_words, rendered
from emoji import EmojiNames

_SKIN = re.compile(
    r"(light|medium|dark)(-(light|dark))?-skin-tone|skin-tone|-(medium-light|medium-dark|medium|light|dark)$"
)
_STYLES = (
    *("outline", "outlined", "filled", "fill", "line", "linear", "bold", "thin", "light", "regular", "solid"),
    *("duotone", "twotone", "sharp", "rounded", "flat", "remix", "duo", "broken", "negative", "24px", "color"),
)
_OFTEN = 50  # names of a set that end in a style, where it is one: elsewhere a traffic-light is not light
_EMOJI_SETS = (
    *("noto", "noto-v1", "twemoji", "openmoji", "fluent-emoji", "fluent-emoji-flat", "fluent-emoji-high-contrast"),
    *("emojione", "emojione-monotone", "fxemoji"),
)
# Whose names differ from the labels: "nailpolish", "flag for belize".
_NICKNAMED = ("noto", "noto-v1", "fluent-emoji", "emojione", "emojione-monotone", "fxemoji", "streamline-emojis")


class Sets:
    """Drawings of each set, by its name.

    Parameters
    ----------
    packages : Path
        The unpacked packages.
    """

    def __init__(self, packages: Path) -> None:
        self._packages = packages
        self._icons = packages / "iconify" / "package" / "json"
        self._emoji = EmojiNames(packages)

    def drawings(self, name: str) -> Iterator[Drawing]:
        special: dict[str, Callable[[], Iterator[Drawing]]] = {
            "fluent-3d": self._fluent_3d,
            "flags": self._flags,
            "openclipart": self._openclipart,
            "sweethome3d": self._furniture,
            "art4apps": self._art4apps,
            "tuxpaint": self._tuxpaint,
            "fluent-color": partial(self._iconify, name, keep=lambda n: n.endswith(("-48", "-32", "-24"))),
            "healthicons": partial(self._iconify, name, keep=lambda n: not n.endswith("24px")),
            "streamline-emojis": partial(self._iconify, name, strip=lambda n: re.sub(r"-\d$", "", n)),
        }
        drawings = special.get(name, partial(self._iconify, name))()
        if name in _NICKNAMED:
            drawings = map(self._nicknamed, drawings)
        if name == "fxemoji":  # whose names are words run together: what is not matched says nothing
            drawings = (drawing for drawing in drawings if drawing.concept.startswith("emoji:"))
        return drawings

    def _nicknamed(self, drawing: Drawing) -> Drawing:
        if drawing.concept.startswith("emoji:") or not drawing.caption:
            return drawing
        emoji = self._emoji.by_nickname(drawing.caption)
        if emoji is None:
            return drawing
        tags = tuple(tag for tag in emoji.tags if tag != emoji.label)
        return Drawing(drawing.name, emoji.label, emoji.concept, drawing.picture, tags)

    def _iconify(
        self,
        name: str,
        keep: Callable[[str], bool] = lambda name: True,
        strip: Callable[[str], str] | None = None,
    ) -> Iterator[Drawing]:
        """Read a set of @iconify/json; of emoji those without skin tones, of icons the names without their styles."""
        table = json.loads((self._icons / f"{name}.json").read_text("utf-8"))
        is_emoji = name in _EMOJI_SETS
        strip = strip or partial(_without_styles, styles=_styles(table["icons"]))
        codes = defaultdict(list)
        for code, icon in table.get("chars", {}).items():
            codes[icon].append(code)
        seen = set()
        for icon, values in table["icons"].items():
            if values.get("hidden") or (is_emoji and _SKIN.search(icon)) or not keep(icon):
                continue
            base = icon if is_emoji else strip(icon)
            if is_emoji and base in seen:
                continue
            seen.add(base)
            caption, concept, tags = as_words(base), as_words(base), ()
            if is_emoji and (emoji := self._emoji.by_code(*codes[icon]) or self._emoji.by_name(base)):
                caption, concept, tags = emoji.label, emoji.concept, emoji.tags
            yield Drawing(icon, caption, concept, partial(_icon, table, values), tags)

    def _flags(self) -> Iterator[Drawing]:
        """Two sets of flags, by country."""
        for name, keep in (
            ("flag", lambda n: len(n) == 6 and n.endswith("-4x3")),
            ("circle-flags", lambda n: len(n) == 2),
        ):
            for drawing in self._iconify(name, keep):
                country = drawing.name[:2]
                code = "-".join(f"{0x1F1E6 + ord(letter) - 97:X}" for letter in country)
                if emoji := self._emoji.by_code(code):
                    yield Drawing(drawing.name, emoji.label, f"emoji:{code}", drawing.picture, (country.upper(),))

    def _fluent_3d(self) -> Iterator[Drawing]:
        for path in sorted((self._packages / "fluent-emoji-3d" / "package" / "assets").glob("*.webp")):
            if not re.search(r"1f3f[b-f]", path.stem) and (emoji := self._emoji.by_code(path.stem)):
                yield Drawing(path.stem, emoji.label, emoji.concept, partial(Image.open, path), emoji.tags)

    def _openclipart(self) -> Iterator[Drawing]:
        """Open Clip Art: what says that it is in the public domain, without shapes, buttons and themes of icons."""
        vectors = self._packages / "openclipart" / "usr/share/openclipart/svg"
        pixels = self._packages / "openclipart-png" / "usr/share/openclipart/png"
        texts = {}
        for path in sorted(vectors.rglob("*.svg"), key=str):
            is_unused = path.is_symlink() or _UNUSED.match(path.relative_to(vectors).as_posix())
            if not is_unused and path.stat().st_size <= 800_000:
                text = path.read_text("utf-8", errors="replace")
                if _is_public_domain(text):
                    texts[path] = text
        titles = {path: _title(text) for path, text in texts.items()}
        used = Counter(titles.values())
        for path, text in texts.items():
            name = path.relative_to(vectors).as_posix()
            caption = _caption(titles[path], path.stem, is_common=used[titles[path]] >= _SERIES)
            if len(caption) < 3 or caption in _EMPTY_CAPTIONS:
                continue
            keywords = (
                k.replace("_", " ").strip().lower() for k in re.findall(r"<rdf:li[^>]*>\s*([^<]*?)\s*</rdf:li>", text)
            )
            tags = [k for k in dict.fromkeys(keywords) if k and k not in _EMPTY_KEYWORDS]
            drawn = (pixels / name).with_suffix(".png")  # resvg refuses many of these old files
            picture = partial(Image.open, drawn) if drawn.exists() else partial(rendered, text)
            folders = [as_words(part) for part in name.split("/")[:-1]]
            yield Drawing(name, caption, f"oc:{caption}", picture, (*tags, *folders))

    def _furniture(self) -> Iterator[Drawing]:
        """Sweet Home 3D's models, as their catalogues show them."""
        folder = self._packages / "furniture" / "usr/share/sweethome3d/furniture"
        for path in sorted(folder.glob("*.sh3f")):
            archive = zipfile.ZipFile(path)
            pieces: dict[int, dict[str, str]] = defaultdict(dict)
            for line in archive.read("PluginFurnitureCatalog.properties").decode("latin-1").splitlines():
                if match := re.match(r"(\w+)#(\d+)=(.*)", line):
                    pieces[int(match[2])][match[1]] = match[3]
            for _, piece in sorted(pieces.items()):
                icon = piece.get("icon", "").lstrip("/")
                if "name" in piece and icon in archive.namelist():
                    caption = piece["name"].lower()
                    picture = partial(lambda data: Image.open(io.BytesIO(data)), archive.read(icon))
                    tags = (piece.get("category", "").lower(),)
                    yield Drawing(f"{path.name}:{icon}", caption, f"sh:{caption}", picture, tags)

    def _art4apps(self) -> Iterator[Drawing]:
        folder = self._packages / "art4apps" / "usr/share/games/pysiogame/res/images/art4apps"
        for path in sorted(folder.glob("*/*.jpg"), key=str):
            caption = as_words(path.stem)
            yield Drawing(path.stem, caption, f"a4:{caption}", partial(Image.open, path), (path.parent.name,))

    def _tuxpaint(self) -> Iterator[Drawing]:
        root = self._packages / "tuxpaint" / "usr/share/tuxpaint/stamps"
        for path in [*sorted(root.rglob("*.png"), key=str), *sorted(root.rglob("*.svg"), key=str)]:
            name, text = path.relative_to(root).as_posix(), path.with_suffix(".txt")
            if name.startswith("symbols/") or "_mirror" in name or "_flip" in name or not text.exists():
                continue
            with text.open(encoding="utf-8") as file:
                sentence = file.readline().strip()
            if sentence:
                caption = sentence.rstrip(".!").lower()
                vector = path.suffix == ".svg"
                picture = partial(_svg_file, path) if vector else partial(Image.open, path)
                yield Drawing(name, caption, f"tux:{sentence}", picture, tuple(name.split("/")[:-1]))


def _styles(names: Iterable[str]) -> frozenset[str]:
    """Return the styles in which a set draws things."""
    ends = Counter(name.rpartition("-")[2] for name in names)
    return frozenset(style for style in _STYLES if ends[style] >= _OFTEN)


def _without_styles(name: str, styles: frozenset[str]) -> str:
    head, _, end = name.rpartition("-")
    return _without_styles(head, styles) if head and (end in styles or re.fullmatch(r"\d{2}", end)) else name


def _icon(table: dict, values: dict) -> Image.Image:
    left, top, width, height = (
        values.get(key, table.get(key, default))
        for key, default in (("left", 0), ("top", 0), ("width", 16), ("height", 16))
    )
    body = values["body"].replace("currentColor", "#000")
    svg = (
        '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
        f'viewBox="{left} {top} {width} {height}" width="{width}" height="{height}">{body}</svg>'
    )
    return rendered(svg, is_wide=width >= height)


def _svg_file(path: Path) -> Image.Image:
    return rendered(path.read_text("utf-8", errors="replace"))


_UNUSED = re.compile(r"shapes/(stars|jigsaw)|special/|buttons|logos|unsorted/dup|computer/icons/(flat|lemon|etiquette)")
_LICENCE = re.compile(r'license\b[^>]*?rdf:(?:resource|about)="([^"]*)"', re.IGNORECASE)
_EMPTY_KEYWORDS = ("hash", "unsorted", "signs and symbols", "sign", "symbol", "magick", "icons", "icon")
_EMPTY_CAPTIONS = (
    *("70a", "people juliane", "plastik icon v", "tree rpg map elements", "lightning jon phillips"),
    "dino architetto francesc",
)
_SERIES = 10  # files of one title: it names a series, or nothing
_EMPTY_TITLES = ("card", "people", "gramastar", "stick man", "aiga_symbol_signs", "map symbols")
_ARTISTS = (
    "architetto|nicu|nicubunu|jarno|gerald|jean|victor|bal|francesco|rollandin|lumen|design|ganson|mo|yves|gui|rob|lucas"
    "|frank|warttig|juliane|krug"
)


def _is_public_domain(svg: str) -> bool:
    """Read the licences in a file's metadata: a few say GPL, and some say nothing."""
    named = [name.lower().replace(" ", "") for name in _LICENCE.findall(svg)]
    return any("publicdomain" in name for name in named) and not any("gpl" in name for name in named)


def _title(svg: str) -> str:
    match = re.search(r"<dc:title[^>]*>\s*([^<]*?)\s*</dc:title>", svg)
    return match[1].strip() if match else ""


def _caption(title: str, stem: str, is_common: bool) -> str:
    """Take the title, unless it says nothing; then the name of the file without its artist."""
    says_something = 3 <= len(title) <= 60 and title.lower() not in _EMPTY_TITLES and not is_common
    noise = ("Clipart by", "HASH")
    is_series = "theme" in title.lower() or "collection" in title.lower()
    if says_something and not is_series and not any(word in title for word in noise):
        return re.sub(r"[\s_]+", " ", title).lower()
    name = re.sub(r"_?\d+[a-z]?$", "", stem)
    return as_words(re.sub(rf"_({_ARTISTS})\b.*$", "", name))
