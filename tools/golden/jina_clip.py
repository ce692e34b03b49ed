"""jina-clip v1 and v2 in the layout of their repositories.

Their code is not in any package. So the towers are those of the libraries that have the same architecture: timm's
EVA-02, which reads the names of tensors that jina's `eva_model.py` has, transformers' `JinaEmbeddingsV3Model`, which
reads those of the text tower of v2, and for v1 transformers' BERT with ALiBi as its mask, and a gated MLP in the place
of its own.
"""

import math
import shutil
from functools import partial
from pathlib import Path

import safetensors.torch
import timm
import torch
import transformers
from timm.models.eva import Eva, checkpoint_filter_fn
from torch import nn

from golden import jina_clip_config
from golden.common import State, images, randomize, record

_VOCABULARY, _LENGTH, _DIM = 64, 14, 32
_TASKS = ["retrieval.query", "retrieval.passage"]
_RANK, _ALPHA = 3, 6.0
_NORM = partial(nn.LayerNorm, eps=1e-6)


def save(golden: Path) -> None:
    """Save both models, and one with options that neither has, and what the libraries compute."""
    save_model(golden / "jina-clip-v1", size=32, text=JinaBert(), seed=700)
    save_model(golden / "jina-clip-v2", size=30, text=AdaptedXLMRoberta(), seed=701)
    save_model(golden / "jina-clip-options", size=16, text=JinaBert(20), seed=703)


class JinaBert(nn.Module):
    """transformers' BERT with ALiBi and GEGLU, as jinaai/jina-bert-flash-implementation describes them."""

    name = "jinaai/jina-bert-flash-implementation"
    prefix = "text_model.transformer."
    pad, dtype = 0, torch.float16

    def __init__(self, embed_dim: int = _DIM) -> None:
        super().__init__()
        config = transformers.BertConfig(
            vocab_size=_VOCABULARY,
            hidden_size=_DIM,
            num_hidden_layers=2,
            num_attention_heads=2,
            intermediate_size=24,
            attn_implementation="eager",
        )
        config.num_attention_heads = 4
        self.config = config
        self.bert = transformers.BertModel(config, add_pooling_layer=False)
        for layer in self.bert.encoder.layer:
            layer.intermediate = nn.Identity()
            layer.output = GatedOutput(config)
        self.embed_dim = embed_dim
        self.proj = None if embed_dim == _DIM else nn.Linear(_DIM, embed_dim)
        self.kwargs = {"use_flash_attn": False, "num_attention_heads": 4}

    def prepare(self) -> None:
        """Remove the positions of BERT."""
        self.bert.embeddings.position_embeddings.weight.data.zero_()

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        """Return the mean of all tokens but padding, or a projection of the first one: (b, n) -> (b, d)."""
        mask = ids != 0
        places = torch.arange(ids.shape[1])
        slopes = torch.tensor([2 ** (-8 * (head + 1) / 4) for head in range(4)]).reshape(4, 1, 1)
        bias = -slopes * (places[:, None] - places).abs()
        hidden = torch.where(mask, 0.0, -math.inf)[:, None, None, :]
        x = self.bert.embeddings(ids)
        for layer in self.bert.encoder.layer:
            x = layer(x, attention_mask=(bias + hidden).to(x.dtype))
            x = x[0] if isinstance(x, tuple) else x
        return mean(x, mask) if self.proj is None else self.proj(x[:, 0])

    def state(self) -> State:
        """Return the tensors by the names of the flash implementation."""
        state = {}
        for name, tensor in self.bert.state_dict().items():
            name = name.replace("encoder.layer.", "encoder.layers.").replace("embeddings.LayerNorm", "emb_ln")
            name = name.replace("attention.output.dense", "mixer.out_proj").replace(
                "attention.output.LayerNorm", "norm1"
            )
            name = name.replace("output.gated_layers", "mlp.gated_layers").replace("output.wo", "mlp.wo")
            name = name.replace("output.LayerNorm", "norm2")
            if "position" not in name and ".attention.self." not in name:
                state[name] = tensor
        for index, layer in enumerate(self.bert.encoder.layer):
            own = layer.attention.self
            for field in ("weight", "bias"):
                parts = [getattr(part, field) for part in (own.query, own.key, own.value)]
                state[f"encoder.layers.{index}.mixer.Wqkv.{field}"] = torch.cat(parts)
        return state

    def head_state(self) -> State:
        """Return the tensors of the projection."""
        tensors = self.proj.state_dict() if self.proj else {}
        return {f"text_model.proj.{name}": tensor for name, tensor in tensors.items()}


class GatedOutput(nn.Module):
    """A gated MLP with GELU (Shazeer, 2020), and the norm of the sum, in the place of BERT's."""

    def __init__(self, config: transformers.BertConfig) -> None:
        super().__init__()
        self.gated_layers = nn.Linear(config.hidden_size, 2 * config.intermediate_size, bias=False)
        self.wo = nn.Linear(config.intermediate_size, config.hidden_size)
        self.LayerNorm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)

    def forward(self, x: torch.Tensor, same: torch.Tensor) -> torch.Tensor:
        """Compute the MLP, add its input and apply the norm; transformers passes the input twice."""
        gate, value = self.gated_layers(x).chunk(2, dim=-1)
        return self.LayerNorm(self.wo(nn.functional.gelu(gate) * value) + same)


class AdaptedXLMRoberta(nn.Module):
    """transformers' model of jina-embeddings-v3, with the adapters of jina-clip-v2 merged into its weights."""

    name = "jinaai/jina-embeddings-v3"
    prefix = "text_model.transformer.roberta."
    pad, dtype, embed_dim = 1, torch.bfloat16, _DIM

    def __init__(self) -> None:
        super().__init__()
        config = transformers.JinaEmbeddingsV3Config(
            vocab_size=_VOCABULARY,
            hidden_size=_DIM,
            num_hidden_layers=2,
            num_attention_heads=4,
            intermediate_size=56,
            layer_norm_eps=1e-3,
            attn_implementation="eager",
        )
        self.config = config
        self.model = transformers.JinaEmbeddingsV3Model(config, add_pooling_layer=False)
        self.kwargs = {
            "load_trained_adapters": False,
            "lora_adaptations": _TASKS,
            "lora_alpha": _ALPHA,
            "lora_dropout_p": 0.0,
            "lora_main_params_trainable": False,
            "lora_rank": _RANK,
            "task_instructions": dict.fromkeys(_TASKS, "Represent: "),
            "use_flash_attn": True,
            "num_attention_heads": 4,
            "layer_norm_eps": 1e-3,
        }

    def prepare(self) -> None:
        """Draw adapters for both tasks, and merge those of queries."""
        self.original = original_names(self.model)
        self.adapters: State = {}
        generator = torch.Generator().manual_seed(702)
        merged = {}
        for name, weight in self.original.items():
            merged[name] = weight.double()
            if weight.dim() != 2:
                continue
            rows, columns = weight.shape
            shapes = ((rows, _RANK), (_RANK, columns))
            if "embeddings" not in name:
                shapes = ((_RANK, columns), (rows, _RANK))
            first, second = (
                (torch.randn((2, *shape), generator=generator) * 0.2).to(self.dtype).float() for shape in shapes
            )
            place = name.removesuffix(".weight") + ".parametrizations.weight.0.lora_"
            self.adapters |= {f"{place}A": first, f"{place}B": second}
            first, second = first[0].double(), second[0].double()
            product = first @ second if "embeddings" in name else second @ first
            merged[name] += product * (_ALPHA / _RANK)
        self.model.double()
        read_original_names(self.model, merged)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        """Return the mean of all tokens but padding: (b, n) -> (b, d)."""
        mask = ids != 1
        return mean(self.model(input_ids=ids, attention_mask=mask.long()).last_hidden_state, mask)

    def state(self) -> State:
        """Return the tensors by the names of Jina's implementation, whose adapters torch parametrizes."""
        state = dict(self.adapters)
        for name, tensor in self.original.items():
            if tensor.dim() == 2:
                name = name.removesuffix(".weight") + ".parametrizations.weight.original"
            state[name] = tensor
        return state


def original_names(model: transformers.PreTrainedModel) -> State:
    """Return the tensors as transformers saves them: by the names of the authors' code."""
    folder = Path("/tmp") / "jina-clip-original-names"
    shutil.rmtree(folder, ignore_errors=True)
    model.save_pretrained(folder)
    state = safetensors.torch.load_file(folder / "model.safetensors")
    shutil.rmtree(folder)
    return state


def read_original_names(model: transformers.PreTrainedModel, state: State) -> None:
    """Read tensors by the names of the authors' code, as transformers does, in their own precision."""
    folder = Path("/tmp") / "jina-clip-original-names"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    model.config.save_pretrained(folder)
    safetensors.torch.save_file(
        {name: tensor.contiguous() for name, tensor in state.items()}, folder / "model.safetensors"
    )
    read, facts = type(model).from_pretrained(
        folder, dtype=torch.float64, add_pooling_layer=False, output_loading_info=True, attn_implementation="eager"
    )
    assert not any(facts.values()), facts
    model.load_state_dict(read.state_dict())
    shutil.rmtree(folder)


def mean(x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Average all tokens but padding, as `MeanPooler`."""
    return (x * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)


def build_vision(size: int, embed_dim: int) -> nn.Module:
    """Build an EVA-02 of timm's, made small; or an EVA with other options, if it is to have a projection."""
    sizes = {"img_size": size, "patch_size": 8, "embed_dim": _DIM, "depth": 1, "num_heads": 4, "mlp_ratio": 2.6667}
    if embed_dim == _DIM:
        return timm.create_model("eva02_base_patch16_clip_224", num_classes=0, ref_feat_shape=(2, 2), **sizes)
    return Eva(num_classes=embed_dim, global_pool="token", init_values=0.5, norm_layer=_NORM, **sizes)


def vision_state(model: nn.Module) -> State:
    """Return the tensors by the names of jina's `eva_model.py`, from which timm reads them again."""
    pairs = [
        ("mlp.fc1_g", "mlp.w1"),
        ("mlp.fc1_x", "mlp.w2"),
        ("mlp.fc2", "mlp.w3"),
        ("mlp.norm", "mlp.ffn_ln"),
        ("attn.norm", "attn.inner_attn_ln"),
    ]
    if isinstance(model.head, nn.Linear):  # then MLPs have no gate, and are named as timm's
        pairs.clear()
    state = {}
    for name, tensor in model.state_dict().items():
        for timms, jinas in pairs:
            name = name.replace(timms, jinas)
        state[name] = tensor
    model.load_state_dict(checkpoint_filter_fn(dict(state), model))
    return {f"vision_model.{name}": tensor for name, tensor in state.items()}


def save_model(folder: Path, *, size: int, text: nn.Module, seed: int) -> None:
    """Save a folder in the layout of a repository of Jina's."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    vision = build_vision(size, text.embed_dim).eval()
    randomize(vision, seed)
    randomize(text.eval(), seed + 10)
    for tower in (vision, text):
        tower.load_state_dict({name: tensor.to(text.dtype) for name, tensor in tower.state_dict().items()})
    text.prepare()
    state = {"logit_scale": torch.tensor(3.75), **vision_state(vision)}
    state |= {f"{text.prefix}{name}": tensor for name, tensor in text.state().items()}
    if isinstance(text, JinaBert):
        state |= text.head_state()
    safetensors.torch.save_file(
        {name: tensor.to(text.dtype).contiguous() for name, tensor in state.items()}, folder / "model.safetensors"
    )
    jina_clip_config.write(folder, size, text, _TASKS if isinstance(text, AdaptedXLMRoberta) else None)
    generator = torch.Generator().manual_seed(seed)
    ids = torch.randint(3, _VOCABULARY, (5, _LENGTH), generator=generator)
    for row, length in enumerate((3, _LENGTH, 1, 3, 7)):
        ids[row, length:] = text.pad
    padded = ids.clone()
    padded[1, 4:6] = text.pad  # within a text
    image = images(size, 2)
    vision.double(), text.double()
    with torch.no_grad():
        encode_image, encode_text = vision(image.double()), text(ids)
        cosines = nn.functional.normalize(encode_image) @ nn.functional.normalize(encode_text).T
        record(
            folder,
            ("torch", "timm", "transformers"),
            image=image,
            text=ids,
            encode_image=encode_image,
            encode_text=encode_text,
            logits_per_image=torch.tensor(3.75).exp().double() * cosines,
            padded=padded,
            encode_padded=text(padded),
        )
