"""What is published about OpenCLIP's models outside its own tables: accuracies, licenses, languages.

Each row is what the named file of the authors' repository says, in percent: zero-shot accuracy on ImageNet; recall at 1
on COCO, of images for a text and of texts for an image, or None where the file has none.
"""

BIG_VISION = "google-research/big_vision, README_siglip2.md"
MOBILECLIP = "apple/ml-mobileclip 4144bb1, results"
PE = "facebookresearch/perception_models 3e352cc, apps/pe/README.md"
VITAMIN = "Beckschen/ViTamin 24f7475, README.md"
METACLIP = "facebookresearch/MetaCLIP f47f784, README.md"
SIGLIP2 = "Tschannen et al., SigLIP 2, arXiv:2502.14786, Table 1"
OPEN_CLIP = "mlfoundations/open_clip v3.3.0, README.md"

Row = tuple[str, float, float | None, float | None]
RESULTS: dict[tuple[str, str], Row] = {
    ("ViT-B-32-SigLIP2-256", "webli"): (BIG_VISION, 74.0, 47.2, 63.7),
    ("ViT-B-16-SigLIP2", "webli"): (BIG_VISION, 78.2, 52.1, 68.9),
    ("ViT-B-16-SigLIP2-256", "webli"): (BIG_VISION, 79.1, 53.2, 69.7),
    ("ViT-B-16-SigLIP2-384", "webli"): (BIG_VISION, 80.6, 54.6, 71.4),
    ("ViT-B-16-SigLIP2-512", "webli"): (BIG_VISION, 81.2, 55.2, 71.2),
    ("ViT-L-16-SigLIP2-256", "webli"): (BIG_VISION, 82.5, 54.7, 71.5),
    ("ViT-L-16-SigLIP2-384", "webli"): (BIG_VISION, 83.1, 55.3, 71.4),
    ("ViT-L-16-SigLIP2-512", "webli"): (BIG_VISION, 83.5, 55.2, 72.1),
    ("ViT-SO400M-14-SigLIP2", "webli"): (BIG_VISION, 83.2, 55.1, 71.5),
    # a patch of 14 pixels uses 378 of the 384
    ("ViT-SO400M-14-SigLIP2-378", "webli"): (BIG_VISION, 84.1, 55.8, 71.7),
    ("ViT-SO400M-16-SigLIP2-256", "webli"): (BIG_VISION, 83.4, 55.4, 71.5),
    ("ViT-SO400M-16-SigLIP2-384", "webli"): (BIG_VISION, 84.1, 56.0, 71.2),
    ("ViT-SO400M-16-SigLIP2-512", "webli"): (BIG_VISION, 84.3, 56.0, 71.3),
    ("ViT-gopt-16-SigLIP2-256", "webli"): (BIG_VISION, 84.5, 55.7, 72.5),
    ("ViT-gopt-16-SigLIP2-384", "webli"): (BIG_VISION, 85.0, 56.1, 72.8),
    ("MobileCLIP-S1", "datacompdr"): (MOBILECLIP, 72.62, 44.02, 62.20),
    ("MobileCLIP-S2", "datacompdr"): (MOBILECLIP, 74.44, 45.37, 63.36),
    ("MobileCLIP-B", "datacompdr"): (MOBILECLIP, 76.82, 50.59, 68.84),
    ("MobileCLIP-B", "datacompdr_lt"): (MOBILECLIP, 77.22, 50.03, 68.68),
    ("MobileCLIP2-S0", "dfndr2b"): (MOBILECLIP, 71.53, 43.68, 62.68),
    ("MobileCLIP2-S2", "dfndr2b"): (MOBILECLIP, 77.24, 48.82, 66.70),
    ("MobileCLIP2-B", "dfndr2b"): (MOBILECLIP, 79.41, 49.90, 67.46),
    ("MobileCLIP2-S3", "dfndr2b"): (MOBILECLIP, 80.68, 50.92, 68.40),
    ("MobileCLIP2-L-14", "dfndr2b"): (MOBILECLIP, 81.90, 51.64, 69.04),
    ("MobileCLIP2-S4", "dfndr2b"): (MOBILECLIP, 81.85, 51.45, 69.34),
    ("PE-Core-T-16-384", "meta"): (PE, 62.1, 33.0, None),
    ("PE-Core-S-16-384", "meta"): (PE, 72.7, 42.6, None),
    ("PE-Core-B-16", "meta"): (PE, 78.4, 50.9, None),
    ("PE-Core-L-14-336", "meta"): (PE, 83.5, 57.1, None),
    ("PE-Core-bigG-14-448", "meta"): (PE, 85.4, 58.1, None),
    ("ViTamin-S", "datacomp1b"): (VITAMIN, 62.2, None, None),
    ("ViTamin-S-LTT", "datacomp1b"): (VITAMIN, 63.4, None, None),
    ("ViTamin-B", "datacomp1b"): (VITAMIN, 68.9, None, None),
    ("ViTamin-B-LTT", "datacomp1b"): (VITAMIN, 70.8, None, None),
    ("ViTamin-L", "datacomp1b"): (VITAMIN, 80.8, None, None),
    ("ViTamin-L-256", "datacomp1b"): (VITAMIN, 81.2, None, None),
    ("ViTamin-L-336", "datacomp1b"): (VITAMIN, 81.6, None, None),
    ("ViTamin-L-384", "datacomp1b"): (VITAMIN, 81.8, None, None),
    ("ViTamin-L2", "datacomp1b"): (VITAMIN, 80.9, None, None),
    ("ViTamin-L2-256", "datacomp1b"): (VITAMIN, 81.5, None, None),
    ("ViTamin-L2-336", "datacomp1b"): (VITAMIN, 81.8, None, None),
    ("ViTamin-L2-384", "datacomp1b"): (VITAMIN, 82.1, None, None),
    ("ViTamin-XL-256", "datacomp1b"): (VITAMIN, 82.3, None, None),
    ("ViTamin-XL-336", "datacomp1b"): (VITAMIN, 82.7, None, None),
    ("ViTamin-XL-384", "datacomp1b"): (VITAMIN, 82.9, None, None),
    ("ViT-bigG-14", "metaclip_fullcc"): (METACLIP, 82.1, None, None),
    ("ViT-H-14", "metaclip_altogether"): (METACLIP, 82.0, None, None),
    ("ViT-SO400M-16-SigLIP-i18n-256", "webli"): (SIGLIP2, 80.8, 49.4, 68.6),
    ("ViT-L-14", "dfn2b_s39b"): (OPEN_CLIP, 82.2, None, None),
}

# Where OpenCLIP names no size, and it is not four bytes for each parameter: of the files that `load` takes.
MEGABYTES = {
    ("RN50", "openai"): 256,
    ("RN101", "openai"): 292,
    ("RN50x4", "openai"): 422,
    ("RN50x16", "openai"): 661,
    ("RN50x64", "openai"): 1354,
    ("ViT-B-32", "openai"): 354,
    ("ViT-B-16", "openai"): 351,
    ("ViT-L-14", "openai"): 933,
    ("ViT-L-14-336", "openai"): 934,
}

# Recall at 1 of images for a text on Crossmodal-3600, the mean of 36 languages: Table 1 of the paper on SigLIP 2.
XM3600 = {
    "ViT-B-32-SigLIP2-256": 38.3,
    "ViT-B-16-SigLIP2": 40.3,
    "ViT-B-16-SigLIP2-256": 40.7,
    "ViT-B-16-SigLIP2-384": 41.2,
    "ViT-B-16-SigLIP2-512": 41.4,
    "ViT-L-16-SigLIP2-256": 46.5,
    "ViT-L-16-SigLIP2-384": 47.1,
    "ViT-L-16-SigLIP2-512": 47.4,
    "ViT-SO400M-14-SigLIP2": 47.9,
    "ViT-SO400M-14-SigLIP2-378": 48.4,
    "ViT-SO400M-16-SigLIP2-256": 48.1,
    "ViT-SO400M-16-SigLIP2-384": 48.3,
    "ViT-SO400M-16-SigLIP2-512": 48.3,
    "ViT-SO400M-16-SigLIP-i18n-256": 50.0,
    "ViT-gopt-16-SigLIP2-256": 48.2,
    "ViT-gopt-16-SigLIP2-384": 48.6,
}

RESEARCH_ONLY = "Apple, research only"


def licence(name: str, tag: str, hub: str) -> str | None:
    """Return the licence of weights; None if no source names one.

    MIT: openai/CLIP and open_clip (LICENSE, for the weights of their releases), baaivision/EVA, LAION's repositories
    and ViTamin's on the hub ("License: mit"). Apache-2.0: big_vision, UCSC-VLAA/CLIPA, perception_models. CC-BY-NC:
    MetaCLIP (LICENSE), NLLB-CLIP (docs/PRETRAINED.md of open_clip). Apple: LICENSE_MODELS of ml-mobileclip, and
    apple-amlr on the hub, of DFN's repositories too, are for "non-commercial scientific research" alone.
    """
    if name.startswith("MobileCLIP") or tag.startswith("dfn"):
        return RESEARCH_ONLY
    if "metaclip" in tag or name.startswith("nllb-clip"):
        return "CC-BY-NC"
    if "SigLIP" in name or "CLIPA" in name or name.startswith("PE-Core"):
        return "Apache-2.0"
    is_mit = tag in ("openai", "yfcc15m", "cc12m") or tag.startswith("laion") or hub.startswith("laion/")
    return "MIT" if is_mit or name.startswith(("EVA", "ViTamin")) else None


def is_multilingual(name: str) -> bool:
    """Tell by its name whether a model was trained with texts of many languages, as its authors say."""
    return name.startswith(("nllb-", "xlm-roberta-")) or any(word in name for word in ("i18n", "SigLIP2", "worldwide"))
