"""Golden values of transformers' causal language models, tiny and random: a model folder per case and what it computes.

    python tests/reference/causal_lm.py [case …]

Writes golden/causal-lm/<case>/: config.json in the words that publishers of that family use, model.safetensors (F16), and
expected.safetensors: `input_ids` [1, T], the hidden states before each layer (`hidden_states.<i>`), `logits` [T, V], and
`greedy` [24], what generate() adds greedily; float32, computed from the rounded weights.
Made with PyTorch 2.13 and transformers 5.23.
"""

import json
import sys
from pathlib import Path

import torch
from safetensors.torch import save_file
from transformers import AutoConfig, AutoModelForCausalLM

GOLDEN = Path(__file__).parent / "golden" / "causal-lm"
NEW_TOKENS = 24
COMMON = dict(vocab_size=96, hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
              max_position_embeddings=64, rms_norm_eps=1e-5, bos_token_id=1, eos_token_id=2, hidden_act="silu",
              initializer_range=0.02, use_cache=True, torch_dtype="bfloat16", transformers_version="4.46.0", attention_dropout=0.0)
GEMMA = {key: value for key, value in COMMON.items() if key not in ("hidden_act", "rms_norm_eps")} | dict(
    rms_norm_eps=1e-6, head_dim=12, hidden_activation="gelu_pytorch_tanh", query_pre_attn_scalar=20, num_hidden_layers=3, pad_token_id=0)

CASES = {
    "llama": dict(COMMON, model_type="llama", rope_theta=10000.0, rope_scaling=None, attention_bias=True, mlp_bias=True, tie_word_embeddings=True, pretraining_tp=1),
    "llama3": dict(COMMON, model_type="llama", rope_theta=500.0, tie_word_embeddings=False, head_dim=12, rope_scaling=dict(
        factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0, original_max_position_embeddings=32, rope_type="llama3")),
    "llama-linear": dict(COMMON, model_type="llama", num_hidden_layers=1, num_key_value_heads=4, rope_scaling=dict(type="linear", factor=4.0)),
    "llama-dynamic": dict(COMMON, model_type="llama", num_hidden_layers=1, rope_scaling=dict(type="dynamic", factor=4.0)),
    "llama-yarn": dict(COMMON, model_type="llama", num_hidden_layers=1, rope_theta=100.0, max_position_embeddings=128, rope_scaling=dict(
        rope_type="yarn", factor=4.0, original_max_position_embeddings=32)),
    "mistral": dict(COMMON, model_type="mistral", sliding_window=6, head_dim=16, rope_theta=1e6, tie_word_embeddings=False),
    "qwen2": dict(COMMON, model_type="qwen2", num_hidden_layers=3, rope_theta=1e6, sliding_window=5, use_sliding_window=True, max_window_layers=1, tie_word_embeddings=True),
    "qwen3": dict(COMMON, model_type="qwen3", rope_theta=1e6, head_dim=16, attention_bias=False, sliding_window=None, use_sliding_window=False,
                  max_window_layers=2, tie_word_embeddings=True, rope_scaling=None),
    "phi3": dict(COMMON, model_type="phi3", original_max_position_embeddings=64, partial_rotary_factor=0.75, rope_theta=10000.0, rope_scaling=None,
                 sliding_window=7, embd_pdrop=0.0, resid_pdrop=0.0, tie_word_embeddings=False, pad_token_id=2, attention_bias=False),
    "phi3-longrope": dict(COMMON, model_type="phi3", num_hidden_layers=1, max_position_embeddings=256, original_max_position_embeddings=64, rope_theta=10000.0,
                          rope_scaling=dict(type="longrope", short_factor=[1.0, 1.1, 1.3, 1.6], long_factor=[1.2, 2.0, 3.0, 4.0]), tie_word_embeddings=False, pad_token_id=2),
    "gemma2": dict(GEMMA, model_type="gemma2", rope_theta=10000.0, sliding_window=6, attn_logit_softcapping=5.0, final_logit_softcapping=8.0,
                   attention_bias=False, cache_implementation="hybrid", hidden_act="gelu_pytorch_tanh"),
    "gemma3": dict(GEMMA, model_type="gemma3_text", rope_theta=1e6, rope_local_base_freq=10000.0, rope_scaling=dict(factor=8.0, rope_type="linear"), sliding_window=6,
                   _sliding_window_pattern=2, sliding_window_pattern=2, attn_logit_softcapping=None, final_logit_softcapping=None, attention_bias=False,
                   num_key_value_heads=1, use_bidirectional_attention=False),
    "smollm3": dict(COMMON, model_type="smollm3", num_hidden_layers=4, pad_token_id=2, rope_theta=5e6, rope_scaling=None, no_rope_layers=[1, 0, 1, 0], no_rope_layer_interval=2,
                    layer_types=["full_attention"] * 4, use_sliding_window=False, sliding_window=None, max_window_layers=28, mlp_bias=False,
                    attention_bias=False, pretraining_tp=2),
    "olmo2": dict(COMMON, model_type="olmo2", rope_theta=5e5, rope_scaling=None, attention_bias=False, tie_word_embeddings=False),
    "gpt2": dict(model_type="gpt2", vocab_size=96, n_positions=64, n_ctx=64, n_embd=32, n_layer=2, n_head=4, n_inner=None, activation_function="gelu_new",
                 layer_norm_epsilon=1e-5, resid_pdrop=0.1, embd_pdrop=0.1, attn_pdrop=0.1, initializer_range=0.02, summary_type="cls_index", summary_use_proj=True,
                 summary_activation=None, summary_proj_to_labels=True, summary_first_dropout=0.1, bos_token_id=50256, eos_token_id=50256,
                 task_specific_params={"text-generation": {"do_sample": True, "max_length": 50}}),
}
CASES["llama-5"] = dict(COMMON, model_type="llama", num_hidden_layers=1, rope_scaling=None)  # written below as transformers 5 does
MOE = dict(COMMON, model_type="qwen3_moe", head_dim=16, rope_theta=1e6, rope_scaling=None, attention_bias=False, moe_intermediate_size=24, num_experts=6, num_experts_per_tok=3,
           router_aux_loss_coef=0.001, output_router_logits=False, sliding_window=None, use_sliding_window=False, max_window_layers=2, tie_word_embeddings=False)
CASES["qwen3-moe"] = dict(MOE, num_hidden_layers=3, norm_topk_prob=True, decoder_sparse_step=1, mlp_only_layers=[1])
CASES["qwen3-moe-stacked"] = dict(MOE, norm_topk_prob=False, decoder_sparse_step=2, mlp_only_layers=[])  # with the tensors of transformers 5
CASES["mixtral"] = dict(COMMON, model_type="mixtral", rope_theta=1e6, sliding_window=None, num_local_experts=4, num_experts_per_tok=2, router_aux_loss_coef=0.02,
                        output_router_logits=False, tie_word_embeddings=False)


def randomise(model, seed):
    """Weights large enough that every bias, scale and attention matters, rounded to what F16 holds."""
    generator = torch.Generator().manual_seed(seed)
    # small where they are the head, too, or each token may call for itself
    embeddings = 0.08 if "gemma" in model.config.model_type else 0.3 if model.config.tie_word_embeddings and model.config.model_type not in ("gpt2", "smollm3") else 1.0
    for name, p in model.named_parameters():
        embedded = any(part in name for part in ("embed", "wte", "wpe"))
        spread = 0.3 if p.ndim == 1 else embeddings if embedded else 1.5 / (p.shape[-1] if p.ndim == 3 else p[0].numel()) ** 0.5
        centre = p.data.mean().round() if p.ndim == 1 else 0.0  # norms are ones, or zeros where 1 is added to them
        p.data = (centre + spread * torch.randn(p.shape, generator=generator)).half().float()
    return model.eval()


def published(case, model):
    """Names and tensors as the family's files have them."""
    tensors = {name: p.half().contiguous() for name, p in model.state_dict().items()}
    if model.config.tie_word_embeddings:
        del tensors["lm_head.weight"]
    if case == "gpt2":  # the first file had no prefix, and stored masks
        tensors = {name.removeprefix("transformer."): p for name, p in tensors.items()}
        for i in range(model.config.n_layer):
            tensors[f"h.{i}.attn.bias"] = torch.ones(1, 1, 64, 64).tril().half()
            tensors[f"h.{i}.attn.masked_bias"] = torch.tensor(-1e4).half()
    tensors = tensors if case.endswith("-stacked") else dict(apart(tensors))
    if case == "mixtral":
        for old, new in {".mlp.": ".block_sparse_moe.", ".gate_proj.": ".w1.", ".down_proj.": ".w2.", ".up_proj.": ".w3."}.items():
            tensors = {name.replace(old, new): p for name, p in tensors.items()}
    return tensors


def apart(tensors):
    """Experts one by one, as files have them."""
    for name, p in tensors.items():
        prefix, experts, kind = name.partition(".mlp.experts.")
        if not experts:
            yield name, p
            continue
        parts = {"gate_up_proj": ("gate_proj", "up_proj"), "down_proj": ("down_proj",)}[kind]
        for i, expert in enumerate(p):
            for part, rows in zip(parts, expert.chunk(len(parts))):
                yield f"{prefix}.mlp.experts.{i}.{part}.weight", rows.contiguous()


@torch.no_grad()
def write(case, config, seed):
    folder = GOLDEN / case
    folder.mkdir(parents=True, exist_ok=True)
    described = AutoConfig.for_model(**json.loads(json.dumps(config)))
    model = randomise(AutoModelForCausalLM.from_config(described, attn_implementation="eager", dtype=torch.float32), seed)
    save_file(published(case, model), folder / "model.safetensors", metadata={"format": "pt"})
    written = described.to_diff_dict() if case == "llama-5" else config
    (folder / "config.json").write_text(json.dumps({"architectures": [type(model).__name__], **written}, indent=2) + "\n")

    ids = torch.randint(3, 96, (1, 17), generator=torch.Generator().manual_seed(seed))
    out = model(ids, output_hidden_states=True)
    expected = {"input_ids": ids.int(), "logits": out.logits[0]}
    expected |= {f"hidden_states.{i}": state for i, state in enumerate(out.hidden_states[:-1])}
    tokens = ids
    for _ in range(NEW_TOKENS):
        best = model(tokens).logits[0, -1].topk(2)
        if best.values[0] - best.values[1] < 2e-3:
            return False  # a draw, which rounding may decide otherwise
        tokens = torch.cat([tokens, best.indices[None, :1]], 1)
    model.generation_config.eos_token_id = None
    generated = model.generate(ids, do_sample=False, max_new_tokens=NEW_TOKENS, attention_mask=torch.ones_like(ids), pad_token_id=0)
    assert torch.equal(generated, tokens), case
    expected["greedy"] = tokens[0, ids.shape[1]:].int()
    save_file({name: value.contiguous() for name, value in expected.items()}, folder / "expected.safetensors")
    print(case, sum(p.numel() for p in model.parameters()), expected["greedy"].tolist())
    return True


for index, case in enumerate(CASES):
    if len(sys.argv) == 1 or case in sys.argv[1:]:
        next(seed for seed in range(index, index + 2000, 100) if write(case, CASES[case], seed))
