"""Write the tables of speed in README.md and docs/explanations/speed.md, from benchmarks/results.

Needs nothing but Python:

    python tools/make_speed_tables.py
"""

from pathlib import Path

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results"
BEGIN, END = "<!-- speed: {}, made by tools/make_speed_tables.py -->", "<!-- end -->"

# The name of a question, and the file of its results.
QUESTIONS = (
    ("ViT-B/32, 32 images", "batch_of_images"),
    ("ViT-B/32, one image", "one_image"),
    ("ViT-B/32, 1,000 prompts", "thousand_prompts"),
    ("ViT-B/32, one short prompt", "one_prompt"),
    ("ViT-B/32, start to answer", "cold_start"),
    ("RN50, 16 images", "resnet"),
    ("ViT-L/14@336px, 4 images", "large"),
    ("SigLIP-B/16, 16 images", "siglip"),
    ("ConvNeXt-B, 16 images", "convnext"),
    ("MobileCLIP2-S0, 16 images", "mobileclip"),
)
# The heading of a column, and the contestant's name in the results.
CONTESTANTS = (
    ("NumPyCLIP", "NumPyCLIP"),
    ("openai/CLIP on PyTorch", "openai/CLIP"),
    ("ONNX Runtime", "ONNX Runtime"),
    ("OpenVINO", "OpenVINO, float32"),
    ("OpenVINO bfloat16", "OpenVINO, as it comes (bfloat16)"),
    ("NumPyCLIP with OpenVINO bfloat16", "NumPyCLIP, OpenVINO bfloat16"),
)
PAGES = (  # the folder of results, and how many questions
    (ROOT / "README.md", "avx512_bf16", 6),
    (ROOT / "docs" / "explanations" / "speed.md", "avx512_bf16", len(QUESTIONS)),
    (ROOT / "docs" / "explanations" / "speed.md", "avx2", len(QUESTIONS)),
)


def medians(folder: str, file: str) -> tuple[str, dict[str, str]]:
    """Read the unit of a question's results, and the median of each contestant."""
    lines = (RESULTS / folder / f"{file}.md").read_text("utf-8").splitlines()
    cells = [[cell.strip() for cell in line.split("|")] for line in lines if line.startswith("|")]
    return cells[0][2], {row[1].removesuffix(", with its cache"): row[2] for row in cells[2:]}


def table(folder: str, n_questions: int) -> str:
    """Write the medians of the contestants that took part, a question in each row."""
    results = [(name, *medians(folder, file)) for name, file in QUESTIONS[:n_questions]]
    contestants = [entry for entry in CONTESTANTS if any(entry[1] in found for _, _, found in results)]
    rows = [["", *(heading for heading, _ in contestants)], ["---", *["---:"] * len(contestants)]]
    for name, unit, found in results:
        rows.append([f"{name}, {unit}", *(found.get(contestant, "–") for _, contestant in contestants)])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def divide(text: str, folder: str) -> tuple[str, str, str]:
    """Divide a page at the table of a folder: what is before, in and behind it."""
    begin = BEGIN.format(folder)
    before, _, rest = text.partition(begin)
    inside, _, behind = rest.partition(END)
    return before + begin, inside.strip(), END + behind


def main() -> None:
    """Replace the tables."""
    for page, folder, n_questions in PAGES:
        before, _, behind = divide(page.read_text("utf-8"), folder)
        page.write_text("\n\n".join([before, table(folder, n_questions), behind]), "utf-8")


if __name__ == "__main__":
    main()
