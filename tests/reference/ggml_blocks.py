"""Golden values of GGML's quantised blocks: random blocks of every type, dequantised by PyPI `gguf`, times vectors.

    python tests/reference/ggml_blocks.py

Writes golden/ggml-blocks.safetensors: `x` [3, 512] float32 and for each type `<type>.blocks` [9, bytes] uint8, rows of 512
weights; `<type>.values` [9, 512] float32; `<type>.product` = x valuesᵀ, float32, computed in double precision.
Made with gguf 0.19.
"""

from pathlib import Path

import numpy as np
from gguf import GGML_QUANT_SIZES, GGMLQuantizationType
from gguf.quants import dequantize
from safetensors.numpy import save_file

ROWS, COLS = 9, 512
TYPES = ["Q8_0", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K", "IQ4_NL", "MXFP4"]
# Bytes at which a block's f16 scales lie; the rest is random.
HALVES = {"Q4_1": [0, 2], "Q5_1": [0, 2], "Q2_K": [80, 82], "Q3_K": [108], "Q4_K": [0, 2], "Q5_K": [0, 2], "Q6_K": [208]}

random = np.random.default_rng(4)
tensors = {"x": random.standard_normal((3, COLS), dtype=np.float32)}
for name in TYPES:
    kind = GGMLQuantizationType[name]
    elements, size = GGML_QUANT_SIZES[kind]
    blocks = random.integers(0, 256, (ROWS * COLS // elements, size), dtype=np.uint8)
    if name == "MXFP4":
        blocks[:, 0] = random.integers(120, 130, len(blocks))
    else:
        for at in HALVES.get(name, [0]):
            scales = random.uniform(-0.02, 0.1, len(blocks)).astype(np.float16)
            blocks[:, at : at + 2] = scales[:, None].view(np.uint8)
    rows = blocks.reshape(ROWS, -1)
    values = dequantize(rows, kind).astype(np.float32)
    tensors[f"{name}.blocks"] = rows
    tensors[f"{name}.values"] = values
    tensors[f"{name}.product"] = (tensors["x"].astype(np.float64) @ values.astype(np.float64).T).astype(np.float32)
path = Path(__file__).parent / "golden" / "ggml-blocks.safetensors"
save_file(tensors, path)
print(path.stat().st_size, "bytes")
