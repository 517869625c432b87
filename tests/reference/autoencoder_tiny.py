"""Golden values of diffusers' AutoencoderTiny, tiny and random: a model folder per case and what it computes.

    python tests/reference/autoencoder_tiny.py

Writes golden/autoencoder-tiny/<case>/: config.json and diffusion_pytorch_model.safetensors (F16) as diffusers does, and
expected.safetensors, float32 and computed from the rounded weights: `image`, `encoded`, `scaled`, `unscaled`, `latents`,
`decoded` [N, C, H, W], and the output of every module of both sequences as `encoder.layers.<i>` and `decoder.layers.<i>`.
Made with PyTorch 2.13 and diffusers 0.42.
"""

from pathlib import Path

import torch
from diffusers import AutoencoderTiny
from safetensors.torch import save_file

from clip_text import randomise

GOLDEN = Path(__file__).parent / "golden" / "autoencoder-tiny"

# What each case is for; sizes are [height, width] of the image and of the latents.
CASES = {
    # As published for Stable Diffusion, but narrow.
    "published": (dict(encoder_block_out_channels=(8,) * 4, decoder_block_out_channels=(8,) * 4), (24, 16), (3, 2)),
    # Other sizes, counts and activations; a size that the levels do not divide.
    "varied": (dict(
        encoder_block_out_channels=(8, 8), decoder_block_out_channels=(12, 12, 12), num_encoder_blocks=(2, 1), num_decoder_blocks=(1, 2, 1), act_fn="gelu",
        latent_channels=8, upsampling_scaling_factor=3, in_channels=4, latent_magnitude=2, latent_shift=0.4, scaling_factor=1.5,
    ), (9, 7), (3, 2)),
}


@torch.no_grad()
def write(case, options, image_size, latent_size, seed):
    torch.manual_seed(seed)
    model = randomise(AutoencoderTiny(**options), seed)
    folder = GOLDEN / case
    model.half().save_pretrained(folder)
    model = model.float()

    batch = 2
    expected = {"image": torch.rand(batch, model.config.in_channels, *image_size) * 2 - 1}
    for side in ("encoder", "decoder"):
        for i, module in enumerate(getattr(model, side).layers):
            module.register_forward_hook(lambda module, args, output, name=f"{side}.layers.{i}": expected.setdefault(name, output))
    expected["encoded"] = model.encode(expected["image"]).latents
    expected["scaled"] = model.scale_latents(expected["encoded"])
    expected["unscaled"] = model.unscale_latents(expected["scaled"])
    expected["latents"] = 3 * torch.randn(batch, model.config.latent_channels, *latent_size)
    expected["decoded"] = model.decode(expected["latents"]).sample
    save_file({name: value.contiguous().clone() for name, value in expected.items()}, folder / "expected.safetensors")
    print(case, sum(p.numel() for p in model.parameters()), "parameters, decoded", tuple(expected["decoded"].shape), f"std {expected['decoded'].std():.3f}")


if __name__ == "__main__":
    for seed, (case, (options, image_size, latent_size)) in enumerate(CASES.items()):
        write(case, options, image_size, latent_size, seed)
