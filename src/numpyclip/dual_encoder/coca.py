"""CoCa (Yu et al., 2022), as OpenCLIP builds it: a CLIP whose image tokens a decoder puts into words."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from numpyclip.dual_encoder.clip import CLIP
from numpyclip.dual_encoder.validation import checked_image
from numpyclip.errors import InputError
from numpyclip.images.open import Picture, pictures
from numpyclip.model import expected_tensors as expected
from numpyclip.model.captioning.beam import beam_search
from numpyclip.model.captioning.decoder import Decoder
from numpyclip.model.captioning.generate import Decoding, Ids, Method, random_numbers, sample
from numpyclip.model.captioning.prefixes import Prefixes
from numpyclip.model.config import CLIPConfig, DecoderConfig
from numpyclip.model.text.text_transformer import TextTransformer
from numpyclip.model.vision.vit import VisionTransformer
from numpyclip.pipeline import PictureReader, iter_embeddings
from numpyclip.runtime.chunks import in_chunks
from numpyclip.runtime.lazy import Lazy
from numpyclip.runtime.weight_store import read_tower
from numpyclip.weights.checkpoint import Checkpoint


@dataclass(frozen=True, eq=False, repr=False)
class CoCa(CLIP):
    """A CLIP that also writes captions. Made by `numpyclip.load`.

    `encode_image` and `encode_text` do not normalise, as those of other models; open_clip's do so for CoCa alone.
    """

    _decoder: Lazy[Decoder]

    @classmethod
    def _expected_tensors(cls, checkpoint: Checkpoint, config: CLIPConfig) -> expected.Tensors:
        assert config.decoder is not None and config.text is not None
        yield from super()._expected_tensors(checkpoint, config)
        yield from Decoder.tensors(checkpoint, config.decoder, config.text.vocab_size)

    @classmethod
    def _own_fields(cls, checkpoint: Checkpoint, config: CLIPConfig, low_memory: bool) -> dict[str, Any]:
        read = partial(Decoder.read, config=config)
        return {"_decoder": Lazy(partial(read_tower, "decoder", read, checkpoint, low_memory))}

    @property
    def decoder(self) -> Decoder:
        """What puts images into words."""
        return self._decoder()

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
    ) -> list[str]:
        """Write a caption to each image.

        Parameters
        ----------
        images : image or iterable of images
            As in `embed_images`.
        batch_size : int, default=8
            Images whose captions are written side by side, and dropped as they come to an end.
        method, seq_len, max_seq_len, min_seq_len, temperature, top_k, top_p, num_beams, num_beam_groups, \
        repetition_penalty, seed
            How: see `Decoding`. By default beam search, as in open_clip.
        orient : bool, default=True
            As in `embed_images`.

        Returns
        -------
        list of str
            In lower case, as the model knows texts, without marks or white space around.

        Raises
        ------
        InputError
            If an option is out of range, or captions would be longer than the model's texts.
        PictureError
            If an image cannot be read.
        """
        options = Decoding(
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
        decoding = self._settled(options)
        randoms = random_numbers(seed)

        def write(pixels: Sequence[NDArray[np.uint8]]) -> Ids:
            return self._write(np.stack(pixels), decoding, list(islice(randoms, len(pixels))))

        read = PictureReader(self.preprocess, orient)
        records = iter_embeddings(write, pictures(images), read, batch_size=batch_size)
        return [self._words(record.embedding.tolist(), decoding) for record in records]  # ids in the embedding's place

    def generate_ids(self, image: NDArray[np.floating] | NDArray[np.uint8], decoding: Decoding | None = None) -> Ids:
        """Write captions to preprocessed images, all side by side.

        Parameters
        ----------
        image : ndarray
            As in `encode_image`.
        decoding : Decoding, optional
            How; by default beam search, as in open_clip.

        Returns
        -------
        ndarray of shape (n_images, n_tokens), dtype=int32
            With start-of-text and end-of-text tokens and padding, as open_clip's `generate` returns them.

        Raises
        ------
        InputError
            As `encode_image` and `generate`.
        """
        decoding = self._settled(decoding or Decoding())
        image = checked_image(image, self.preprocess)
        return self._write(image, decoding, list(islice(random_numbers(decoding.seed), len(image))))

    @property
    def _decoder_config(self) -> DecoderConfig:
        assert self.config.decoder is not None
        return self.config.decoder

    def _settled(self, decoding: Decoding) -> Decoding:
        """Add the model's padding; raise if captions would be longer than texts, or have tokens that there are not."""
        if decoding.pad_id is None:
            decoding = replace(decoding, pad_id=self._decoder_config.pad_id)
        most = min(self.context_length, self._decoder_config.context_length)
        if decoding.longest > most:
            raise InputError(f"seq_len is {decoding.seq_len}; expected {most + 1} or less, for {most} places.")
        for name in ("start_id", "end_id", "pad_id"):
            if (found := getattr(decoding, name)) >= self.vocab_size:
                raise InputError(f"{name} is {found}; expected at most {self.vocab_size - 1}, the model's last token.")
        if 2 * decoding.group_size > self.vocab_size:
            raise InputError(f"num_beams is {decoding.num_beams}; expected less, for {self.vocab_size} tokens.")
        return decoding

    def _write(self, image: NDArray[Any], decoding: Decoding, randoms: list[np.random.Generator]) -> Ids:
        tower, text = self.visual, self.text
        assert isinstance(tower, VisionTransformer)
        assert isinstance(text, TextTransformer)
        n = tower.config.described
        width = self._decoder_config.width
        described = in_chunks(
            lambda chunk: tower.describe(chunk).reshape(len(chunk), -1),
            image,
            tower.config.cost,
            width * n,
            self._low_memory,
        )
        prefixes = Prefixes(text, self.decoder, described.reshape(-1, width, n), decoding.longest)
        if decoding.method == "beam_search":
            return beam_search(prefixes, len(image), decoding)
        return sample(prefixes, randoms, decoding)

    def _words(self, ids: list[int], decoding: Decoding) -> str:
        """Decode what stands before the end-of-text token, or before padding where there is no mark."""
        end = ids.index(decoding.end_id) if decoding.end_id in ids else len(ids)
        if decoding.end_id not in ids:
            while end and ids[end - 1] == decoding.pad_id:
                end -= 1
        return self.tokenizer.decode(i for i in ids[:end] if i != decoding.start_id).strip()
