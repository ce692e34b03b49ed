"""Where the files of the benchmarks are: outside the project, in `$NUMPYCLIP_BENCHMARKS`."""

import os
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
HOME = Path(os.environ.get("NUMPYCLIP_BENCHMARKS") or Path("~/.cache/numpyclip-benchmarks")).expanduser().absolute()
PYTHON = HOME / "venv" / "bin" / "python"
INPUTS = HOME / "inputs"
ANSWERS = HOME / "answers"
TOKENIZER = HOME / "models" / "tokenizer.json"
OPENAI = {"ViT-B/32": "ViT-B-32-quickgelu", "ViT-L/14@336px": "ViT-L-14-336-quickgelu", "RN50": "RN50-quickgelu"}
SIZES = {"ViT-L/14@336px": 336, "MobileCLIP2-S0": 256}  # of pictures that are not 224 pixels wide


@dataclass(frozen=True)
class Checkpoint:
    """One model, with the same weights in every form that a contestant reads.

    Attributes
    ----------
    model : str
        OpenAI's name of the architecture, or open_clip's if OpenAI has none.
    """

    model: str

    @property
    def folder(self) -> Path:
        """Where all forms of it lie."""
        return HOME / "models" / self.model.replace("/", "-").replace("@", "-")

    @property
    def openai(self) -> Path:
        """TorchScript archive, as OpenAI's."""
        return self.folder / f"{self.folder.name}.pt"

    @property
    def name_in_open_clip(self) -> str:
        """open_clip's name of the architecture."""
        return OPENAI.get(self.model, self.model)

    @property
    def open_clip(self) -> Path:
        """State dict as safetensors; beside it a config file, if OpenAI does not have the architecture."""
        return self.folder / "open_clip" / "open_clip_model.safetensors"

    @property
    def numpyclip(self) -> Path:
        """What NumPyCLIP reads of them."""
        return self.openai if self.model in OPENAI else self.open_clip.parent

    @property
    def transformers(self) -> Path:
        """Folder of `save_pretrained`."""
        return self.folder / "transformers"

    @property
    def images(self) -> Path:
        """ONNX file of the vision tower."""
        return self.folder / "images.onnx"

    @property
    def texts(self) -> Path:
        """ONNX file of the text tower."""
        return self.folder / "texts.onnx"

    @property
    def size(self) -> int:
        """Side of its pictures, in pixels."""
        return SIZES.get(self.model, 224)
