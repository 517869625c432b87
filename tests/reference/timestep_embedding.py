"""Golden values of diffusers' get_timestep_embedding and get_guidance_scale_embedding.

    python tests/reference/timestep_embedding.py

Writes golden/timestep-embedding.json: the timesteps, and per case its options and the table, row by row;
and the guidance scales with a table for each dim.
Made with PyTorch 2.13 and diffusers 0.42.
"""

import json
from pathlib import Path

import torch
from diffusers import StableDiffusionPipeline
from diffusers.models.embeddings import get_timestep_embedding

TIMESTEPS = [0, 1, 20.5, 499, 951, 999, 0.03125, 500.25, 6500]
CASES = [(320, True, 0), (64, False, 1), (33, True, 0), (2, False, 0), (7, False, 1)]

GUIDANCE_SCALES = [1.0, 1.1, 7.5, 8.5, 20.0]


def main():
    t = torch.tensor(TIMESTEPS, dtype=torch.float32)
    cases = []
    for dim, flip, shift in CASES:
        table = get_timestep_embedding(t, dim, flip_sin_to_cos=flip, downscale_freq_shift=shift)
        values = [float(f"{value:.9g}") for value in table.flatten().tolist()]
        cases.append({"dim": dim, "flipSinToCos": flip, "downscaleFreqShift": shift, "values": values})
    scales = torch.stack([torch.tensor(scale - 1) for scale in GUIDANCE_SCALES])
    guidance = []
    for dim in (256, 12, 7):
        table = StableDiffusionPipeline.get_guidance_scale_embedding(None, scales, embedding_dim=dim)
        guidance.append({"dim": dim, "values": [float(f"{value:.9g}") for value in table.flatten().tolist()]})
    path = Path(__file__).parent / "golden" / "timestep-embedding.json"
    path.write_text(json.dumps({"timesteps": TIMESTEPS, "cases": cases, "guidanceScales": GUIDANCE_SCALES, "guidance": guidance}) + "\n")


if __name__ == "__main__":
    main()
