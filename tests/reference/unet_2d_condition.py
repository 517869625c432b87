"""Golden values of diffusers' UNet2DConditionModel, tiny and random: a model folder per case and what it computes.

    python tests/reference/unet_2d_condition.py

Writes golden/unet-2d-condition/<case>/: config.json and diffusion_pytorch_model.safetensors (F16) as diffusers does, and
expected.safetensors, float32 and computed from the rounded weights: `sample` and `out` [N, C, H, W], `timestep` [N],
`encoder_hidden_states` [N, T, D], `timestep_cond` where the case has one, and for every layer its first input and its
output as `<path>:in` and `<path>:out`. Made with PyTorch 2.13 and diffusers 0.42.
"""

from pathlib import Path

import torch
from diffusers import UNet2DConditionModel
from diffusers.models.attention import BasicTransformerBlock
from diffusers.models.downsampling import Downsample2D
from diffusers.models.embeddings import TextTimeEmbedding, TimestepEmbedding, get_timestep_embedding
from diffusers.models.resnet import ResnetBlock2D
from diffusers.models.transformers.transformer_2d import Transformer2DModel
from diffusers.models.upsampling import Upsample2D
from safetensors.torch import save_file

from clip_text import randomise

GOLDEN = Path(__file__).parent / "golden" / "unet-2d-condition"
LAYERS = (ResnetBlock2D, Transformer2DModel, BasicTransformerBlock, Downsample2D, Upsample2D, TimestepEmbedding, TextTimeEmbedding)
BASE = dict(
    sample_size=8, block_out_channels=(16, 32), layers_per_block=1, norm_num_groups=8, cross_attention_dim=24, attention_head_dim=2,
    down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"), up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
)
CROSS = dict(down_block_types=("CrossAttnDownBlock2D",) * 2, up_block_types=("CrossAttnUpBlock2D",) * 2)

# What each case is for; sizes are [height, width] of the sample.
CASES = {
    # Stable Diffusion 1.x: one number of heads for all blocks, 1×1 convolutions around the transformers.
    "sd1": (BASE, (8, 8)),
    # 2.x: linear projections, heads per block; and lists wherever one is allowed.
    "sd2": ({**BASE, **CROSS, "use_linear_projection": True, "attention_head_dim": (2, 4), "layers_per_block": (1, 2), "transformer_layers_per_block": (2, 1)}, (8, 8)),
    # Latent consistency models: the guidance scale joins the time embedding.
    "lcm": ({**BASE, "time_cond_proj_dim": 20}, (8, 8)),
    # Inpainting: nine channels; and a size that three levels do not divide.
    "inpaint": ({
        **BASE, "in_channels": 9, "block_out_channels": (8, 16, 16), "norm_num_groups": 4, "attention_head_dim": 1,
        "down_block_types": ("CrossAttnDownBlock2D",) * 2 + ("DownBlock2D",), "up_block_types": ("UpBlock2D",) + ("CrossAttnUpBlock2D",) * 2,
    }, (7, 10)),
    # The emoji model: 16 groups, and the pooled text joins the time embedding.
    "emoji": ({
        **BASE, **CROSS, "in_channels": 8, "out_channels": 8, "norm_num_groups": 16, "attention_head_dim": (2, 4), "use_linear_projection": True,
        "addition_embed_type": "text", "addition_embed_type_num_heads": 3,
    }, (8, 8)),
    # Everything else that a config may ask for, or that it may say without effect on these blocks.
    "varied": ({
        **BASE, "resnet_time_scale_shift": "scale_shift", "downsample_padding": 0, "mid_block_scale_factor": 1.5, "center_input_sample": True,
        "flip_sin_to_cos": False, "freq_shift": 1, "norm_eps": 1e-3, "only_cross_attention": (True, False), "time_embedding_dim": 40,
        "conv_in_kernel": 5, "conv_out_kernel": 1, "upcast_attention": True, "act_fn": "swish", "dropout": 0.1,
        "resnet_out_scale_factor": 2.0, "resnet_skip_time_act": True, "cross_attention_norm": "layer_norm", "mid_block_only_cross_attention": True,
    }, (5, 6)),
    "plain-middle": ({**BASE, "mid_block_type": "UNetMidBlock2D", "attention_head_dim": 4}, (4, 8)),
    "no-middle": ({**BASE, "mid_block_type": None, "only_cross_attention": True}, (8, 4)),
}


def record(model, into):
    """Keeps every layer's first input and output."""
    def keep(path):
        def hook(module, args, kwargs, output):
            into[f"{path}:in"] = args[0] if args else kwargs["hidden_states"]
            into[f"{path}:out"] = output[0] if isinstance(output, tuple) else output
        return hook
    for path, module in model.named_modules():
        if isinstance(module, LAYERS):
            module.register_forward_hook(keep(path), with_kwargs=True)


@torch.no_grad()
def write(case, config, size, seed):
    torch.manual_seed(seed)
    model = randomise(UNet2DConditionModel(**config), seed)
    folder = GOLDEN / case
    model.half().save_pretrained(folder)
    model = model.float()

    batch = 2
    inputs = {
        "sample": torch.randn(batch, model.config.in_channels, *size),
        "timestep": torch.tensor([981.0, 7.0]),
        "encoder_hidden_states": torch.randn(batch, 5, model.config.cross_attention_dim),
    }
    expected = dict(inputs)
    if model.config.time_cond_proj_dim:
        # Guidance scales 7.5 and 1 as the LCM pipeline embeds them: scale - 1, times 1000.
        inputs["timestep_cond"] = get_timestep_embedding(torch.tensor([6.5, 0.0]) * 1000, model.config.time_cond_proj_dim)
        expected["timestep_cond"] = inputs["timestep_cond"]
    record(model, expected)
    expected["out"] = model(**inputs, added_cond_kwargs={}).sample
    save_file({name: value.contiguous().clone() for name, value in expected.items()}, folder / "expected.safetensors")
    print(case, sum(p.numel() for p in model.parameters()), "parameters, out", tuple(expected["out"].shape), f"std {expected['out'].std():.3f}")


if __name__ == "__main__":
    for seed, (case, (config, size)) in enumerate(CASES.items()):
        write(case, config, size, seed)
