"""Golden values of transformers' T5, tiny and random: a model folder per case and what it computes.

    python tests/reference/t5.py

Writes golden/t5/<case>/: config.json and model.safetensors as a publisher has them (F16), and expected.safetensors, float32,
computed from the rounded weights: `input_ids` and `attention_mask` [B, S], the encoder's `hidden_states.<i>` before each block
and after the last, `last_hidden_state` (after the final norm); of encoder-decoders also `decoder_input_ids` [B, T], `logits`
[B, T, V] and `greedy` [B, 17], generated from the start token by the largest logit. Besides golden/t5/buckets.json: the bucket
of distances key - query for several configurations; and golden/t5/published-shapes.json: of published checkpoints their config and
the names and shapes of their tensors, from torch's meta device.
Made with PyTorch 2.13 and transformers 5.23.
"""

import json
from pathlib import Path

import torch
from safetensors.torch import save_file
from transformers import T5Config, T5EncoderModel, T5ForConditionalGeneration
from transformers.models.t5.modeling_t5 import T5Attention

GOLDEN = Path(__file__).parent / "golden" / "t5"
VOCAB, START, END, STEPS = 96, 0, 1, 16
COMMON = dict(vocab_size=VOCAB, pad_token_id=START, eos_token_id=END, decoder_start_token_id=START, dropout_rate=0.1)

# T5 1.0: relu, the head is the embedding, scaled. Heads are narrower together than the model, buckets few, so that distances pass them.
V1 = dict(COMMON, d_model=32, d_kv=8, d_ff=48, num_layers=3, num_heads=3, relative_attention_num_buckets=8, relative_attention_max_distance=20,
          feed_forward_proj="relu")
# T5 1.1 and Flan-T5: gated gelu, a head of its own, as many buckets as published; the decoder is deeper than the encoder.
V1_1 = dict(COMMON, d_model=24, d_kv=6, d_ff=40, num_layers=2, num_decoder_layers=3, num_heads=4, feed_forward_proj="gated-gelu", tie_word_embeddings=False)


def randomise(model, seed, depth=1):
    """Weights large enough that every scale, bias and attention matters, rounded to what F16 holds. `depth` makes what the decoder's layers add larger than what they are given."""
    generator = torch.Generator().manual_seed(seed)
    for name, p in model.named_parameters():
        if p.ndim == 1:
            value = 1 + 0.3 * torch.randn(p.shape, generator=generator)
        elif name.endswith(("shared.weight", "relative_attention_bias.weight")):
            value = (0.3 if "shared" in name else 1.0) * torch.randn(p.shape, generator=generator)  # a small embedding, or every token would follow itself
        else:  # q is smaller: scores are not divided by the root of the head's size
            added = name.startswith("decoder") and name.endswith((".o.weight", ".wo.weight"))
            value = (0.6 if name.endswith(".q.weight") else 1.2 * depth if added else 1.2) * torch.randn(p.shape, generator=generator) / p.shape[1] ** 0.5
        p.data = value.half().float()
    return model.eval()


def prompts(length, *lengths):
    """Random rows of ids with their attention mask, padded on the right."""
    generator = torch.Generator().manual_seed(length)
    ids = torch.randint(2, VOCAB, (len(lengths), length), generator=generator)
    mask = (torch.arange(length) < torch.tensor(lengths)[:, None]).long()
    return ids * mask, mask


@torch.no_grad()
def write(case, model, ids, mask, extra={}):
    folder = GOLDEN / case
    folder.mkdir(parents=True, exist_ok=True)
    tied = [name for name in model.state_dict() if name.endswith("embed_tokens.weight") or (name == "lm_head.weight" and model.config.scale_decoder_outputs)]
    weights = {name: p.half().contiguous() for name, p in model.state_dict().items() if name not in tied}
    save_file({**weights, **{name: weights[source].clone() for name, source in extra.items()}}, folder / "model.safetensors", metadata={"format": "pt"})
    config = {**model.config.to_diff_dict(), "architectures": [type(model).__name__]}
    if not config.pop("scale_decoder_outputs"):  # transformers 5 writes this key, the published configs say it by the other
        config["tie_word_embeddings"] = False
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n")

    states = []
    for block in model.encoder.block:
        block.register_forward_hook(lambda _, inputs, outputs: states.append((inputs[0], outputs[0])))
    encoded = model.encoder(input_ids=ids, attention_mask=mask).last_hidden_state
    expected = {"input_ids": ids.int(), "attention_mask": mask.int(), "last_hidden_state": encoded}
    expected |= {f"hidden_states.{i}": state for i, state in enumerate([before for before, _ in states] + [states[-1][1]])}
    if hasattr(model, "decoder"):
        answer = torch.cat([torch.full((len(ids), 1), START), prompts(25, *[25] * len(ids))[0]], 1)
        expected |= {"decoder_input_ids": answer.int(), "logits": model(input_ids=ids, attention_mask=mask, decoder_input_ids=answer).logits}
        expected["greedy"] = greedy(model, ids, mask).int()
    save_file({name: value.clone().contiguous() for name, value in expected.items()}, folder / "expected.safetensors")
    print(case, sum(p.numel() for p in weights.values()), expected.get("greedy"))


def greedy(model, ids, mask):
    """The most likely tokens one by one; every choice is clear enough that float32's order of sums does not change it."""
    out = model.generate(input_ids=ids, attention_mask=mask, max_new_tokens=STEPS, min_new_tokens=STEPS, do_sample=False, eos_token_id=None, use_cache=False)
    best = model(input_ids=ids, attention_mask=mask, decoder_input_ids=out).logits.topk(2).values
    assert (best[..., 0] - best[..., 1]).min() > 1e-3, "a close call"
    assert all(len(set(row.tolist())) >= 6 for row in out), "a dull answer"
    return out


def write_buckets():
    rows = []
    for bidirectional in (True, False):
        for count, distance in ((32, 128), (8, 20), (16, 100), (64, 256)):
            near = list(range(-300, 301))
            far = [-5000, -1024, 1024, 5000]
            buckets = T5Attention._relative_position_bucket(torch.tensor(near + far), bidirectional, count, distance)
            rows.append({"bidirectional": bidirectional, "buckets": count, "maxDistance": distance, "distances": near + far, "expected": buckets.tolist()})
    (GOLDEN / "buckets.json").write_text(json.dumps(rows, separators=(",", ":")) + "\n")


PUBLISHED = dict(d_kv=64, decoder_start_token_id=0, dropout_rate=0.1, eos_token_id=1, initializer_factor=1.0, is_encoder_decoder=True,
                 layer_norm_epsilon=1e-06, model_type="t5", pad_token_id=0, relative_attention_num_buckets=32, use_cache=True, vocab_size=32128)
MODELS = {
    "google-t5/t5-small": dict(PUBLISHED, architectures=["T5ForConditionalGeneration"], d_ff=2048, d_model=512, n_positions=512, num_heads=8, num_layers=6,
                               output_past=True, task_specific_params={"summarization": {"num_beams": 4, "prefix": "summarize: "}}),
    "google/flan-t5-base": dict(PUBLISHED, architectures=["T5ForConditionalGeneration"], d_ff=2048, d_model=768, feed_forward_proj="gated-gelu", n_positions=512,
                                num_decoder_layers=12, num_heads=12, num_layers=12, output_past=True, relative_attention_max_distance=128,
                                tie_word_embeddings=False, torch_dtype="float32", transformers_version="4.23.1"),
    "google/t5-v1_1-xxl": dict(PUBLISHED, architectures=["T5EncoderModel"], classifier_dropout=0.0, d_ff=10240, d_model=4096, dense_act_fn="gelu_new",
                               feed_forward_proj="gated-gelu", is_gated_act=True, num_decoder_layers=24, num_heads=64, num_layers=24, output_past=True,
                               relative_attention_max_distance=128, tie_word_embeddings=False, torch_dtype="float16", transformers_version="4.41.2"),
}


def write_published():
    golden = {}
    for name, config in MODELS.items():
        cls = {"T5EncoderModel": T5EncoderModel, "T5ForConditionalGeneration": T5ForConditionalGeneration}[config["architectures"][0]]
        with torch.device("meta"):
            tensors = {key: list(p.shape) for key, p in cls(T5Config(**{key: value for key, value in config.items() if key != "model_type"})).state_dict().items()}
        if config.get("tie_word_embeddings", True):  # the first files have one embedding, and a bias that nothing reads
            tensors = {key: shape for key, shape in tensors.items() if key != "lm_head.weight" and "embed_tokens" not in key}
            tensors["decoder.block.0.layer.1.EncDecAttention.relative_attention_bias.weight"] = [32, config["num_heads"]]
        golden[name] = {"config": config, "tensors": tensors}
    (GOLDEN / "published-shapes.json").write_text(json.dumps(golden, separators=(",", ":")).replace('"tensors":', '\n"tensors":').replace('"config":', '\n"config":') + "\n")


def main():
    write("v1", randomise(T5ForConditionalGeneration(T5Config(**V1)), 0, depth=4), *prompts(37, 37, 12))
    write("v1-1", randomise(T5ForConditionalGeneration(T5Config(**V1_1)), 5, depth=2), *prompts(29, 20, 29))
    # As DeepFloyd and Stable Diffusion 3 ship it: the encoder alone, its embedding twice.
    write("encoder", randomise(T5EncoderModel(T5Config(**V1_1)), 2), *prompts(21, 21, 9), extra={"encoder.embed_tokens.weight": "shared.weight"})
    write_buckets()
    write_published()


if __name__ == "__main__":
    main()
