"""The public class `CoCa` (Yu et al., 2022), as OpenCLIP builds it: a CLIP with a decoder of captions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from numpyclip.dual_encoder.clip import CLIP
from numpyclip.dual_encoder.validation import checked_image
from numpyclip.errors import InputError
from numpyclip.images.decode_options import MAX_PIXELS, DecodeOptions
from numpyclip.images.open import Picture, pictures
from numpyclip.model.captioning.beam import beam_search
from numpyclip.model.captioning.decoder import Decoder
from numpyclip.model.captioning.generate import Decoding, Ids, Method, random_numbers, sample
from numpyclip.model.captioning.prefixes import Prefixes
from numpyclip.model.ops import Array
from numpyclip.model.text.text_transformer import TextTransformer
from numpyclip.model.vision.vit import VisionTransformer
from numpyclip.pipeline import PictureReader, iter_embeddings
from numpyclip.runtime.chunks import in_chunks


class CoCa(CLIP):
    """A CLIP that also writes captions. Made by `numpyclip.load`.

    `encode_image` and `encode_text` do not normalize by default, while open_clip's do for CoCa.
    """

    @property
    def decoder(self) -> Decoder:
        """The decoder of captions."""
        decoder = self._decoder()
        assert decoder is not None
        return decoder

    def generate(  # noqa: PLR0913 - open_clip's names, so that its users find them
        self,
        images: Picture | Iterable[Picture],
        batch_size: int = 8,
        *,
        method: Method = Decoding.method,
        seq_len: int = Decoding.seq_len,
        max_seq_len: int = Decoding.max_seq_len,
        min_seq_len: int = Decoding.min_seq_len,
        temperature: float = Decoding.temperature,
        top_k: int = Decoding.top_k,
        top_p: float = Decoding.top_p,
        num_beams: int = Decoding.num_beams,
        num_beam_groups: int = Decoding.num_beam_groups,
        repetition_penalty: float = Decoding.repetition_penalty,
        seed: int | None = None,
        orient: bool = True,
        max_pixels: int = MAX_PIXELS,
        strict_files: bool = False,
        develop_raw: bool = False,
    ) -> list[str]:
        """Write a caption for each image.

        Parameters
        ----------
        images : image or iterable of images
            As in `embed_images`.
        batch_size : int, default=8
            Number of images whose captions are written together.
        method, seq_len, max_seq_len, min_seq_len, temperature, top_k, top_p, num_beams, num_beam_groups, \
        repetition_penalty, seed
            See `Decoding`. By default beam search, as in open_clip.
        orient, max_pixels, strict_files, develop_raw
            As in `embed_images`.

        Returns
        -------
        list of str
            In lower case, as tokenized, stripped.

        Raises
        ------
        InputError
            If an option is out of range, or captions would be longer than the model's texts.
        PictureError
            If an image cannot be read.
        """
        decoding = Decoding(
            method=method,
            seq_len=seq_len,
            max_seq_len=max_seq_len,
            min_seq_len=min_seq_len,
            temperature=temperature,
            top_k=top_k,
            top_p=top_p,
            num_beams=num_beams,
            num_beam_groups=num_beam_groups,
            repetition_penalty=repetition_penalty,
            seed=seed,
        )
        decoding = self._checked(decoding)
        randoms = random_numbers(seed)

        def write(pixels: Sequence[NDArray[np.uint8]]) -> Ids:
            return self._write(np.stack(pixels), decoding, list(islice(randoms, len(pixels))))

        options = DecodeOptions(orient, max_pixels=max_pixels, strict_files=strict_files, develop_raw=develop_raw)
        read = PictureReader(self.preprocess, options)
        records = iter_embeddings(write, pictures(images), read, batch_size=batch_size)
        return [self._words(record.embedding.tolist(), decoding) for record in records]  # ids in the embedding's place

    def generate_ids(self, image: NDArray[np.floating] | NDArray[np.uint8], decoding: Decoding | None = None) -> Ids:
        """Write captions for preprocessed images, in one batch.

        Parameters
        ----------
        image : ndarray
            As in `encode_image`.
        decoding : Decoding, optional
            By default beam search, as in open_clip.

        Returns
        -------
        ndarray of shape (n_images, n_tokens), dtype=int32
            With start-of-text and end-of-text tokens and padding, as open_clip's `generate` returns them.

        Raises
        ------
        InputError
            As `encode_image` and `generate`.
        """
        decoding = self._checked(decoding or Decoding())
        image = checked_image(image, self.preprocess)
        return self._write(image, decoding, list(islice(random_numbers(decoding.seed), len(image))))

    def _checked(self, decoding: Decoding) -> Decoding:
        """Set the padding to the model's by default; raise if captions would be too long, or ids out of range."""
        config = self.config.decoder
        assert config is not None
        if decoding.pad_id is None:
            decoding = replace(decoding, pad_id=config.pad_id)
        positions = min(self.context_length, config.context_length)
        if decoding.longest > positions:
            raise InputError(
                f"seq_len is {decoding.seq_len}; expected {positions + 1} or less, for {positions} positions."
            )
        for name in ("start_id", "end_id", "pad_id"):
            if (found := getattr(decoding, name)) >= self.vocab_size:
                raise InputError(f"{name} is {found}; expected at most {self.vocab_size - 1}, the model's last token.")
        if 2 * decoding.group_size > self.vocab_size:
            raise InputError(f"num_beams is {decoding.num_beams}; expected less, for {self.vocab_size} tokens.")
        return decoding

    def _write(self, image: NDArray[Any], decoding: Decoding, randoms: list[np.random.Generator]) -> Ids:
        tower, text, decoder = self.visual, self.text, self.decoder
        assert isinstance(tower, VisionTransformer)
        assert isinstance(text, TextTransformer)
        n, width = tower.config.described, decoder.config.width

        def describe(chunk: NDArray[Any]) -> Array:
            return tower.describe(chunk).reshape(len(chunk), -1)

        tokens = in_chunks(describe, image, tower.config.cost, width * n, self._low_memory)
        prefixes = Prefixes(text, decoder, tokens.reshape(-1, width, n), decoding.longest)
        if decoding.method == "beam_search":
            return beam_search(prefixes, len(image), decoding)
        return sample(prefixes, randoms, decoding)

    def _words(self, ids: list[int], decoding: Decoding) -> str:
        """Decode ids up to the end-of-text token, or to the padding if there is none."""
        end = ids.index(decoding.end_id) if decoding.end_id in ids else len(ids)
        if decoding.end_id not in ids:
            while end and ids[end - 1] == decoding.pad_id:
                end -= 1
        return self.tokenizer.decode(i for i in ids[:end] if i != decoding.start_id).strip()
