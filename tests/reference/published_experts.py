"""Names and shapes of published mixtures of experts, from their configs on torch's meta device: no weights needed.

    python tests/reference/published_experts.py

Writes golden/published-experts.json: per model its `config` (config.json as published), `parameters`, how many of them a token
meets (`active`), the experts of a layer, and `tensors`, name to shape as the published safetensors files have them; `experts.*`
stands for every expert's number.
Made with PyTorch 2.13 and transformers 5.23.
"""

import json
from pathlib import Path

import torch
from transformers import AutoConfig, AutoModelForCausalLM

GOLDEN = Path(__file__).parent / "golden" / "published-experts.json"
COMMON = {"attention_dropout": 0.0, "hidden_act": "silu", "initializer_range": 0.02, "torch_dtype": "bfloat16", "use_cache": True, "tie_word_embeddings": False, "sliding_window": None}

MODELS = {
    "Qwen/Qwen3-30B-A3B": {
        **COMMON, "architectures": ["Qwen3MoeForCausalLM"], "attention_bias": False, "bos_token_id": 151643, "decoder_sparse_step": 1, "eos_token_id": 151645,
        "head_dim": 128, "hidden_size": 2048, "intermediate_size": 6144, "max_position_embeddings": 40960, "max_window_layers": 48, "mlp_only_layers": [],
        "model_type": "qwen3_moe", "moe_intermediate_size": 768, "norm_topk_prob": True, "num_attention_heads": 32, "num_experts": 128, "num_experts_per_tok": 8,
        "num_hidden_layers": 48, "num_key_value_heads": 4, "output_router_logits": False, "rms_norm_eps": 1e-06, "rope_scaling": None, "rope_theta": 1000000.0,
        "router_aux_loss_coef": 0.001, "transformers_version": "4.51.0", "use_sliding_window": False, "vocab_size": 151936,
    },
    "mistralai/Mixtral-8x7B-v0.1": {
        **COMMON, "architectures": ["MixtralForCausalLM"], "bos_token_id": 1, "eos_token_id": 2, "hidden_size": 4096, "intermediate_size": 14336,
        "max_position_embeddings": 32768, "model_type": "mixtral", "num_attention_heads": 32, "num_experts_per_tok": 2, "num_hidden_layers": 32,
        "num_key_value_heads": 8, "num_local_experts": 8, "output_router_logits": False, "rms_norm_eps": 1e-05, "rope_theta": 1000000.0,
        "router_aux_loss_coef": 0.02, "transformers_version": "4.36.0.dev0", "vocab_size": 32000,
    },
}
# What files call the parts of mlp: all of them, and an expert's gate, up and down.
QWEN = ("mlp", "gate_proj", "up_proj", "down_proj")
MIXTRAL = ("block_sparse_moe", "w1", "w3", "w2")


def describe(config):
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(AutoConfig.for_model(**json.loads(json.dumps(config))))
    mlp, gate, up, down = MIXTRAL if config["model_type"] == "mixtral" else QWEN
    tensors, parameters, active = {}, 0, 0
    for name, p in model.state_dict().items():
        parameters += p.numel()
        name = name.replace(".mlp.", f".{mlp}.")
        if ".experts." not in name:
            active += p.numel()
            tensors[name] = list(p.shape)
            continue
        count, rows, cols = p.shape
        active += p.numel() // count * config["num_experts_per_tok"]
        stem = name.rsplit(".", 1)[0]
        for part in (gate, up) if name.endswith("gate_up_proj") else (down,):
            tensors[f"{stem}.*.{part}.weight"] = [rows // 2 if part != down else rows, cols]
    return {"config": config, "parameters": parameters, "active": active, "experts": count, "tensors": tensors}


golden = {name: describe(config) for name, config in MODELS.items()}
GOLDEN.write_text(json.dumps(golden, separators=(",", ":")).replace('"tensors":', '\n"tensors":').replace('"config":', '\n"config":') + "\n")
for name, model in golden.items():
    print(name, model["parameters"], model["active"], len(model["tensors"]))
