"""Make the lists of everyday words: background.txt, nouns.txt and adjectives.txt in src/numpyclip/data.

    python tools/make_words.py FOLDER        (needs the package `wordfreq`)

FOLDER holds WordNet 3.0 as it is published: data.noun, index.sense and so on; in Debian it is /usr/share/wordnet of the
packages wordnet-base and wordnet-sense-index. How often a word is used is told by wordfreq 3.1.1.

A noun is taken in its first sense, if that is a thing to be seen, and if most of its uses that were counted for WordNet
are as a noun. Of nouns that mean the same the most used one becomes a tag. Left out are words that in more than a
twentieth of their counted uses mean something offensive, or a kind of what UNFIT names, or have such a sense and were
hardly counted: "dog" stays, which is also said of people, and nobody is called a thief. words_read.txt has the rest.

background.txt: the 2,000 nouns in most use, the most used first.
nouns.txt: nouns to tag pictures with; behind each, after tabs, those that say the same with less detail: "dog",
"animal". adjectives.txt: adjectives of colour, shape, size and the like.
"""

import argparse
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from wordfreq import zipf_frequency

DATA = Path(__file__).parent.parent / "src" / "numpyclip" / "data"
_, *READ = re.split("^# .*$", (Path(__file__).parent / "words_read.txt").read_text("utf-8"), flags=re.MULTILINE)
PAIRS, UNFIT_READ, NO_TAGS = (frozenset(" ".join(part.split()).split("; ")) for part in READ)
BACKGROUND = 2000
LEAST_COUNT = 4  # of a word with an unfit sense, in WordNet's texts
LEAST_USE = 3.3  # on Zipf's scale, where 3 is once in a million words

# Files of WordNet's lexicographers: tops, act, animal, artifact, body, food, location, object, person, phenomenon,
# plant, substance. What is rather thought than seen makes a background too, but no tags.
SEEN = frozenset((4, 5, 6, 8, 13, 15, 17, 18, 19, 20, 27))
TAGGED = frozenset((3, 5, 6, 8, 13, 17, 18, 19, 20, 27))
PERSON = 18
INNOCENT = frozenset((5, 13, 20))  # animals, food and plants, which people are likened to: "shark", "turkey"

# Kinds of these are left out: first lemma and number of the sense.
UNFIT = {
    "sexual activity": 1, "reproductive organ": 1, "body waste": 1, "erogenous zone": 1, "buttocks": 1, "breast": 2,
    "unpleasant person": 1, "bad person": 1, "unfortunate": 1, "simpleton": 1, "prostitute": 1, "homosexual": 1,
    "wrongdoer": 1, "sensualist": 1, "slave": 1, "drug addict": 1, "killer": 1, "racist": 1,
    "corpse": 1, "killing": 2, "sick person": 1, "coward": 1, "enemy": 2, "fascist": 1, "pornography": 1,
}  # fmt: skip
# Of persons a picture tells what they do, and their age; not to which people, party or faith they belong, what they are
# like, or what they are to somebody else. So tags of persons are kinds of these only.
PERSONS = {
    "child": 1, "adult": 1, "baby": 1, "worker": 1, "athlete": 1, "entertainer": 1, "creator": 2, "professional": 1,
    "serviceman": 1, "traveler": 1, "player": 1, "musician": 1, "bride": 1,
}  # fmt: skip
MARKS = ("ethnic slur", "disparagement", "obscenity", "dirty word")
MARKED = re.compile(r"\b(offensive|obscene|vulgar|disparag\w*|derogatory|slurs?|contemptuous|insult\w*|abusive)\b")

# An adjective becomes a tag if its first sense is a value of one of these.
ATTRIBUTES = frozenset((
    "hue", "color", "value", "shape", "size", "temperature", "wetness", "light", "luminosity", "texture", "cleanness",
    "depth", "fullness", "integrity", "happiness", "orientation", "cubicity", "curliness", "smoothness", "width", "age",
))  # fmt: skip


@dataclass(frozen=True)
class Synset:
    """Words that mean the same."""

    key: str  # part of speech and place: n02084071
    file: int
    words: tuple[str, ...]
    pointers: tuple[tuple[str, str], ...]  # relation and key
    gloss: str

    def related(self, *relations: str) -> list[str]:
        """List the keys that it points to."""
        return [key for relation, key in self.pointers if relation in relations]


def synsets(folder: Path, name: str) -> Iterator[Synset]:
    for line in (folder / f"data.{name}").read_text("ascii").splitlines():
        if line.startswith("  "):  # the licence
            continue
        facts, _, gloss = line.partition("|")
        place, file, _, count, *rest = facts.split()
        end = 2 * int(count, 16)
        words = tuple(re.sub(r"\(.*\)", "", word).replace("_", " ") for word in rest[:end:2])
        pointers = rest[end + 1 : end + 1 + 4 * int(rest[end])]
        triples = zip(pointers[::4], pointers[1::4], pointers[2::4], strict=True)
        related = tuple((relation, kind.replace("s", "a") + to) for relation, to, kind in triples)
        yield Synset(name[0] + place, int(file), words, related, gloss)


class WordNet:
    """All synsets; the senses of a word by number; how often it was met as noun (n), verb, adjective (a), adverb.

    Words are in lower case here; in synsets they are as they are written.
    """

    def __init__(self, folder: Path) -> None:
        self.synsets = {synset.key: synset for name in ("noun", "adj") for synset in synsets(folder, name)}
        self.senses: dict[tuple[str, str], dict[int, str]] = defaultdict(dict)
        self.uses: dict[str, Counter[str]] = defaultdict(Counter)
        self.counts: Counter[tuple[str, str]] = Counter()  # of a word in a sense
        for line in (folder / "index.sense").read_text("ascii").splitlines():
            sense, place, number, count = line.split()
            word, _, rest = sense.replace("_", " ").partition("%")
            kind = " nvara"[int(rest[0])]
            self.senses[word, kind][int(number)] = kind + place
            self.uses[word][kind] += int(count)
            self.counts[word, kind + place] = int(count)

    def above(self, key: str) -> set[str]:
        """All that this synset is a kind of, itself among them."""
        found, waiting = set(), [key]
        while waiting:
            if (key := waiting.pop()) not in found:
                found.add(key)
                waiting += self.synsets[key].related("@", "@i")
        return found

    def named(self, senses: dict[str, int]) -> set[str]:
        """Find senses by word and number."""
        return {self.senses[word, "n"][number] for word, number in senses.items()}

    @cached_property
    def unfit(self) -> set[str]:
        """Words that are said often enough of something offensive or unfit."""
        marks = {key for word in MARKS for key in self.senses[word, "n"].values()}
        roots = self.named(UNFIT)
        bad = {key for mark in marks for key in self.synsets[mark].related("-u")}
        for synset in self.synsets.values():
            is_kind = synset.key[0] == "n" and self.above(synset.key) & roots
            if is_kind or MARKED.search(synset.gloss.partition('"')[0]):
                bad.add(synset.key)
        uses: Counter[str] = Counter()
        for key in bad & self.synsets.keys():
            for word in self.synsets[key].words:
                uses[word.lower()] += self.counts[word.lower(), key]
        return {word for word, count in uses.items() if 20 * count >= self.uses[word].total() - LEAST_COUNT}

    def nouns(self) -> Iterator[tuple[float, str, Synset]]:
        """Nouns of everyday use: use, word, and its first sense."""
        for (word, kind), senses in self.senses.items():
            if kind != "n" or 1 not in senses or word in UNFIT_READ:
                continue
            synset = self.synsets[senses[1]]
            if word in self.unfit and synset.file not in INNOCENT:
                continue
            use = zipf_frequency(word, "en")
            counted = self.uses[word]
            if not (re.fullmatch("[a-z]{3,}", word) and use >= LEAST_USE) and word not in PAIRS:
                continue
            if word in synset.words and (2 * counted["n"] > counted.total() or word in PAIRS):
                yield use, word, synset

    def adjectives(self) -> Iterator[str]:
        """Adjectives of everyday use for what is seen."""
        for (word, kind), senses in self.senses.items():
            if kind != "a" or 1 not in senses or word in self.unfit | UNFIT_READ:
                continue
            synset = self.synsets[senses[1]]
            near = [synset, *(self.synsets[key] for key in synset.related("&"))]
            values = {self.synsets[key].words[0] for one in near for key in one.related("=")}
            counted = self.uses[word]
            is_used = re.fullmatch("[a-z]{3,}", word) and zipf_frequency(word, "en") >= LEAST_USE
            if is_used and values & ATTRIBUTES and 2 * counted["a"] >= counted.total():
                yield word


def most_used_first(words: Iterable[tuple[float, str, Synset]]) -> list[tuple[float, str, Synset]]:
    return sorted(words, key=lambda found: (-found[0], found[1]))


def background(wordnet: WordNet) -> list[str]:
    nouns = [word for _, word, synset in most_used_first(wordnet.nouns()) if synset.file in SEEN and word not in PAIRS]
    return nouns[:BACKGROUND]


def nouns(wordnet: WordNet) -> list[str]:
    persons = wordnet.named(PERSONS)
    chosen: dict[str, str] = {}  # key of a synset: its most used word
    for _, word, synset in most_used_first(wordnet.nouns()):
        is_told = synset.file != PERSON or wordnet.above(synset.key) & persons
        if word not in NO_TAGS and synset.file in TAGGED and is_told:
            chosen.setdefault(synset.key, word)
    lines = []
    for key, word in chosen.items():
        broader = sorted(chosen[other] for other in wordnet.above(key) - {key} if other in chosen)
        lines.append("\t".join([word, *broader]))
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("wordnet", type=Path, help="the folder of WordNet 3.0")
    wordnet = WordNet(parser.parse_args().wordnet)
    tags = nouns(wordnet)
    adjectives = sorted(set(wordnet.adjectives()) - {line.partition("\t")[0] for line in tags} - NO_TAGS)
    for name, lines in (("background", background(wordnet)), ("nouns", tags), ("adjectives", adjectives)):
        (DATA / f"{name}.txt").write_text("\n".join(lines) + "\n", "utf-8")
        print(f"{name}: {len(lines)}")


if __name__ == "__main__":
    main()
