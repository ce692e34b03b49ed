"""How fast the tokenizer is, compared with openai/CLIP's: warm, on 1,000 short prompts."""

import statistics
import time
from collections.abc import Callable

import clip

import numpyclip

ROUNDS = 9
WORDS = ["dog", "cat", "house", "bird", "boat", "apple", "bicycle", "mountain", "umbrella", "grandmother", "car", "sea"]
PROMPTS = {
    "ASCII": [f"a photo of a {WORDS[i % 12]} and {i} {WORDS[i // 12 % 12]}s" for i in range(1000)],
    "not ASCII": [f"ein Foto: {WORDS[i % 12]} für {i} Küchenstühle, café №{i}" for i in range(1000)],
}


def seconds(tokenize: Callable[[list[str]], object], prompts: list[str]) -> float:
    start = time.perf_counter()
    tokenize(prompts)
    return time.perf_counter() - start


def main() -> None:
    for kind, prompts in PROMPTS.items():
        times: dict[str, list[float]] = {"clip": [], "numpyclip": []}
        for round_ in range(ROUNDS + 1):
            for name, tokenize in (("clip", clip.tokenize), ("numpyclip", numpyclip.tokenize)):
                duration = seconds(tokenize, prompts)
                if round_:  # the first warms the caches up
                    times[name].append(duration)
        theirs, ours = (statistics.median(times[name]) for name in times)
        print(f"{kind}: openai/CLIP {theirs * 1e3:.1f} ms, NumPyCLIP {ours * 1e3:.1f} ms, {theirs / ours:.1f} times")


if __name__ == "__main__":
    main()
