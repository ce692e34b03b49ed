"""Write tests/golden/learning: what scikit-learn learns, and heads of LAION's layouts saved and computed by PyTorch.

    python tools/make_golden_learning.py [--true-size]

The features are random, in a narrow cone as embeddings are. The heads have random weights; the linear one is of its
true size, that for ViT-B/32, and the MLP's layers are narrower than LAION's, whose file has 3.7 MB. `--true-size`
writes nothing, but compares NumPyCLIP with PyTorch on MLPs that are as wide.
"""

import argparse
import tempfile
from itertools import pairwise
from pathlib import Path

import numpy as np
import sklearn
import torch
from sklearn.linear_model import LogisticRegression
from torch import nn

GOLDEN = Path(__file__).parents[1] / "tests" / "golden" / "learning"
WIDTHS = (20, 12, 10, 8, 4, 1)
TRUE_WIDTHS = (768, 1024, 128, 64, 16, 1)
DROPOUT = (0.2, 0.2, 0.1)


class MLP(nn.Module):
    """Five linear layers, dropout behind the first three, named as in improved-aesthetic-predictor."""

    def __init__(self, widths: tuple[int, ...]) -> None:
        super().__init__()
        linear = [nn.Linear(*pair) for pair in pairwise(widths)]
        dropped = [layer for pair in zip(linear, map(nn.Dropout, DROPOUT), strict=False) for layer in pair]
        self.layers = nn.Sequential(*dropped, *linear[len(DROPOUT) :])

    def forward(self, x: torch.Tensor) -> torch.Tensor:  # noqa: D102
        return self.layers(x)


def save_logistic() -> None:
    random = np.random.default_rng(5)
    arrays = {"made_with": np.array(f"scikit-learn {sklearn.__version__}, seed 5")}
    for name, (n, d, k) in {"many": (120, 24, 5), "few": (24, 48, 6), "two": (40, 16, 2)}.items():
        labels = np.arange(n) % k
        centres = 2 + random.standard_normal((k, d))
        x = (centres[labels] + 1.5 * random.standard_normal((n, d))).astype(np.float32)
        new = (centres[labels] + 1.5 * random.standard_normal((n, d))).astype(np.float32)[:30]
        # the protocol of openai/CLIP's README, but carried on until the weights are exact
        model = LogisticRegression(C=0.316, max_iter=100_000, tol=1e-10).fit(x.astype(float), labels)
        arrays |= {
            f"{name} features": x,
            f"{name} labels": labels,
            f"{name} new": new,
            f"{name} coef": model.coef_,
            f"{name} intercept": model.intercept_,
            f"{name} probabilities": model.predict_proba(new.astype(float)),
        }
    np.savez_compressed(GOLDEN / "logistic.npz", **arrays)


def save_heads() -> None:
    torch.manual_seed(5)
    arrays = {"made_with": np.array(f"torch {torch.__version__}, seed 5")}
    for name, head in {"linear": nn.Linear(512, 1), "mlp": MLP(WIDTHS)}.items():
        torch.save(head.state_dict(), GOLDEN / f"aesthetic-{name}.pth")
        embeddings = torch.randn(6, 512 if name == "linear" else WIDTHS[0])
        arrays |= {f"{name} embeddings": embeddings.numpy(), f"{name} scores": scores(head, embeddings)}
    np.savez_compressed(GOLDEN / "aesthetic.npz", **arrays)


def scores(head: nn.Module, embeddings: torch.Tensor) -> np.ndarray:
    with torch.no_grad():
        unit = embeddings.double() / embeddings.double().norm(dim=-1, keepdim=True)
        return head.double().eval()(unit)[:, 0].numpy()


def compare_at_true_size() -> None:
    from numpyclip.tasks import AestheticPredictor

    for seed in range(5):
        torch.manual_seed(seed)
        head, embeddings = MLP(TRUE_WIDTHS), torch.randn(100, TRUE_WIDTHS[0])
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "sac+logos+ava1-l14-linearMSE.pth"
            torch.save(head.state_dict(), path)
            size = path.stat().st_size
            ours = AestheticPredictor.read(path)(embeddings.numpy())
        expected = scores(head, embeddings)
        print(f"seed {seed}: {size} bytes, error {np.abs(ours - expected).max() / np.abs(expected).max():.1e}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--true-size", action="store_true", help="compare only, write nothing")
    if parser.parse_args().true_size:
        compare_at_true_size()
    else:
        GOLDEN.mkdir(exist_ok=True)
        save_logistic()
        save_heads()
