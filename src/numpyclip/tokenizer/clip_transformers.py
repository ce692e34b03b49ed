"""TEXT → IDS with CLIP's vocabulary, equal id for id to `CLIPTokenizer` of transformers."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from numpyclip.tokenizer.cleaning import compose, replace_surrogates
from numpyclip.tokenizer.clip_tokenizer import CLIPTokenizer
from numpyclip.tokenizer.pre_tokenizer import split


def cut_out(text: str, words: Iterable[str]) -> list[str]:
    """Cut a text before and after some words, anywhere in it; of two that begin at one position, the longer."""
    pattern = "|".join(map(re.escape, sorted(words, key=len, reverse=True)))
    return re.split(f"({pattern})", text) if pattern else [text]


class TransformersCLIPTokenizer(CLIPTokenizer):
    """The same vocabulary as `CLIPTokenizer` of transformers uses it, which fixes no text.

    Before it splits a text it finds some words anywhere in it, in this spelling (`exact`) or in any case
    (`in_lower_case`), which become one id each: always the special tokens, and an exclamation mark if that is the
    padding.
    """

    def __init__(self, exact: Mapping[str, int], in_lower_case: Mapping[str, int], pad_id: int) -> None:
        self._exact, self._in_lower_case, self.pad_id = dict(exact), dict(in_lower_case), pad_id
        super().__init__(f"transformers {self._exact} {self._in_lower_case} {pad_id}", clean=compose)

    @property
    def special_tokens(self) -> Mapping[str, bool]:
        """The words that become one id each, and whether they are found in any case."""
        return {**dict.fromkeys(self._exact, False), **dict.fromkeys(self._in_lower_case, True)}

    def __reduce__(self) -> tuple[object, ...]:
        return TransformersCLIPTokenizer, (self._exact, self._in_lower_case, self.pad_id)

    def _merge_word(self, word: str) -> tuple[int, ...]:
        if word in self._special_tokens:  # not in `exact`: GPT-2's pattern splits it
            start, name, end = map(super()._merge_word, (word[:2], word[2:-2], word[-2:]))
            return start + name + end
        return super()._merge_word(word)

    def _words(self, text: str, longest: int | None = None) -> Iterator[Sequence[int]]:
        for part in cut_out(replace_surrogates(text), self._exact):
            if part in self._exact:
                yield (self._exact[part],)
                continue
            for piece in cut_out(self._clean(part), self._in_lower_case):
                if piece in self._in_lower_case:
                    yield (self._in_lower_case[piece],)
                else:
                    for word in split(piece, self._special_tokens, ignore_case=False):
                        yield self._ids_of(word[:longest])
