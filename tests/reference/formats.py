"""Golden files of formats/: what torch makes of every bit pattern of the small floats, and pictures as Pillow writes them.
Run: python tests/reference/formats.py"""
import hashlib
from pathlib import Path

import numpy as np
import torch
from PIL import Image, PngImagePlugin
from safetensors.torch import save_file

GOLDEN = Path(__file__).parent / "golden" / "formats"
FLOAT8 = {"F8_E4M3": torch.float8_e4m3fn, "F8_E5M2": torch.float8_e5m2, "F8_E4M3FNUZ": torch.float8_e4m3fnuz,
          "F8_E5M2FNUZ": torch.float8_e5m2fnuz, "F8_E8M0": torch.float8_e8m0fnu}


def digest(values: torch.Tensor) -> str:
    """SHA-256 of little-endian f32, every NaN written as 0x7fc00000."""
    bits = values.numpy().view(np.uint32).copy()
    bits[np.isnan(values.numpy())] = 0x7FC00000
    return hashlib.sha256(bits.astype("<u4").tobytes()).hexdigest()


def dtypes() -> None:
    patterns = torch.arange(256, dtype=torch.uint8)
    words = torch.arange(65536, dtype=torch.int32).to(torch.uint16)
    tensors, metadata = {}, {"torch": torch.__version__}
    for name, dtype in FLOAT8.items():
        if dtype != torch.float8_e8m0fnu:
            tensors[f"{name}.stored"] = patterns.clone().view(dtype)
        tensors[f"{name}.f32"] = patterns.view(dtype).float()
    for name, dtype in {"F16": torch.float16, "BF16": torch.bfloat16}.items():
        metadata[f"{name}.sha256"] = digest(words.view(dtype).float())
    for name, dtype in {"F64": torch.float64, "I64": torch.int64, "I32": torch.int32, "I16": torch.int16, "I8": torch.int8,
                        "U8": torch.uint8, "U16": torch.uint16, "U32": torch.uint32, "U64": torch.uint64, "BOOL": torch.bool, "BF16": torch.bfloat16, "F16": torch.float16}.items():
        values = torch.tensor([0, 1, 100, 3, 7, 31] if name != "BOOL" else [0, 1, 0, 0, 1, 1])
        tensors[f"{name}.stored"] = values.to(dtype).reshape(2, 3)
        tensors[f"{name}.f32"] = values.float().reshape(2, 3)
    torch.manual_seed(0)
    doubles = torch.randn(500, dtype=torch.float64) * 10.0 ** torch.randint(-9, 7, (500,))
    tensors |= {"doubles": doubles, "doubles.f32": doubles.float(), "doubles.f16": doubles.half().view(torch.int16)}
    save_file(tensors, GOLDEN / "dtypes.safetensors", metadata)


def picture(mode: str) -> Image.Image:
    channels = len(mode)
    y, x = np.mgrid[0:33, 0:29]
    smooth = np.stack([(x * 8 + y * c * 3) % 256 for c in range(1, channels + 1)], -1)
    noise = np.random.default_rng(0).integers(0, 256, smooth.shape)
    return Image.fromarray(np.where((y < 20)[..., None], smooth, noise).astype(np.uint8), mode)


def pngs() -> None:
    for mode in ("RGB", "RGBA"):
        info = PngImagePlugin.PngInfo()
        info.add_text("parameters", "red apple\nSteps: 8")
        info.add_text("compressed", "a " * 200, zip=True)
        info.add_itxt("Description", "красное яблоко 🍎")
        info.add_itxt("packed", "яблоко " * 50, zip=True)
        info.add_itxt("XML:com.adobe.xmp", "<x:xmpmeta/>")
        image = picture(mode)
        image.save(GOLDEN / f"{mode.lower()}.png", pnginfo=info)
        (GOLDEN / f"{mode.lower()}.raw").write_bytes(image.tobytes())
    picture("RGB").convert("P").save(GOLDEN / "palette.png")


if __name__ == "__main__":
    GOLDEN.mkdir(parents=True, exist_ok=True)
    dtypes()
    pngs()
    for file in sorted(GOLDEN.iterdir()):
        print(file.name, file.stat().st_size)
