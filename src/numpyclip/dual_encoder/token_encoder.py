"""Tokens of both towers before they are pooled: hidden states, dense features, and attention."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from numpyclip.arguments import whole_number
from numpyclip.dual_encoder.encoder import DualEncoder, present
from numpyclip.dual_encoder.validation import checked_text
from numpyclip.errors import InputError
from numpyclip.model.ops import Array
from numpyclip.model.text.tower import TextTower
from numpyclip.model.token_stages import AttentionTower, TokenStage, TokenStages
from numpyclip.model.vision.tower import VisionTower
from numpyclip.runtime.chunks import tokens_in_chunks


class TokenEncoder(DualEncoder):
    """A dual encoder that returns the tokens of its inputs, too."""

    def text_tokens(
        self, text: NDArray[np.integer], layer: int = -1, *, norm: bool | None = None, project: bool = False
    ) -> Array:
        """Compute the tokens of texts, those of padding included.

        ``text_tokens(text)`` is `last_hidden_state` of transformers, ``text_tokens(text, k, norm=False)`` is
        ``hidden_states[k]``.

        Parameters
        ----------
        text : ndarray of shape (n_texts, n_tokens), dtype=integer
            As in `encode_text`.
        layer : int, default=-1
            0 for the input of the first block, k for the output of the k-th; negative numbers count from the end.
        norm : bool, optional
            Apply the last norm of the tower; by default if `project` is true, or the layer is the last and the model
            itself applies it to all tokens, as CLIP does, and CoCa does not. BERT has none.
        project : bool, default=False
            Apply the last norm and the projection, as `encode_text` does to the pooled token.

        Returns
        -------
        ndarray of shape (n_texts, n_tokens, width or embed_dim), dtype=float32

        Raises
        ------
        InputError
            As in `encode_text`; if there is no such layer, or the tower has no norm or projection for single tokens.
        """
        text = checked_text(text, present(self.config.text, "texts"), "text_tokens")
        stage = choose_stage("text_tokens", self.text.stages, layer, norm, project)
        return self._tokens(self.text, stage, text, text.shape[1])

    def image_tokens(
        self,
        image: NDArray[np.floating] | NDArray[np.uint8],
        layer: int = -1,
        *,
        norm: bool | None = None,
        project: bool = False,
        class_token: bool = False,
        grid: bool = False,
    ) -> Array:
        """Compute the patches of images: of a convolutional tower, the pixels of a feature map.

        ``image_tokens(image, class_token=True)`` is `last_hidden_state` of transformers, and
        ``image_tokens(image, k, norm=False, class_token=True)`` is ``hidden_states[k]``.

        Parameters
        ----------
        image : ndarray of shape (n_images, 3, y, x), dtype=floating, or (n_images, y, x, 3), dtype=uint8
            As in `encode_image`.
        layer : int, default=-1
            0 for the input of the first block, k for the output of the k-th, or of the k-th stage of a convolutional
            tower; negative numbers count from the end.
        norm : bool, optional
            Apply the last norm of the tower; by default if `project` is true, or the layer is the last and the model
            itself applies it to all tokens, as SigLIP does, and CLIP, which norms its class token alone, does not.
        project : bool, default=False
            Apply the last norm and the projection, as `encode_image` does to the pooled token, so that patches can be
            compared with embeddings of texts.
        class_token : bool, default=False
            Return all tokens of the model: before the patches class token and registers, if it has any.
        grid : bool, default=False
            Return rows and columns of patches.

        Returns
        -------
        ndarray of shape (n_images, n_patches, width or embed_dim), dtype=float32
            Row by row; with `grid`, of shape (n_images, n_rows, n_columns, width or embed_dim).

        Raises
        ------
        InputError
            As in `encode_image`; if there is no such layer, or the tower has no norm or projection for single tokens.
        """
        image = self._checked_image(image, "image_tokens")
        stage = choose_stage("image_tokens", self.visual.stages, layer, norm, project)
        if class_token and grid:
            raise InputError("image_tokens: class_token is True, but it has no place in a grid. Leave one of both out.")
        stage = replace(stage, all_tokens=bool(class_token))
        tokens = self._tokens(self.visual, stage, image, self._cost(image))
        if tokens.ndim == 3 or grid:
            return tokens
        n, rows, columns, width = tokens.shape
        return tokens.reshape(n, rows * columns, width)

    def _tokens(self, tower: TextTower | VisionTower, stage: TokenStage, inputs: NDArray[Any], cost: int) -> Array:
        dim = self.config.embed_dim if stage.project else None  # as embeddings, which may be truncated
        return tokens_in_chunks(lambda rows: tower.tokens(rows, stage)[..., :dim], inputs, cost, self._low_memory)

    def text_attention(self, text: NDArray[np.integer], layer: int = -1) -> Array:
        """Compute how much each token of a text attends to each, as ``attentions[layer]`` of transformers.

        Parameters
        ----------
        text : ndarray of shape (n_texts, n_tokens), dtype=integer
            As in `encode_text`.
        layer : int, default=-1
            Index of a block: 0 for the first.

        Returns
        -------
        ndarray of shape (n_texts, n_heads, n_tokens, n_tokens), dtype=float32
            Probabilities: rows, of one token each, sum to 1. CoCa's class token comes last.

        Raises
        ------
        InputError
            As in `text_tokens`.
        """
        text = checked_text(text, present(self.config.text, "texts"), "text_attention")
        return self._attention("text_attention", self.text, layer, text, text.shape[1])

    def image_attention(self, image: NDArray[np.floating] | NDArray[np.uint8], layer: int = -1) -> Array:
        """Compute how much each token of an image attends to each, as ``attentions[layer]`` of transformers.

        Parameters
        ----------
        image : ndarray of shape (n_images, 3, y, x), dtype=floating, or (n_images, y, x, 3), dtype=uint8
            As in `encode_image`.
        layer : int, default=-1
            Index of a block: 0 for the first.

        Returns
        -------
        ndarray of shape (n_images, n_heads, n_tokens, n_tokens), dtype=float32
            Probabilities: rows, of one token each, sum to 1. The class token, if any, comes first.

        Raises
        ------
        InputError
            As in `image_tokens`; if the tower is no transformer.
        """
        image = self._checked_image(image, "image_attention")
        if not isinstance(self.visual, AttentionTower):
            raise InputError("image_attention: not available for this kind of tower.")
        return self._attention("image_attention", self.visual, layer, image, self._cost(image))

    def _attention(self, name: str, tower: AttentionTower, layer: object, inputs: NDArray[Any], cost: int) -> Array:
        index = _index_of(name, layer, len(tower.transformer.resblocks))
        return tokens_in_chunks(lambda rows: tower.attention(rows, index), inputs, cost, self._low_memory)


def choose_stage(name: str, stages: TokenStages, layer: object, norm: bool | None, project: bool) -> TokenStage:
    """Return the stage that a caller of the method `name` asks for; raise InputError if there is none."""
    number = _index_of(name, layer, stages.layers + 1)
    if project:
        _check_projection(name, stages, number, norm)
    elif norm and not stages.has_norm:
        raise InputError(f"{name}: norm is {norm}, but this tower has no norm for single tokens. Leave it out.")
    elif norm is None:
        norm = stages.has_norm and stages.norms_all and number == stages.layers
    return TokenStage(layer=number, norm=bool(norm), project=bool(project))


def _check_projection(name: str, stages: TokenStages, layer: int, norm: bool | None) -> None:
    if stages.projected_from is None:
        raise InputError(f"{name}: project is True, but this tower has no projection of single tokens. Leave it out.")
    if layer < stages.projected_from:
        raise InputError(
            f"{name}: project is True, but only the last layer can be projected. Leave it, or the layer, out."
        )
    if norm is not None and not norm:
        raise InputError(f"{name}: norm is {norm}, but a projection always follows the last norm. Leave norm out.")


def _index_of(name: str, layer: object, count: int) -> int:
    """Return an index of `count` items as a number of 0 or more, counted from the end if negative."""
    number = whole_number(layer)
    if number is None or not -count <= number < count:
        raise InputError(f"{name}: layer is {layer!r:.60}; expected an integer from {-count} to {count - 1}.")
    return number % count
