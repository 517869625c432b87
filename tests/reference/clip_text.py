"""Golden values of transformers' CLIPTextModel, tiny and random: a model folder per case and what it computes.

    python tests/reference/clip_text.py

Writes golden/clip-text/<case>/: config.json and model.safetensors as a publisher has them (F16), and expected.safetensors:
`input_ids`, the hidden state before each layer and after the last (`hidden_states.<i>`), `last_hidden_state`,
`pooler_output` and, with a projection, `text_embeds`; float32, computed from the rounded weights.
Made with PyTorch 2.13 and transformers 5.23.
"""

import json
from pathlib import Path

import torch
from safetensors.torch import save_file
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

GOLDEN = Path(__file__).parent / "golden" / "clip-text"
BOS, EOS, VOCAB = 61, 62, 64
COMMON = dict(vocab_size=VOCAB, bos_token_id=BOS, pad_token_id=1, projection_dim=12)

# As Stable Diffusion 1.x has it: names under `text_model.`, position_ids beside them, the old eos_token_id 2.
PUBLISHED = dict(COMMON, hidden_size=24, intermediate_size=64, num_hidden_layers=3, num_attention_heads=3, max_position_embeddings=13,
                 hidden_act="quick_gelu", eos_token_id=2)
# As Stable Diffusion 2.x has it (gelu), under the names that transformers 5 writes, padded with the end token.
PLAIN = dict(COMMON, hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=2, max_position_embeddings=9,
             hidden_act="gelu", eos_token_id=EOS)


def randomise(model, seed):
    """Weights large enough that every bias, scale and attention matters, rounded to what F16 holds."""
    generator = torch.Generator().manual_seed(seed)
    for name, p in model.named_parameters():
        spread = 0.3 if p.ndim == 1 else 1.0 if name.endswith(("embedding.weight", "positional_embedding")) else 1.2 / p[0].numel() ** 0.5
        centre = 1.0 if p.ndim == 1 and name.endswith("weight") else 0.0
        p.data = (centre + spread * torch.randn(p.shape, generator=generator)).half().float()
    return model.eval()


def tokens(length, *texts):
    """Rows of ids: begin, text, end, and end tokens up to `length`."""
    return torch.tensor([[BOS, *text, *[EOS] * (length - 1 - len(text))] for text in texts])


@torch.no_grad()
def write(case, model, ids, rename=lambda name: name, extra={}):
    folder = GOLDEN / case
    folder.mkdir(parents=True, exist_ok=True)
    weights = {rename(name): p.half().contiguous() for name, p in model.state_dict().items()}
    save_file({**weights, **extra}, folder / "model.safetensors", metadata={"format": "pt"})
    config = model.config.to_diff_dict()
    (folder / "config.json").write_text(json.dumps({**config, "architectures": [type(model).__name__]}, indent=2) + "\n")

    out = model(ids, output_hidden_states=True)
    text = model.text_model if hasattr(model, "text_model") else model
    pooled = text(ids).pooler_output
    expected = {"input_ids": ids.int(), "last_hidden_state": out.last_hidden_state, "pooler_output": pooled}
    expected |= {f"hidden_states.{i}": state for i, state in enumerate(out.hidden_states)}
    if hasattr(out, "text_embeds"):
        expected["text_embeds"] = out.text_embeds
    save_file({name: value.contiguous() for name, value in expected.items()}, folder / "expected.safetensors")


def main():
    ids = tokens(13, [5, 17, 60, 3], [44, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17])
    ids[0, 6:] = 0  # padded as Stable Diffusion 2's tokenizer does; the end token stays the largest
    positions = {"text_model.embeddings.position_ids": torch.arange(13)[None]}
    write("published", randomise(CLIPTextModel(CLIPTextConfig(**PUBLISHED)), 0), ids, lambda name: f"text_model.{name}", positions)

    ids = tokens(9, [5, 63, 3], [], [9, 8, 7, 6, 5, 4, 3])  # 63, an added token, is larger than the end token
    write("plain", randomise(CLIPTextModel(CLIPTextConfig(**PLAIN)), 1), ids)
    write("projection", randomise(CLIPTextModelWithProjection(CLIPTextConfig(**PLAIN)), 2), tokens(6, [5, 6], [50, 51, 52, 53]))


if __name__ == "__main__":
    main()
