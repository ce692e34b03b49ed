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
class KnownModel:
    """A published file of weights."""

    name: str  # as passed to `load`: "ViT-B/32"
    file: str  # "ViT-B-32.pt"
    sha256: str  # lower-case hexadecimal
    urls: tuple[str, ...]  # tried in turn


def _openai(name: str, sha256: str) -> KnownModel:
    file = name.replace("/", "-").replace("@", "-") + ".pt"
    return KnownModel(name, file, sha256, tuple(f"{base}/{sha256}/{file}" for base in _BASES))


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
DOWNLOADABLE: Mapping[str, KnownModel] = MappingProxyType({name: _openai(name, sha) for name, sha in _SHA256.items()})

# In the package, so nothing to download.
EMBEDDED: Mapping[str, Path] = MappingProxyType({"tiny": Path(__file__).resolve().parents[1] / "data" / "tiny.npz"})


def available_models() -> list[str]:
    """Return the names that `load` knows: OpenAI's nine in their order, then those in the package."""
    return [*DOWNLOADABLE, *EMBEDDED]
