"""Draw the pictures of docs/how-clip-works.md into docs/pictures: feature maps, patches, attention, similarity.

    python tools/make_walk_pictures.py

Everything in them is computed by `numpyclip.reference` with the weights of `tiny`.
"""

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

import numpyclip
from numpyclip import reference

PICTURES = Path(__file__).parents[1] / "docs" / "pictures"
ALBUM = PICTURES / "album"
INK, GREY = (32, 32, 48), (120, 120, 136)
COLOURS = np.array([(255, 255, 255), (198, 219, 239), (107, 174, 214), (33, 113, 181), (8, 48, 107)], np.float32)


def main() -> None:
    tiny = np.load(Path(numpyclip.__file__).with_name("data") / "tiny.npz")
    w = {name: array.astype(np.float32) for name, array in tiny.items()}
    _, preprocess = numpyclip.load("tiny")
    draw_maps(w, preprocess)
    draw_patches()
    draw_attention(w)
    draw_similarity(w, preprocess)


def blank(width: int, height: int) -> tuple[Image.Image, ImageDraw.ImageDraw]:
    picture = Image.new("RGB", (width, height), "white")
    return picture, ImageDraw.Draw(picture)


def font(size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.load_default(size)


def coloured(values: np.ndarray) -> Image.Image:
    """Draw numbers from 0 (white) to 1 (dark blue), one pixel each."""
    place = values.clip(0, 1) * (len(COLOURS) - 1)
    low = np.minimum(place.astype(int), len(COLOURS) - 2)
    part = (place - low)[..., np.newaxis]
    return Image.fromarray(np.uint8(COLOURS[low] * (1 - part) + COLOURS[low + 1] * part + 0.5))


def enlarged(picture: Image.Image, side: int) -> Image.Image:
    return picture.resize((side, side), Image.Resampling.NEAREST)


def turned(text: str, size: int) -> Image.Image:
    """Write a text upwards."""
    left, _, right, bottom = font(size).getbbox(text)
    label, draw = blank(right - left + 4, bottom + 4)
    draw.text((-left, 0), text, INK, font(size))
    return label.rotate(90, expand=True)


def draw_maps(w: dict[str, np.ndarray], preprocess: numpyclip.Preprocess) -> None:
    """Draw an image, and some channels of each stage of the image tower, as squares of one size."""
    drawing = Image.open(ALBUM / "umbrella.png")
    stages = dict(reference.image_stages(w, preprocess(drawing)[np.newaxis]))
    side, gap, left, count = 84, 8, 150, 8
    names = ["relu1", "layer1", "layer2", "layer3", "layer4"]
    picture, draw = blank(left + count * (side + gap), (len(names) + 1) * (side + gap) + gap)
    rows = [("image", "3 of 64 x 64", None)]
    rows += [(name, "{} of {} x {}".format(*stages[f"visual.{name}"].shape[1:]), name) for name in names]
    for row, (title, size, name) in enumerate(rows):
        y = gap + row * (side + gap)
        draw.text((12, y + 22), title, INK, font(19))
        draw.text((12, y + 46), size, GREY, font(15))
        if name is None:
            picture.paste(enlarged(drawing.convert("RGB"), side), (left, y))
            continue
        maps = stages[f"visual.{name}"][0]  # (c, H, W)
        liveliest = np.sort(np.argsort(-maps.std(axis=(1, 2)))[:count])
        for column, channel in enumerate(liveliest):
            tile = enlarged(coloured(maps[channel] / maps[channel].max()), side)
            x = left + column * (side + gap)
            picture.paste(tile, (x, y))
            draw.rectangle((x, y, x + side - 1, y + side - 1), outline=(220, 220, 228))
    picture.save(PICTURES / "walk-maps.png", optimize=True)


def draw_patches() -> None:
    """Draw an image with the grid of its patches, and the row of tokens that they become, with the class token."""
    drawing = Image.open(ALBUM / "umbrella.png").convert("RGB")
    grid, side, tile, gap = 4, 256, 44, 10
    picture, draw = blank(860, side + 24)
    picture.paste(drawing.resize((side, side), Image.Resampling.NEAREST), (12, 12))
    for i in range(grid + 1):
        at = 12 + i * side // grid
        draw.line((at, 12, at, 12 + side), GREY)
        draw.line((12, at, 12 + side, at), GREY)
    start, size = 340, drawing.width // grid
    middle = 12 + side // 2
    draw.line((282, middle, 312, middle), INK, 3)
    draw.polygon(((312, middle - 8), (312, middle + 8), (322, middle)), INK)
    for token in range(grid * grid + 1):
        x, y = start + token % 9 * (tile + gap), 70 + token // 9 * (tile + 54)
        if token == 0:
            draw.rectangle((x, y, x + tile - 1, y + tile - 1), fill=(8, 48, 107))
            draw.text((x + tile // 2, y + tile // 2), "class", "white", font(15), anchor="mm")
        else:
            row, column = divmod(token - 1, grid)
            patch = drawing.crop((column * size, row * size, (column + 1) * size, (row + 1) * size))
            picture.paste(enlarged(patch, tile), (x, y))
            draw.rectangle((x, y, x + tile - 1, y + tile - 1), outline=GREY)
        draw.text((x + tile // 2, y + tile + 14), str(token), GREY, font(15), anchor="mm")
    picture.save(PICTURES / "walk-patches.png", optimize=True)


def draw_attention(w: dict[str, np.ndarray]) -> None:
    """Draw how much each token of a text attends to each other, in the two heads of the last block."""
    text = "a house with a red roof"
    words = ["start", *text.split(), "end"]
    ids = numpyclip.tokenize(text)[:, : len(words)]
    name = reference.blocks(w, "transformer.resblocks")[-1]
    before = reference.blocks(w, "transformer.resblocks")[-2]
    x = dict(reference.text_stages(w, ids))[before]
    q, k, _ = reference.query_key_value(w, f"{name}.attn", reference.layer_norm(w, f"{name}.ln_1", x))
    mask = np.triu(np.full((len(words), len(words)), -np.inf, np.float32), 1)
    heads = reference.attention_weights(reference.split_heads(q), reference.split_heads(k), mask)[0]
    cell, left, top, space = 40, 76, 96, 60
    side = cell * len(words)
    picture, draw = blank(left + 2 * side + space + 12, top + side + 12)
    for head, weights in enumerate(heads):
        x0 = left + head * (side + space)
        draw.text((x0 + side // 2, 16), f"head {head}", INK, font(19), anchor="mm")
        for i, word in enumerate(words):
            if head == 0:
                draw.text((left - 8, top + i * cell + cell // 2), word, INK, font(17), anchor="rm")
            label = turned(word, 17)
            picture.paste(label, (x0 + i * cell + (cell - label.width) // 2, top - 6 - label.height))
            for j, weight in enumerate(weights[i, : i + 1]):
                box = (x0 + j * cell, top + i * cell, x0 + (j + 1) * cell - 1, top + (i + 1) * cell - 1)
                draw.rectangle(box, coloured(weight[np.newaxis, np.newaxis]).getpixel((0, 0)), (220, 220, 228))
                if weight >= 0.1:
                    middle = (x0 + j * cell + cell // 2, top + i * cell + cell // 2)
                    draw.text(middle, f"{100 * weight:.0f}", "white" if weight > 0.5 else INK, font(14), anchor="mm")
    picture.save(PICTURES / "walk-attention.png", optimize=True)


def draw_similarity(w: dict[str, np.ndarray], preprocess: numpyclip.Preprocess) -> None:
    """Draw the cosines of eight images and their captions."""
    names = ["airplane", "banana", "bicycle", "dog-face", "guitar", "house", "red-apple", "umbrella"]
    captions = [
        "an airplane",
        "a banana",
        "a bicycle",
        "a dog face",
        "a guitar",
        "a house",
        "a red apple",
        "an umbrella",
    ]
    drawings = [Image.open(ALBUM / f"{name}.png").convert("RGB") for name in names]
    images = reference.encode_image(w, np.stack([preprocess(drawing) for drawing in drawings]))
    cosines = reference.similarity(images, reference.encode_text(w, numpyclip.tokenize(captions)))
    cell, left, top = 64, 84, 130
    picture, draw = blank(left + cell * len(names) + 12, top + cell * len(names) + 12)
    for i, drawing in enumerate(drawings):
        picture.paste(drawing.resize((56, 56), Image.Resampling.LANCZOS), (16, top + i * cell + 4))
        label = turned(captions[i], 18)
        picture.paste(label, (left + i * cell + (cell - label.width) // 2, top - 8 - label.height))
        for j, cosine in enumerate(cosines[i]):
            shade = coloured((cosine / 0.75)[np.newaxis, np.newaxis]).getpixel((0, 0))
            box = (left + j * cell, top + i * cell, left + (j + 1) * cell - 1, top + (i + 1) * cell - 1)
            draw.rectangle(box, shade, (220, 220, 228))
            middle = (left + j * cell + cell // 2, top + i * cell + cell // 2)
            draw.text(
                middle,
                f"{cosine:.2f}".replace("-0.00", "0.00"),
                "white" if cosine > 0.4 else INK,
                font(17),
                anchor="mm",
            )
    picture.save(PICTURES / "walk-similarity.png", optimize=True)


if __name__ == "__main__":
    main()
