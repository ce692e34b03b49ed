"""Make tests/golden/tokens.json.gz: hard texts with the ids that openai/CLIP itself gives them.

    python tools/make_golden_tokens.py          (needs openai/CLIP, PyTorch, `regex` and `ftfy`)

Also records how the reference's pattern splits every code point in a few surroundings, as hashes made
without any table of this package.  The same libraries and seed give the same bytes.

The ids must not depend on the version of Python that runs the tests, so the texts hold only code points that
Unicode knew in version 3.2 (which Python keeps a table of) or that are written out below; their case and
their normal form are frozen by now.
"""

import gzip
import hashlib
import html
import json
import platform
import random
from pathlib import Path
from unicodedata import ucd_3_2_0

import clip
import ftfy
import regex
from clip.simple_tokenizer import SimpleTokenizer

TARGET = Path(__file__).parent.parent / "tests" / "golden" / "tokens.json.gz"
SEED = 20210226
# The first tells the class of every code point; the others find those taken for a letter of the pattern, none
# of which is beyond the first plane.  Clean text is in lower case, so A to Z are left out.
SURROUNDINGS = [("a{}.", 0x110000), ("'{}", 0x10000), ("1{}1", 0x10000), ("<|{}tartoftext|>", 0x10000)]

PROMPTS = [
    "",
    " ",
    "!",
    "a",
    "a photo of a cat",
    "A Photo of the 2 DOGS!!",
    "it's, they're, I'll, we've, he'd, I'm, don't",
    "IT'S THEY'RE I'LL WE'VE HE'D I'M DON'T",
    "'s's's ''s '''s 'st 'rest 'llama",
    "x!y ! !! !!! hello!",
    "1234567890",
    "3.14 1,000,000 ½ ² ③ Ⅷ ⅷ १२३ ٣٤٥ 一二三",
    "snake_case kebab-case C++ C# foo@example.com https://example.com/?q=a&b=c",
    "tabs\tand\nlines\r\nand\rmore\x0bof\x0cthem",
    "\x1cfile\x1dgroup\x1erecord\x1funit",
    "a\x85b\xa0c\u1680d\u2003e\u2028f\u2029g\u202fh\u205fi\u3000j",
    "a\u180eb\u200bc\u200dd\u2060e\ufefff",
    "nul\x00 bell\x07 delete\x7f substitute\x1a",
    "\x1b[31mred\x1b[0m \x1b[ not",
]
SCRIPTS = [
    "naïve café Ærøskøbing Straße STRASSE",
    "İstanbul Iğdır ılık",
    "ΣΊΣΥΦΟΣ ΟΔΥΣΣΕΎΣ ΑΣ Σ Σ. ΑΣ'Α ᾳ ᾼ ι\u0345",
    "a\u0345b \u0345 .\u0345. 1\u0345",
    "Привет, МИР! Ёлка",
    "你好，世界。",
    "こんにちは カタカナ ｶﾀｶﾅ ﾃﾞ",
    "안녕하세요 한글",
    "\u1112\u1161\u11ab",
    "שלום עולם",
    "مرحبا بالعالم ﷺ ﻻ",
    "नमस्ते दुनिया",
    "สวัสดีชาวโลก",
    "வணக்கம்",
    "გამარჯობა",
    "Բարեւ",
    "ሰላም",
    "ᎣᏏᏲ",
    "ᚠᚢᚦ",
    "𝒜𝓁𝑔𝑒𝒷𝓇𝒶 𝔘𝔫𝔦",
    "𐐀𐐁𐐂 𐐨",
    "e\u0301 é o\u0302\u0323 ộ Å Å",
    "ﬁne ﬂow ﬀ ﬆop ſtop ŉ ǆ",
    "Ｆｕｌｌ　ｗｉｄｔｈ １２３",
    "“quotes” ‘single’ it’s ʼn «guillemets»",
    "… – — • ™ © ® € £ ¥ ° ±",
    "K Ω Å ℃ ﷼",
    "😀 😃😄 👍🏽 👩\u200d👩\u200d👧 🇫🇷 ❤️ 1️⃣ ☃ ☎️",
    "cat🐱dog🐶",
    "'ſ it'ſ <|ſtartoftext|> <|ſtartoftext",
    "\ud83d\ude00 \ud83d \ude00 a\udfffb \ude00\ud83d",
]
MARKS = [
    "<|startoftext|>",
    "<|endoftext|>",
    "<|STARTOFTEXT|>a<|EndOfText|>",
    "a<|startoftext|>b",
    "!<|endoftext|>",
    "<|endoftext|>!",
    "<|startoftext|",
    "|startoftext|>",
    "< |endoftext|>",
    "<<|endoftext|>>",
    "&lt;|endoftext|&gt;",
    "<|endoftext|><|endoftext|>'s",
    "</w>",
    "a</w>b </w> w</w>",
    "Ġhello Ċ",
    "Ã Â",
    "<pad> [CLS]",
]
ENTITIES = [
    "&amp;",
    "&amp;amp;",
    "&amp;amp;amp;",
    "&amp;amp;amp;amp;",
    "&amp;amp;amp;amp;lt;",
    "< &amp;amp;amp;amp;",
    "<b>&amp;lt;</b>",
    "&lt;b&gt;bold&lt;/b&gt;",
    "AT&T &T; &copy &copy; &notit; &NotEqualTilde;",
    "&EACUTE; &eacute; &Eacute;",
    "it&#39;s it&#x27;s it&#x2019;s",
    "&#0; &#x80; &#x85; &#xd800; &#1114112; &#x1c; &#11; &#13; &#x345; &#65",
    "&nbsp;a&NewLine;b&Tab;c",
    "&fjlig; &ngE; &bne;",
    "&",
    "&&",
    "&;",
    "&#;",
    "&#x;",
    "a & b",
    "R&D &lt; Q&A",
    "&#128512; &#x1F600;",
    "line &lt;\nline < &lt;\n&amp;lt;",
]
ENDINGS = ["'s", "'S", "'ſ", "'t", "'re", "'ve", "'m", "'ll", "'d"]
ENDINGS += ["'", "''", "!", ".", "...", " ", "\n", "0", "42"]
CODECS = ["latin-1", "cp1252", "cp1251", "cp1250", "cp1253", "cp1254", "cp1257", "mac_roman", "cp437"]
# Letters, marks and signs of living scripts come first, anything from the whole of Unicode 3.2 last.
BLOCKS = [
    *[(0x0, 0x80), (0x20, 0x7F), (0x80, 0x250), (0x250, 0x400), (0x400, 0x530), (0x590, 0x700)],
    *[(0x900, 0xE00), (0xE00, 0x1200), (0x1E00, 0x2000), (0x2000, 0x2C00), (0x3000, 0x3400)],
    *[(0x4E00, 0x9FA6), (0xAC00, 0xD7A4), (0xD800, 0xE000), (0xF900, 0x10000), (0x10000, 0x20000)],
    (0, 0x110000),
]


def known(point: int) -> bool:
    return ucd_3_2_0.category(chr(point)) not in ("Cn", "Co")


def random_characters(rng: random.Random, points: list[list[int]]) -> str:
    return "".join(map(chr, rng.choices(rng.choice(points), k=rng.randint(1, 8))))


def misread(rng: random.Random, text: str) -> str:
    for _ in range(rng.randint(1, 3)):
        text = text.encode("utf-8", "ignore").decode(rng.choice(CODECS), rng.choice(["replace", "ignore"]))
    return text


def random_texts(rng: random.Random, count: int) -> list[str]:
    points = [[point for point in range(*block) if known(point)] for block in BLOCKS]
    written = PROMPTS + SCRIPTS + MARKS + ENTITIES
    words = [word for text in written for word in text.split()]
    entities = sorted(html.entities.html5)
    recipes = [
        lambda: random_characters(rng, points),
        lambda: rng.choice(words) + rng.choice(["", " "]),
        lambda: rng.choice(ENDINGS),
        lambda: rng.choice(MARKS),
        lambda: "&" + rng.choice(entities),
        lambda: html.escape(rng.choice(words)),
        lambda: misread(rng, rng.choice(words)),
        lambda: rng.choice("aàb.'!1") * rng.randint(1, 30),
    ]
    return ["".join(rng.choice(recipes)() for _ in range(rng.randint(1, 8))) for _ in range(count)]


def edges() -> list[str]:
    """Texts of 74 to 77 ids before the two marks, and far more."""
    texts = [" ".join(["dog"] * count) for count in (74, 75, 76, 77, 500)]
    texts += ["1" * count for count in (74, 75, 76)]
    return [*texts, "<|endoftext|>" * 80, "!" * 75 + "a", "日" * 80]


def split_hash(pattern: "regex.Pattern[str]", surrounding: str, stop: int) -> str:
    points = (point for point in range(stop) if not 0x41 <= point <= 0x5A)
    words = pattern.findall("\n".join(surrounding.format(chr(point)) for point in points))
    return hashlib.sha256("\n".join(words).encode("utf-8", "surrogatepass")).hexdigest()


def mended(text: str) -> str | None:
    """Return what ftfy made of a text, None if the same; what it mends differs between its versions."""
    fixed = ftfy.fix_text(text)
    return None if fixed == text else fixed


def truncated(text: str, context_length: int) -> list[int]:
    return clip.tokenize(text, context_length, truncate=True)[0].tolist()


def main() -> None:
    reference = SimpleTokenizer()
    rng = random.Random(SEED)
    texts = PROMPTS + SCRIPTS + MARKS + ENTITIES + [misread(rng, text) for text in SCRIPTS * 3] + edges()
    texts += ["a" * 10_000, "ab" * 300, "z" * 301, "supercalifragilisticexpialidocious" * 9, "é" * 200]
    texts += random_texts(rng, 3_000)
    encoded = [[text, reference.encode(text), mended(text)] for text in dict.fromkeys(texts)]
    golden = {
        "reference": "openai/CLIP, clip.simple_tokenizer and clip.tokenize",
        "versions": {
            "python": platform.python_version(),
            "regex": regex.__version__,
            "ftfy": ftfy.__version__,
        },
        "seed": SEED,
        "encode": encoded,
        "decode": [[ids, reference.decode(ids)] for _, ids, _ in encoded[::20]],
        "tokenize": [[text, n, truncated(text, n)] for text in edges() + PROMPTS for n in (2, 8, 77)],
        "split": [[*s, split_hash(reference.pat, *s)] for s in SURROUNDINGS],
    }
    data = json.dumps(golden, separators=(",", ":")).encode("ascii")
    TARGET.parent.mkdir(parents=True, exist_ok=True)
    TARGET.write_bytes(gzip.compress(data, compresslevel=9, mtime=0))
    print(f"{TARGET}: {len(encoded)} texts, {TARGET.stat().st_size} bytes")


if __name__ == "__main__":
    main()
