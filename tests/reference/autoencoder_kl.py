"""Golden values of diffusers' AutoencoderKL, tiny and random: a model folder per case and what it computes.

    python tests/reference/autoencoder_kl.py

Writes golden/autoencoder-kl/<case>/: config.json and diffusion_pytorch_model.safetensors (F16) as diffusers does, and
expected.safetensors, float32 and computed from the rounded weights: `image`, `moments`, `mean`, `logvar`, `noise`,
`sampled` (mean and noise joined), `latents`, `decoded` [N, C, H, W], and for every layer its first input and its output as
`<path>:in` and `<path>:out`. Made with PyTorch 2.13 and diffusers 0.42.
"""

from pathlib import Path

import torch
from diffusers import AutoencoderKL
from diffusers.models.attention_processor import Attention
from diffusers.models.downsampling import Downsample2D
from diffusers.models.resnet import ResnetBlock2D
from diffusers.models.upsampling import Upsample2D
from safetensors.torch import load_file, save_file

from clip_text import randomise

GOLDEN = Path(__file__).parent / "golden" / "autoencoder-kl"
LAYERS = (ResnetBlock2D, Attention, Downsample2D, Upsample2D)
FORMER = {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}


def config(*channels, **options):
    depth = len(channels)
    return dict(block_out_channels=channels, down_block_types=("DownEncoderBlock2D",) * depth, up_block_types=("UpDecoderBlock2D",) * depth, **options)


# What each case is for; sizes are [height, width] of the image.
CASES = {
    # Stable Diffusion's, under the attention's former names.
    "published": (config(8, 16, 16, layers_per_block=2, norm_num_groups=4, sample_size=32), (12, 20)),
    # Later ones: 16 latent channels, no 1×1 convolutions around them, a shift; and a size that the levels do not divide.
    "later": (config(8, 24, layers_per_block=1, norm_num_groups=8, latent_channels=16, use_quant_conv=False, use_post_quant_conv=False,
                     scaling_factor=0.3611, shift_factor=0.1159, force_upcast=False), (9, 14)),
    # No attention, and a single level.
    "plain": (config(16, layers_per_block=1, norm_num_groups=2, mid_block_add_attention=False, act_fn="swish", in_channels=1, out_channels=4), (6, 5)),
    # Activations near 1e5, past what f16 holds.
    "large": (config(8, 16, layers_per_block=1, norm_num_groups=4), (8, 12)),
}


def record(model, into):
    """Keeps every layer's first input and output."""
    def keep(path):
        def hook(module, args, output):
            into.setdefault(f"{path}:in", args[0])
            into.setdefault(f"{path}:out", output)
        return hook
    for path, module in model.named_modules():
        if isinstance(module, LAYERS):
            module.register_forward_hook(keep(path))


def use_former_names(file):
    """As files of 2022 have them; the decoder's as the 1×1 convolutions of the first ones."""
    def former(name, tensor):
        if ".attentions." not in name:
            return name, tensor
        for new, old in FORMER.items():
            name = name.replace(f".{new}.", f".{old}.")
        is_projection = tensor.ndim == 2
        return name, tensor[:, :, None, None] if is_projection and name.startswith("decoder") else tensor
    tensors = dict(former(name, tensor) for name, tensor in load_file(file).items())
    save_file(tensors, file, metadata={"format": "pt"})


@torch.no_grad()
def write(case, options, size, seed):
    torch.manual_seed(seed)
    model = randomise(AutoencoderKL(**options), seed)
    if case == "large":
        for conv in (model.encoder.conv_in, model.decoder.conv_in):
            conv.weight.data = (conv.weight.data * 3e4).half().float()
    folder = GOLDEN / case
    model.half().save_pretrained(folder)
    model = model.float()
    if case == "published":
        use_former_names(folder / "diffusion_pytorch_model.safetensors")

    batch = 2
    expected = {"image": torch.rand(batch, model.config.in_channels, *size) * 2 - 1}
    record(model, expected)
    posterior = model.encode(expected["image"]).latent_dist
    expected |= {"moments": posterior.parameters, "mean": posterior.mean, "logvar": posterior.logvar, "noise": torch.randn(posterior.mean.shape)}
    expected["sampled"] = posterior.mean + posterior.std * expected["noise"]
    expected["latents"] = torch.randn(posterior.mean.shape)
    expected["decoded"] = model.decode(expected["latents"]).sample
    save_file({name: value.contiguous().clone() for name, value in expected.items()}, folder / "expected.safetensors")
    largest = max(value.abs().max().item() for name, value in expected.items() if name.endswith(":out"))
    print(case, sum(p.numel() for p in model.parameters()), "parameters, decoded", tuple(expected["decoded"].shape), f"std {expected['decoded'].std():.3f}, largest activation {largest:.3g}")


if __name__ == "__main__":
    for seed, (case, (options, size)) in enumerate(CASES.items()):
        write(case, options, size, seed)
