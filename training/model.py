"""The model in PyTorch, with OpenAI's names and shapes (openai/CLIP, clip/model.py), as it is trained."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from drawing import SIZE
from tokens import CONTEXT, VOCABULARY

_TEXT_LAYERS = 3


class Bottleneck(nn.Module):
    """A block of ModifiedResNet: strides are averages, the last norm begins at zero."""

    def __init__(self, inputs: int, planes: int, stride: int) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(inputs, planes, 1, bias=False), nn.BatchNorm2d(planes)
        self.conv2, self.bn2 = nn.Conv2d(planes, planes, 3, padding=1, bias=False), nn.BatchNorm2d(planes)
        self.conv3, self.bn3 = nn.Conv2d(planes, 4 * planes, 1, bias=False), nn.BatchNorm2d(4 * planes)
        self.stride, self.downsample = stride, None
        if stride > 1 or inputs != 4 * planes:
            self.downsample = nn.Sequential()
            self.downsample.add_module("-1", nn.AvgPool2d(stride))
            self.downsample.add_module("0", nn.Conv2d(inputs, 4 * planes, 1, bias=False))
            self.downsample.add_module("1", nn.BatchNorm2d(4 * planes))
        nn.init.zeros_(self.bn3.weight)

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.bn1(self.conv1(x)))
        y = F.relu(self.bn2(self.conv2(y)))
        if self.stride > 1:
            y = F.avg_pool2d(y, self.stride)
        y = self.bn3(self.conv3(y))
        return F.relu(y + (x if self.downsample is None else self.downsample(x)))


def attention(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None = None) -> Tensor:
    """Mix values, in plain operations: for so few tokens PyTorch's fused one takes twice as long."""
    scores = q @ k.transpose(-1, -2) * q.shape[-1] ** -0.5
    if mask is not None:
        scores = scores + mask
    return scores.softmax(-1).to(v.dtype) @ v


class AttentionPool(nn.Module):
    """The mean asks all places what they hold."""

    def __init__(self, side: int, width: int, heads: int, embed: int) -> None:
        super().__init__()
        self.heads = heads
        self.positional_embedding = nn.Parameter(torch.randn(side * side + 1, width) / width**0.5)
        self.q_proj, self.k_proj, self.v_proj = (nn.Linear(width, width) for _ in range(3))
        self.c_proj = nn.Linear(width, embed)
        for layer in (self.q_proj, self.k_proj, self.v_proj, self.c_proj):
            nn.init.normal_(layer.weight, std=width**-0.5)

    def forward(self, x: Tensor) -> Tensor:
        x = x.flatten(2).transpose(1, 2)
        x = torch.cat([x.mean(1, keepdim=True), x], 1) + self.positional_embedding

        def heads(t: Tensor) -> Tensor:
            return t.unflatten(2, (self.heads, -1)).transpose(1, 2)

        x = attention(heads(self.q_proj(x[:, :1])), heads(self.k_proj(x)), heads(self.v_proj(x)))
        return self.c_proj(x.transpose(1, 2).flatten(1))


class ModifiedResNet(nn.Module):
    """A stem of three convolutions, four layers, attention in the place of an average."""

    def __init__(self, layers: tuple[int, ...], embed: int, width: int) -> None:
        super().__init__()
        half = width // 2
        self.conv1, self.bn1 = nn.Conv2d(3, half, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(half)
        self.conv2, self.bn2 = nn.Conv2d(half, half, 3, padding=1, bias=False), nn.BatchNorm2d(half)
        self.conv3, self.bn3 = nn.Conv2d(half, width, 3, padding=1, bias=False), nn.BatchNorm2d(width)
        inputs = width
        for number, blocks in enumerate(layers):
            planes, layer = width * 2**number, []
            for block in range(blocks):
                layer.append(Bottleneck(inputs, planes, 2 if number and not block else 1))
                inputs = 4 * planes
            setattr(self, f"layer{number + 1}", nn.Sequential(*layer))
        self.attnpool = AttentionPool(SIZE // 32, width * 32, width * 32 // 64, embed)

    def forward(self, x: Tensor) -> Tensor:
        for number in "123":
            x = F.relu(getattr(self, f"bn{number}")(getattr(self, f"conv{number}")(x)))
        x = F.avg_pool2d(x, 2)
        return self.attnpool(self.layer4(self.layer3(self.layer2(self.layer1(x)))))


class Attention(nn.Module):
    """Causal self-attention."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.in_proj_weight = nn.Parameter(torch.randn(3 * width, width) * width**-0.5)
        self.in_proj_bias = nn.Parameter(torch.zeros(3 * width))
        self.out_proj = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        qkv = F.linear(x, self.in_proj_weight, self.in_proj_bias).unflatten(2, (3, self.heads, -1))
        q, k, v = qkv.permute(2, 0, 3, 1, 4)
        later = torch.full((x.shape[1], x.shape[1]), float("-inf")).triu(1)
        return self.out_proj(attention(q, k, v, later).transpose(1, 2).flatten(2))


class MLP(nn.Module):
    """Two layers with QuickGELU between them."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.c_fc, self.c_proj = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        x = self.c_fc(x)
        return self.c_proj(x * torch.sigmoid(1.702 * x))


class TextBlock(nn.Module):
    """A block of the text transformer, with OpenAI's initial values."""

    def __init__(self, width: int, heads: int, layers: int) -> None:
        super().__init__()
        self.ln_1, self.attn = nn.LayerNorm(width), Attention(width, heads)
        self.ln_2, self.mlp = nn.LayerNorm(width), MLP(width)
        for linear, std in (
            (self.attn.out_proj, width**-0.5 * (2 * layers) ** -0.5),
            (self.mlp.c_fc, (2 * width) ** -0.5),
            (self.mlp.c_proj, width**-0.5 * (2 * layers) ** -0.5),
        ):
            nn.init.normal_(linear.weight, std=std)
            nn.init.zeros_(linear.bias)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attn(self.ln_1(x))
        return x + self.mlp(self.ln_2(x))


class Transformer(nn.Module):
    """The blocks, under OpenAI's name for them."""

    def __init__(self, width: int, layers: int, heads: int) -> None:
        super().__init__()
        self.resblocks = nn.ModuleList([TextBlock(width, heads, layers) for _ in range(layers)])

    def forward(self, x: Tensor) -> Tensor:
        for block in self.resblocks:
            x = block(x)
        return x


class CLIP(nn.Module):
    """Two towers and a temperature."""

    def __init__(self, blocks: tuple[int, ...], width: int, embed: int = 128, text_width: int = 128) -> None:
        super().__init__()
        self.visual = ModifiedResNet(blocks, embed, width)
        self.transformer = Transformer(text_width, _TEXT_LAYERS, text_width // 64)
        self.token_embedding = nn.Embedding(VOCABULARY, text_width)
        self.positional_embedding = nn.Parameter(torch.randn(CONTEXT, text_width) * 0.01)
        self.ln_final = nn.LayerNorm(text_width)
        self.text_projection = nn.Parameter(torch.randn(text_width, embed) * text_width**-0.5)
        self.logit_scale = nn.Parameter(torch.tensor(math.log(1 / 0.07)))
        nn.init.normal_(self.token_embedding.weight, std=0.02)

    def image(self, pixels: Tensor) -> Tensor:
        """Embed normalised pictures (n, 3, 64, 64), to unit length."""
        return F.normalize(self.visual(pixels.contiguous(memory_format=torch.channels_last)).float(), dim=-1)

    def text(self, tokens: Tensor) -> Tensor:
        """Embed rows of ids, to unit length: what the end mark, which has the largest id, has gathered."""
        x = self.token_embedding(tokens) + self.positional_embedding[: tokens.shape[1]]
        x = self.ln_final(self.transformer(x))[torch.arange(len(tokens)), tokens.argmax(1)]
        return F.normalize((x @ self.text_projection).float(), dim=-1)
