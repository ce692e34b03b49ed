"""What other models are called, by names of their tensors as their libraries write them."""

import pytest

from numpyclip.families.other_models import likeness


@pytest.mark.parametrize(
    ("names", "kind"),
    [
        ("conv1.weight bn1.weight layer1.0.conv1.weight fc.weight", "a ResNet classifier"),
        ("backbone.layer1.0.conv1.weight backbone.fc.bias", "a ResNet classifier"),
        ("lm_head.weight model.layers.0.self_attn.q_proj.weight model.embed_tokens.weight", "a language model"),
        ("wte.weight wpe.weight h.0.attn.c_attn.weight", "a language model"),
        ("layers.0.attention.wq.weight tok_embeddings.weight", "a language model"),
        ("model.diffusion_model.input_blocks.0.0.weight cond_stage_model.x", "a whole Stable Diffusion"),
        ("conv_in.weight time_embedding.linear_1.weight down_blocks.0.x up_blocks.1.y", "Stable Diffusion's UNet"),
        ("encoder.down_blocks.0.x decoder.up_blocks.0.x quant_conv.weight", "an autoencoder of images"),
        ("encoder.down.0.block.0.x decoder.up.0.x", "an autoencoder of images"),
        ("double_blocks.0.img_attn.qkv.weight single_blocks.0.x", "a diffusion transformer"),
        ("unet.down_blocks.0.attentions.0.to_k.lora_A.weight", "LoRA weights"),
        ("lora_unet_down_blocks_0_attentions_0.lora_down.weight", "LoRA weights"),
        ("lycoris_text_model_encoder_layers_0_mlp_fc1.hada_w1_a x.hada_w1_b", "LoRA weights"),
        ("text_model_encoder_layers_0_mlp_fc1.lokr_w1 x.lokr_w2", "LoRA weights"),
        ("0.exp_avg 0.exp_avg_sq", "the state of an optimizer"),
        ("_flat_param", "weights flattened by FSDP"),
        ("cls_token mask_token register_tokens blocks.0.norm1.weight", "a DINO"),
        ("teacher.cls_token teacher.blocks.0.norm1.weight dino_head.mlp.0.weight", "a DINO"),
        ("cls_token pos_embed blocks.0.norm1.weight head.weight", "a vision transformer that is not a CLIP"),
        (
            "class_token conv_proj.weight encoder.layers.encoder_layer_0.ln_1.weight",
            "a vision transformer that is not a CLIP",
        ),
        ("cls_token mask_token decoder_blocks.0.x blocks.0.x", "a masked autoencoder"),
        ("model.0.conv.weight model.22.dfl.conv.weight", "a YOLO detector"),
        ("model.model.0.conv.weight model.model.2.cv1.conv.weight", "a YOLO detector"),
        ("image_encoder.patch_embed.x mask_decoder.x prompt_encoder.x", "Segment Anything"),
        ("bert.embeddings.word_embeddings.weight", "a text encoder such as BERT"),
        ("encoder.block.0.layer.0.SelfAttention.q.weight shared.weight", "T5"),
        ("visual_encoder.blocks.0.x text_decoder.x", "BLIP"),
        ("model.vision_tower.x lm_head.weight", "a vision-language model"),
        ("embeddings.patch_embedding.weight embeddings.position_embedding.weight encoder.x", "a tower of CLIP in the"),
        ("embeddings.token_embedding.weight embeddings.position_embedding.weight encoder.x", "a tower of CLIP in the"),
        ("owlvit.visual_projection.weight", "OWL-ViT"),
        ("visual.blocks.0.attn.q_bias text.x", "EVA-CLIP"),
        ("features.0.0.weight classifier.1.weight", "a convolutional classifier"),
        ("layers.0.blocks.0.attn.relative_position_bias_table head.weight", "a Swin transformer"),
    ],
)
def test_a_kind_is_known_by_its_names(names: str, kind: str) -> None:
    found = likeness(names.split())
    assert found is not None and found.startswith(kind)


@pytest.mark.parametrize("names", ["", "a", "visual.proj text_projection", "a\nb"])
def test_others_are_not(names: str) -> None:
    assert likeness([names]) is None


def test_names_without_end_take_no_time() -> None:
    assert likeness(f"{'a.' * 100}{index}" for index in range(2**15)) is None
