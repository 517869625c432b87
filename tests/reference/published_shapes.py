"""Names and shapes of published Stable Diffusion checkpoints, from their configs on torch's meta device: no weights needed.

    python tests/reference/published_shapes.py

Writes golden/published-shapes.json: per model and subfolder its `config` (config.json as published) and `tensors`, name to
shape as the published safetensors files have them. Where those files are older than the installed libraries, names are put
back to what was current then: `text_model.`, the stored position_ids, and the autoencoder's attention.
Made with PyTorch 2.13, diffusers 0.42 and transformers 5.23.
"""

import json
from pathlib import Path

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel

GOLDEN = Path(__file__).parent / "golden" / "published-shapes.json"

UNET = {
    "_class_name": "UNet2DConditionModel", "_diffusers_version": "0.6.0", "act_fn": "silu", "attention_head_dim": 8,
    "block_out_channels": [320, 640, 1280, 1280], "center_input_sample": False, "cross_attention_dim": 768,
    "down_block_types": ["CrossAttnDownBlock2D"] * 3 + ["DownBlock2D"], "downsample_padding": 1, "flip_sin_to_cos": True,
    "freq_shift": 0, "in_channels": 4, "layers_per_block": 2, "mid_block_scale_factor": 1, "norm_eps": 1e-05,
    "norm_num_groups": 32, "out_channels": 4, "sample_size": 64, "up_block_types": ["UpBlock2D"] + ["CrossAttnUpBlock2D"] * 3,
}
UNET_2 = {
    **UNET, "_diffusers_version": "0.10.0.dev0", "attention_head_dim": [5, 10, 20, 20], "cross_attention_dim": 1024,
    "dual_cross_attention": False, "num_class_embeds": None, "only_cross_attention": False, "sample_size": 96,
    "upcast_attention": True, "use_linear_projection": True,
}
# What diffusers wrote in 2023: every option there was.
LATER = {
    "addition_embed_type": None, "addition_embed_type_num_heads": 64, "addition_time_embed_dim": None, "attention_type": "default",
    "class_embed_type": None, "class_embeddings_concat": False, "conv_in_kernel": 3, "conv_out_kernel": 3, "cross_attention_norm": None,
    "dropout": 0.0, "dual_cross_attention": False, "encoder_hid_dim": None, "encoder_hid_dim_type": None,
    "mid_block_only_cross_attention": None, "mid_block_type": "UNetMidBlock2DCrossAttn", "num_attention_heads": None,
    "num_class_embeds": None, "only_cross_attention": False, "projection_class_embeddings_input_dim": None,
    "resnet_out_scale_factor": 1.0, "resnet_skip_time_act": False, "resnet_time_scale_shift": "default",
    "reverse_transformer_layers_per_block": None, "time_cond_proj_dim": None, "time_embedding_act_fn": None,
    "time_embedding_dim": None, "time_embedding_type": "positional", "timestep_post_act": None, "transformer_layers_per_block": 1,
}
CLIP = {
    "_name_or_path": "openai/clip-vit-large-patch14", "architectures": ["CLIPTextModel"], "attention_dropout": 0.0,
    "bos_token_id": 0, "dropout": 0.0, "eos_token_id": 2, "hidden_act": "quick_gelu", "hidden_size": 768, "initializer_factor": 1.0,
    "initializer_range": 0.02, "intermediate_size": 3072, "layer_norm_eps": 1e-05, "max_position_embeddings": 77,
    "model_type": "clip_text_model", "num_attention_heads": 12, "num_hidden_layers": 12, "pad_token_id": 1, "projection_dim": 768,
    "torch_dtype": "float32", "transformers_version": "4.23.0.dev0", "vocab_size": 49408,
}
CLIP_2 = {
    **CLIP, "hidden_act": "gelu", "hidden_size": 1024, "intermediate_size": 4096, "num_attention_heads": 16, "num_hidden_layers": 23,
    "projection_dim": 512, "transformers_version": "4.26.0.dev0",
}
VAE = {
    "_class_name": "AutoencoderKL", "_diffusers_version": "0.6.0", "act_fn": "silu", "block_out_channels": [128, 256, 512, 512],
    "down_block_types": ["DownEncoderBlock2D"] * 4, "in_channels": 3, "latent_channels": 4, "layers_per_block": 2,
    "norm_num_groups": 32, "out_channels": 3, "sample_size": 512, "up_block_types": ["UpDecoderBlock2D"] * 4,
}
VAE_LATER = {**VAE, "_diffusers_version": "0.22.0.dev0", "force_upcast": True, "scaling_factor": 0.18215}

OLD_ATTENTION = {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}

MODELS = {
    "runwayml/stable-diffusion-v1-5": {"unet": UNET, "text_encoder": CLIP, "vae": VAE},
    "runwayml/stable-diffusion-inpainting": {"unet": {**UNET, "in_channels": 9}, "text_encoder": CLIP, "vae": VAE},
    "stabilityai/stable-diffusion-2-1": {"unet": UNET_2, "text_encoder": CLIP_2, "vae": {**VAE, "_diffusers_version": "0.10.0.dev0", "sample_size": 768}},
    "stabilityai/sd-turbo": {
        "unet": {**UNET_2, **LATER, "_diffusers_version": "0.24.0.dev0", "sample_size": 64, "upcast_attention": None},
        "text_encoder": {**CLIP_2, "torch_dtype": "float16", "transformers_version": "4.35.2"},
        "vae": {**VAE_LATER, "_diffusers_version": "0.24.0.dev0", "sample_size": 768},
    },
    "SimianLuo/LCM_Dreamshaper_v7": {
        "unet": {**UNET, **LATER, "_diffusers_version": "0.22.0.dev0", "time_cond_proj_dim": 256, "upcast_attention": None, "use_linear_projection": False},
        "text_encoder": {**CLIP, "transformers_version": "4.34.1"},
        "vae": {**VAE_LATER, "sample_size": 768},
    },
}


def shapes(config):
    """Names and shapes of the network that a config describes, as the installed library names them."""
    with torch.device("meta"):
        if "_class_name" not in config:
            model = CLIPTextModel(CLIPTextConfig(**{key: value for key, value in config.items() if key != "architectures"}))
        else:
            cls = {"UNet2DConditionModel": UNet2DConditionModel, "AutoencoderKL": AutoencoderKL}[config["_class_name"]]
            model = cls.from_config(config)
    return {name: list(tensor.shape) for name, tensor in model.state_dict().items()}


def version(text):
    return tuple(int(part) for part in text.split(".")[:2])


def published(name, config):
    """The name that the published file has for a tensor."""
    if "_class_name" not in config:
        return f"text_model.{name}"
    if config["_class_name"] == "AutoencoderKL" and version(config["_diffusers_version"]) < (0, 13):
        for new, former in OLD_ATTENTION.items():
            name = name.replace(f".{new}.", f".{former}.")
    return name


def describe(config):
    tensors = {published(name, config): shape for name, shape in shapes(config).items()}
    if version(config.get("transformers_version", "5.0")) < (4, 31):  # later ones do not store it
        tensors["text_model.embeddings.position_ids"] = [1, config["max_position_embeddings"]]
    return {"config": config, "tensors": tensors}


golden = {model: {part: describe(config) for part, config in parts.items()} for model, parts in MODELS.items()}
GOLDEN.write_text(json.dumps(golden, separators=(",", ":")).replace('"tensors":', '\n"tensors":').replace('"config":', '\n"config":') + "\n")
for model, parts in golden.items():
    print(model, {part: len(described["tensors"]) for part, described in parts.items()})
