"""Golden values of torch.Generator("cpu"): words, uniforms and normals on both paths.

    python tests/reference/generators.py

Writes golden/generators.json (sequences of draws, values as hexadecimal float32 bits) and golden/generators-normals.bin
(one draw of 100,003 normals, float32). Made with PyTorch 2.13 on x86 with AVX2.
"""

import hashlib
import json
from pathlib import Path

import torch

GOLDEN = Path(__file__).parent / "golden"
SEEDS = [0, 1, 42, 2**32 - 1, 2**32, 2**63 + 12345, 2**64 - 1]
# Fewer than 16 values, odd counts that leave a spare normal, exactly 16, a tail, and few again after many.
DRAWS = [("randn", n) for n in (3, 4, 1, 15, 16, 33, 2, 48, 1)] + [("rand", 5), ("randn", 3), ("randn", 31)]


def bits(x):
    return [f"{v & 0xFFFFFFFF:08x}" for v in x.view(torch.int32).tolist()]


def sequence(seed):
    generator = torch.Generator().manual_seed(seed)
    words = torch.empty(8, dtype=torch.int64).random_(-(2**63), None, generator=generator)
    generator.manual_seed(seed)
    draws = [{"call": call, "count": n, "bits": bits(getattr(torch, call)(n, generator=generator))} for call, n in DRAWS]
    return {"seed": str(seed), "words": [f"{v & 0xFFFFFFFFFFFFFFFF:016x}" for v in words.tolist()], "draws": draws}


def main():
    GOLDEN.mkdir(exist_ok=True)
    torch.randn(100_003, generator=torch.Generator().manual_seed(1234)).numpy().tofile(GOLDEN / "generators-normals.bin")
    many = torch.randn(1_000_000, generator=torch.Generator().manual_seed(5)).numpy().tobytes()
    golden = {
        "sequences": [sequence(seed) for seed in SEEDS],
        "million": {"seed": 5, "sha256": hashlib.sha256(many).hexdigest()},
    }
    (GOLDEN / "generators.json").write_text(json.dumps(golden, indent=0) + "\n")


main()
