"""Known outputs of published models: the table, and its comparison with what a small model computes."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from numpyclip.tasks import known_outputs as module
from numpyclip.tasks.known_outputs import (
    KnownImage,
    KnownOutput,
    draw_circle,
    find_published,
    known_outputs,
    models_with_outputs,
)

KINDS = {"text_embeddings", "image_embeddings", "cosines", "logits", "probabilities"}


def test_every_entry_is_whole_and_names_its_source() -> None:
    for entry in module._table():
        output = module._read(entry)
        assert output.kind in KINDS
        repository, _, rest = output.source.partition(" ")
        assert repository.count("/") == 1
        assert rest
        rows = output.texts if output.kind == "text_embeddings" else output.images
        assert output.expected.shape[0] == len(rows) > 0
        if not output.kind.endswith("embeddings"):
            assert output.expected.shape[1] == len(output.texts) > 0
        assert 0 < output.atol < 0.01
        for image in output.images:
            assert image.circle or image.url.endswith(image.file)


def test_probabilities_that_are_known_sum_to_one_but_for_siglip() -> None:
    entries = [
        entry for entry in module._table() if entry["kind"] == "probabilities" and "siglip" not in entry["model"]
    ]
    sums = [module._read(entry).expected.sum(axis=1) for entry in entries]
    np.testing.assert_allclose(np.concatenate(sums), 1, atol=1e-4)


@pytest.mark.parametrize(
    ("name", "tag", "count"),
    [
        ("ViT-B/32", None, 7),
        ("ViT-B-32", "openai", 7),
        ("hf-hub:openai/clip-vit-base-patch32", None, 7),
        ("hf-hub:timm/vit_base_patch32_clip_224.openai@main", None, 7),
        ("ViT-B-32-256", "datacomp_s34b_b86k", 1),
        ("hf-hub:google/siglip2-base-patch16-224", None, 2),
        ("ViT-B-32", "laion2b_s34b_b79k", 0),
        ("some/folder", None, 0),
    ],
)
def test_outputs_are_known_by_any_name_of_a_model(name: str, tag: str | None, count: int) -> None:
    assert len(known_outputs(name, tag)) == count


def test_every_file_is_pinned_but_one_that_is_not_public_here() -> None:
    images = {image for entry in module._table() for image in module._read(entry).images}
    assert {image.file for image in images if not image.is_pinned} == {"pokemon.jpeg"}
    assert not any(branch in image.url for image in images for branch in ("/main/CLIP", "/main/tests", "/master/"))


def test_another_file_of_the_same_name_is_absent(tmp_path: Path) -> None:
    image = KnownImage("a.png", "https://example.com/a.png", sha256="0" * 64)
    assert image.absence(tmp_path) == f"is not in {tmp_path}"
    draw_circle(8, 8).save(tmp_path / "a.png")
    assert image.absence(tmp_path) == f"the file of this name in {tmp_path} is another image"
    assert KnownImage("a.png", "https://example.com/a.png").absence(tmp_path) is None


def test_a_circle_is_drawn() -> None:
    circle = KnownImage(circle=(1024, 224)).open(Path())
    assert isinstance(circle, Image.Image)
    assert circle.size == (1024, 224)
    assert circle.getpixel((0, 0)) == (255, 0, 0)
    assert circle.getpixel((512, 112)) == (0, 0, 255)
    assert circle.getpixel((512 - 98, 112)) == (0, 128, 0)  # the border, within the radius of 112 // 8 * 7


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("ViT-B/32", ("ViT-B-32", "openai")),
        ("ViT-B-32__openai", ("ViT-B-32", "openai")),
        ("openai/clip-vit-base-patch32", ("ViT-B-32", "openai")),
        ("hf-hub:google/siglip-base-patch16-224", ("hf-hub:google/siglip-base-patch16-224", None)),
        ("google/siglip-base-patch16-224@main", ("hf-hub:google/siglip-base-patch16-224", None)),
        ("RN50", ("RN50", "openai")),  # nothing is known of it, but it was published
        ("ViT-B-32", None),  # an architecture
        ("nosuch", None),
        ("hf-hub:some/one", None),
    ],
)
def test_published_models_are_found_by_any_name(name: str, expected: tuple[str, str | None] | None) -> None:
    assert find_published(name) == expected


def test_models_of_which_something_is_known_are_found_by_their_names() -> None:
    assert all(known_outputs(*found) for name in models_with_outputs() if (found := find_published(name)))
    assert "ViT-B-32__openai" in models_with_outputs()


def test_numbers_may_differ_as_far_as_the_source_allows() -> None:
    output = KnownOutput("a/b c", "logits", ("x",), (), np.array([[10.0]], np.float32), 0.5, 0.01)
    assert output.agrees(np.array([[10.59]], np.float32))
    assert not output.agrees(np.array([[10.61]], np.float32))
    assert not output.agrees(np.array([[np.nan]], np.float32))
