"""Write the table in docs/reference/models.md: how close NumPyCLIP comes to what the real libraries computed.

From the golden models that the tests compare, so it needs NumPyCLIP alone:

    python -m tools.make_models_page
"""

from pathlib import Path

import numpy as np
from tests.families.test_parity import NAMES, load

from numpyclip.model.ops import Array

PAGE = Path(__file__).parents[1] / "docs" / "reference" / "models.md"
BEGIN, END = "<!-- made by tools/make_models_page.py -->", "<!-- end -->"

STANDS_FOR = {
    "apple-mobileclip_b": "Apple's `mobileclip_b.pt` and `mobileclip_blt.pt`",
    "apple-mobileclip_s0": "Apple's `mobileclip_s0.pt`",
    "apple-mobileclip_s0-fused": "the same with fused branches",
    "apple-mobileclip_s1": "Apple's `mobileclip_s1.pt` and `mobileclip_s2.pt`",
    "authors-fg-clip-2": "qihoo360/fg-clip2-*, for short texts",
    "jina-clip-options": "options of jina-clip's code that v1 and v2 do not have",
    "jina-clip-v1": "jina-clip-v1: EVA-02, and a BERT with ALiBi and a gated MLP",
    "jina-clip-v2": "jina-clip-v2: EVA-02, and XLM-R with rotary embeddings and adapters",
    "nomic-embed-text-v1": "nomic-embed-text-v1 and v1.5",
    "nomic-embed-text-v1-transformers": "NomicBertModel",
    "nomic-vision": "nomic-embed-vision-v1 and v1.5",
    "mclip-bert": "M-CLIP/LABSE-Vit-L-14",
    "mclip-xlm-roberta": "M-CLIP/XLM-Roberta-Large-Vit-*",
    "open_clip-bert": "BiomedCLIP's text tower: BERT, its first token, an MLP as projection",
    "open_clip-bert-pooler": "BERT with its own pooler, without a projection",
    "open_clip-clipa": "CLIPA: mean of the patches, no first norm, text attention that is not causal",
    "open_clip-coca": "CoCa: attentional pool, class token in the text tower, decoder",
    "open_clip-coca-joined": "CoCa whose pool has one matrix for queries, keys and values",
    "open_clip-coca-patches": "CoCa whose decoder attends to the patches themselves",
    "open_clip-convnext": "ConvNeXt CLIPs",
    "open_clip-convnext-abs_attn": "ConvNeXt with attention pooling",
    "open_clip-convnext-large_mlp": "convnext_large_mlp: one more layer before the head",
    "open_clip-convnext-mlp": "ConvNeXt CLIPs with an MLP as projection (large_d)",
    "open_clip-convnext-tall": "the same, for images that are not square",
    "open_clip-fastvit": "MobileCLIP-S1, S2, MobileCLIP2-S0, S2",
    "open_clip-fastvit-five-stages": "MobileCLIP2-S3, S4",
    "open_clip-fastvit-fused": "MobileCLIP whose branches are fused (reparameterized) in the file",
    "open_clip-fastvit-rot_attn": "FastViT with attention pooling, rotary embeddings",
    "open_clip-first_token": "text tower pooled at the first token, heads that are not 64 wide",
    "open_clip-m2m100-mean": "encoder of M2M100, pooled by the mean of its tokens",
    "open_clip-mobileclip_text": "text tower of MobileCLIP: not causal, pooled at the highest id",
    "open_clip-mt5": "encoder of mT5, pooled by the mean of its tokens",
    "open_clip-mt5-first": "encoder of mT5, pooled at the first token, an MLP as projection",
    "open_clip-nllb": "nllb-clip, nllb-siglip: encoder of NLLB",
    "open_clip-quickgelu": "LAION, DataComp, DFN, MetaCLIP and others with QuickGELU; layer scale",
    "open_clip-roberta": "RoBERTa with its own pooler",
    "open_clip-siglip_text": "text tower of SigLIP: last token, tanh GELU, logit bias",
    "open_clip-wide": "a vision transformer for images that are not square",
    "open_clip-worldwide_text": "MetaCLIP worldwide: first end-of-text token; flat tensor names",
    "open_clip-xlm-roberta": "xlm-roberta-*, roberta-ViT-B-32: mean of the tokens, an MLP as projection",
    "sentence-transformers-distilbert": "sentence-transformers/clip-ViT-B-32-multilingual-v1",
    "timm-clip": "MobileCLIP2-L-14 (a CLIP tower of timm's)",
    "timm-clip_mean": "the same, pooled by the mean of its tokens",
    "timm-eva01": "EVA01-CLIP",
    "timm-eva01_mean": "EVA01, pooled by the mean of its tokens",
    "timm-eva02": "EVA02-CLIP B and L: rotary embeddings, SwiGLU, inner norms",
    "timm-eva02_enormous": "EVA02-CLIP E: post-norm",
    "timm-eva02_wide": "EVA02-CLIP for images that are not square",
    "timm-clip_quickgelu": "timm's vit_*_clip_quickgelu_*",
    "timm-gap": "vit_medium_patch16_gap",
    "timm-mci": "MobileCLIP-B, MobileCLIP2-B: a stem of convolutions",
    "timm-naflex": "SigLIP 2 NaFlex in OpenCLIP's layout",
    "timm-naflex_gap": "naflexvit_*_gap: registers, the mean of patches",
    "timm-naflex_map": "naflexvit_*_map",
    "timm-pe": "PE-Core T, S, B, L: rotary embeddings, attention pooling",
    "timm-pe_gigantic": "PE-Core bigG",
    "timm-plain_map": "timm's plain vision transformers, with attention pooling",
    "timm-registers": "DINOv2's towers with registers",
    "timm-registers_map": "registers, with attention pooling",
    "timm-siglip": "SigLIP and SigLIP 2 in OpenCLIP's layout",
    "timm-siglip_gap": "vit_*_siglip_gap_*",
    "timm-siglip_tanh": "SigLIP 2 giantopt in OpenCLIP's layout",
    "timm-vitamin": "ViTamin S, B, L, L2: convolutions, then attention with GEGLU",
    "timm-vitamin_xlarge": "ViTamin XL: no positional embeddings",
    "transformers-altclip": "AltCLIPModel",
    "transformers-chinese-clip": "ChineseCLIPModel",
    "transformers-clip": "CLIPModel, as OpenAI published it",
    "transformers-clip-gelu": "CLIPModel, as LAION published it, in shards",
    "transformers-clip-text": "CLIPTextModelWithProjection",
    "transformers-clip-text-bare": "CLIPTextModel, as in repositories of diffusers",
    "transformers-clip-vision": "CLIPVisionModelWithProjection",
    "transformers-clip-vision-bare": "CLIPVisionModel",
    "transformers-metaclip-2": "MetaCLIP 2",
    "transformers-siglip": "SiglipModel: SigLIP, and SigLIP 2 of fixed resolution",
    "transformers-siglip-text": "SiglipTextModel",
    "transformers-siglip-vision": "SiglipVisionModel",
    "transformers-siglip2": "Siglip2Model: images of any shape (NaFlex)",
}


def error(ours: Array, theirs: np.ndarray) -> str:
    """Write the largest difference over the largest value."""
    return f"{np.abs(ours - theirs).max() / np.abs(theirs).max():.0e}"


def row(name: str) -> str:
    """Write the line of one model."""
    model, golden = load(name)
    cells = [f"`{name}`", STANDS_FOR[name], str(golden["made_with"]).partition(", seed")[0].partition(", ")[2]]
    for inputs, outputs, compute in (
        ("image", "encode_image", model.encode_image),
        ("text", "encode_text", model.encode_text),
    ):
        cells.append(error(compute(golden[inputs]), golden[outputs]) if outputs in golden else "")
    return "| " + " | ".join(cells) + " |"


def main() -> None:
    """Replace the table."""
    head = "| model | stands for | written and computed by | image | text |\n|---|---|---|---|---|"
    table = "\n".join([BEGIN, head, *map(row, NAMES), END])
    before, _, rest = PAGE.read_text("utf-8").partition(BEGIN)
    PAGE.write_text(before + table + rest.partition(END)[2], "utf-8")


if __name__ == "__main__":
    main()
