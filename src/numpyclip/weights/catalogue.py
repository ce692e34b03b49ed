"""The models that are known by name: OpenAI's nine, and one in the package."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

_BASES = (
    "https://openaipublic.azureedge.net/clip/models",  # where openai/CLIP itself downloads from
    "https://openaipublic.blob.core.windows.net/clip/models",  # the same storage without the CDN before it
)


@dataclass(frozen=True)
class Copy:
    """A file of the Hugging Face hub with the weights of a known model, in single precision."""

    repository: str
    revision: str  # a commit, or "main" where none is known
    file: str
    sha256: str | None = None  # if it is known; else what the hub states is verified


@dataclass(frozen=True)
class KnownModel:
    """A published file of weights."""

    name: str  # as passed to `load`: "ViT-B/32"
    file: str  # "ViT-B-32.pt"
    sha256: str  # lower-case hexadecimal
    urls: tuple[str, ...]  # tried in turn
    copies: tuple[Copy, ...] = ()  # tried after them


_SHA256 = {  # in OpenAI's order
    "RN50": "afeb0e10f9e5a86da6080e35cf09123aca3b358a0c3e3b6c78a7b63bc04b6762",
    "RN101": "8fa8567bab74a42d41c5915025a8e4538c3bdbe8804a470a72f30b0d94fab599",
    "RN50x4": "7e526bd135e493cef0776de27d5f42653e6b4c8bf9e0f653bb11773263205fdd",
    "RN50x16": "52378b407f34354e150460fe41077663dd5b39c54cd0bfd2b27167a4a06ec9aa",
    "RN50x64": "be1cfb55d75a9666199fb2206c106743da0f6468c9d327f3e0d0a543a9919d9c",
    "ViT-B/32": "40d365715913c9da98579312b702a82c18be219cc2a73407c4526f58eba950af",
    "ViT-B/16": "5806e77cd80f8b59890b7e101eabd078d9fb84e6937f9e85e4ecb61988df416f",
    "ViT-L/14": "b8cca3fd41ae0c99ba7e8951adf17d267cdb84cd88be6f7c2e0eca1737a03836",
    "ViT-L/14@336px": "3035c92b350959924f9f00213499208652fc7ea050643e8b385c2dac08641f02",
}
_TIMM = "open_clip_model.safetensors"
_PICKLED = "open_clip_pytorch_model.bin"
_COPIES = {  # timm's in OpenCLIP's layout, OpenAI's own in that of transformers; as recorded in public sources
    "RN50": [
        Copy(
            "timm/resnet50_clip.openai",
            "ec3d92cf63a5f9d591f0d611b736895966c73076",
            _TIMM,
            "da0baa37fb2211eee5729ab69ed587eb10d48f5b7076ceeed01552fc3d4cb4ee",
        ),
    ],
    **{
        name: [Copy(f"timm/{repository}", "main", file) for file in (_TIMM, _PICKLED)]
        for name, repository in (
            ("RN101", "resnet101_clip.openai"),
            ("RN50x4", "resnet50x4_clip.openai"),
            ("RN50x16", "resnet50x16_clip.openai"),
            ("RN50x64", "resnet50x64_clip.openai"),
        )
    },
    "ViT-B/32": [
        Copy(
            "timm/vit_base_patch32_clip_224.openai",
            "a6f597a30f7b82c51704746581f9a4e41421e878",
            _TIMM,
            "e6d1bd7789aa45192b3bf90570a789b478bae1b74ebcce7eddd908e83a2b7c31",
        ),
        Copy(
            "openai/clip-vit-base-patch32",
            "3d74acf9a28c67741b2f4f2ea7635f0aaf6f0268",
            "pytorch_model.bin",
            "a63082132ba4f97a80bea76823f544493bffa8082296d62d71581a4feff1576f",
        ),
    ],
    "ViT-B/16": [
        Copy(
            "timm/vit_base_patch16_clip_224.openai",
            "977e3dd0ec55ab8da155f2fbeb6b5f54948b6e3d",
            _TIMM,
            "4b8699299b1e8997753c64b052ba32031449d5d853f55a039148560ee02b820f",
        ),
        Copy(
            "openai/clip-vit-base-patch16",
            "57c216476eefef5ab752ec549e440a49ae4ae5f3",
            "pytorch_model.bin",
            "ec89c7b09c749a60aae3c9cd910516f24b58214a7df060b48962d14c469cfbf0",
        ),
    ],
    "ViT-L/14": [
        Copy(
            "timm/vit_large_patch14_clip_224.openai",
            "18d0535469bb561bf468d76c1d73aa35156c922b",
            _TIMM,
            "9ce2e8a8ebfff3793d7d375ad6d3c35cb9aebf3de7ace0fc7308accab7cd207e",
        ),
        Copy(
            "openai/clip-vit-large-patch14",
            "32bd64288804d66eefd0ccbe215aa642df71cc41",
            "model.safetensors",
            "a2bf730a0c7debf160f7a6b50b3aaf3703e7e88ac73de7a314903141db026dcb",
        ),
    ],
    "ViT-L/14@336px": [
        Copy(
            "timm/vit_large_patch14_clip_336.openai",
            "81e38efc4637de5023b10e75a7f9bd1c6fa6b010",
            _TIMM,
            "fbc415c3d0d7b79faed8f5ccfb740c32b7c4f5ffe7283b851f89c6231c01a8e0",
        ),
        Copy(
            "openai/clip-vit-large-patch14-336",
            "ce19dc912ca5cd21c8a653c79e251e808ccabcd1",
            "pytorch_model.bin",
            "c6032c2e0caae3dc2d4fba35535fa6307dbb49df59c7e182b1bc4b3329b81801",
        ),
    ],
}


def _openai(name: str, sha256: str) -> KnownModel:
    file = name.replace("/", "-").replace("@", "-") + ".pt"
    urls = tuple(f"{base}/{sha256}/{file}" for base in _BASES)
    return KnownModel(name, file, sha256, urls, tuple(_COPIES[name]))


DOWNLOADABLE: Mapping[str, KnownModel] = MappingProxyType({name: _openai(name, sha) for name, sha in _SHA256.items()})

# In the package, so nothing to download.
EMBEDDED: Mapping[str, Path] = MappingProxyType({"tiny": Path(__file__).resolve().parents[1] / "data" / "tiny.npz"})


def available_models() -> list[str]:
    """Return the names that `load` knows: OpenAI's nine in their order, then those in the package."""
    return [*DOWNLOADABLE, *EMBEDDED]
