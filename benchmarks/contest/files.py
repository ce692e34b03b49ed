"""Where the files of the benchmarks lie: outside the project, in `$NUMPYCLIP_BENCHMARKS`."""

import os
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
HOME = Path(os.environ.get("NUMPYCLIP_BENCHMARKS") or Path("~/.cache/numpyclip-benchmarks")).expanduser().absolute()
PYTHON = HOME / "venv" / "bin" / "python"
INPUTS = HOME / "inputs"
TOKENIZER = HOME / "models" / "tokenizer.json"


@dataclass(frozen=True)
class Checkpoint:
    """One model, with the same weights in every form that a contestant reads.

    Attributes
    ----------
    model : str
        OpenAI's name of the architecture.
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
    def open_clip(self) -> Path:
        """State dict as safetensors."""
        return self.folder / "open_clip.safetensors"

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
        return 336 if self.model.endswith("@336px") else 224
