"""Names and shapes of published language models, from their configs on torch's meta device: no weights needed.

    python tests/reference/published_causal_lm.py

Writes golden/published-causal-lm.json: per model its `config` (config.json as published) and `tensors`, name to shape as the
published safetensors files have them: a tied head once, where the publisher stored it once; GPT-2 without a prefix and with its
masks. Made with PyTorch 2.13 and transformers 5.23.
"""

import json
from pathlib import Path

import torch
from transformers import AutoConfig, AutoModelForCausalLM

GOLDEN = Path(__file__).parent / "golden" / "published-causal-lm.json"
COMMON = {"attention_dropout": 0.0, "hidden_act": "silu", "initializer_range": 0.02, "torch_dtype": "bfloat16", "use_cache": True}

MODELS = {
    "HuggingFaceTB/SmolLM2-135M": {
        **COMMON, "architectures": ["LlamaForCausalLM"], "attention_bias": False, "bos_token_id": 0, "eos_token_id": 0, "hidden_size": 576,
        "initializer_range": 0.041666666666666664, "intermediate_size": 1536, "is_llama_config": True, "max_position_embeddings": 8192, "mlp_bias": False,
        "model_type": "llama", "num_attention_heads": 9, "num_hidden_layers": 30, "num_key_value_heads": 3, "pretraining_tp": 1, "rms_norm_eps": 1e-05,
        "rope_interleaved": False, "rope_scaling": None, "rope_theta": 100000, "tie_word_embeddings": True, "transformers_version": "4.40.1", "vocab_size": 49152,
    },
    "Qwen/Qwen3-0.6B": {
        **COMMON, "architectures": ["Qwen3ForCausalLM"], "attention_bias": False, "bos_token_id": 151643, "eos_token_id": 151645, "head_dim": 128,
        "hidden_size": 1024, "intermediate_size": 3072, "max_position_embeddings": 40960, "max_window_layers": 28, "model_type": "qwen3",
        "num_attention_heads": 16, "num_hidden_layers": 28, "num_key_value_heads": 8, "rms_norm_eps": 1e-06, "rope_scaling": None, "rope_theta": 1000000,
        "sliding_window": None, "tie_word_embeddings": True, "transformers_version": "4.51.0", "use_sliding_window": False, "vocab_size": 151936,
    },
    "Qwen/Qwen2.5-0.5B": {
        **COMMON, "architectures": ["Qwen2ForCausalLM"], "bos_token_id": 151643, "eos_token_id": 151643, "hidden_size": 896, "intermediate_size": 4864,
        "max_position_embeddings": 32768, "max_window_layers": 24, "model_type": "qwen2", "num_attention_heads": 14, "num_hidden_layers": 24,
        "num_key_value_heads": 2, "rms_norm_eps": 1e-06, "rope_theta": 1000000.0, "sliding_window": 32768, "tie_word_embeddings": True,
        "transformers_version": "4.40.1", "use_mrope": False, "use_sliding_window": False, "vocab_size": 151936,
    },
    "meta-llama/Llama-3.2-1B": {
        **COMMON, "architectures": ["LlamaForCausalLM"], "attention_bias": False, "bos_token_id": 128000, "eos_token_id": 128001, "head_dim": 64,
        "hidden_size": 2048, "intermediate_size": 8192, "max_position_embeddings": 131072, "mlp_bias": False, "model_type": "llama",
        "num_attention_heads": 32, "num_hidden_layers": 16, "num_key_value_heads": 8, "pretraining_tp": 1, "rms_norm_eps": 1e-05,
        "rope_scaling": {"factor": 32.0, "high_freq_factor": 4.0, "low_freq_factor": 1.0, "original_max_position_embeddings": 8192, "rope_type": "llama3"},
        "rope_theta": 500000.0, "tie_word_embeddings": True, "transformers_version": "4.45.0.dev0", "vocab_size": 128256,
    },
    "google/gemma-3-270m": {
        **{key: value for key, value in COMMON.items() if key != "hidden_act"}, "_sliding_window_pattern": 6, "architectures": ["Gemma3ForCausalLM"],
        "attention_bias": False, "attn_logit_softcapping": None, "bos_token_id": 2, "eos_token_id": 1, "final_logit_softcapping": None, "head_dim": 256,
        "hidden_activation": "gelu_pytorch_tanh", "hidden_size": 640, "intermediate_size": 2048,
        "layer_types": (["sliding_attention"] * 5 + ["full_attention"]) * 3, "max_position_embeddings": 32768, "model_type": "gemma3_text",
        "num_attention_heads": 4, "num_hidden_layers": 18, "num_key_value_heads": 1, "pad_token_id": 0, "query_pre_attn_scalar": 256, "rms_norm_eps": 1e-06,
        "rope_local_base_freq": 10000.0, "rope_scaling": None, "rope_theta": 1000000.0, "sliding_window": 512, "transformers_version": "4.55.0.dev0",
        "use_bidirectional_attention": False, "vocab_size": 262144,
    },
    "microsoft/Phi-3-mini-4k-instruct": {
        **COMMON, "architectures": ["Phi3ForCausalLM"], "attention_bias": False, "bos_token_id": 1, "embd_pdrop": 0.0, "eos_token_id": 32000,
        "hidden_size": 3072, "intermediate_size": 8192, "max_position_embeddings": 4096, "model_type": "phi3", "num_attention_heads": 32,
        "num_hidden_layers": 32, "num_key_value_heads": 32, "original_max_position_embeddings": 4096, "pad_token_id": 32000, "resid_pdrop": 0.0,
        "rms_norm_eps": 1e-05, "rope_scaling": None, "rope_theta": 10000.0, "sliding_window": 2047, "tie_word_embeddings": False,
        "transformers_version": "4.40.2", "vocab_size": 32064,
    },
    "allenai/OLMo-2-0425-1B": {
        **COMMON, "architectures": ["Olmo2ForCausalLM"], "attention_bias": False, "eos_token_id": 100257, "hidden_size": 2048, "intermediate_size": 8192,
        "max_position_embeddings": 4096, "model_type": "olmo2", "num_attention_heads": 16, "num_hidden_layers": 16, "num_key_value_heads": 16,
        "pad_token_id": 100277, "rms_norm_eps": 1e-06, "rope_scaling": None, "rope_theta": 500000, "tie_word_embeddings": False, "torch_dtype": "float32",
        "transformers_version": "4.47.0", "use_cache": False, "vocab_size": 100352,
    },
    "openai-community/gpt2": {
        "activation_function": "gelu_new", "architectures": ["GPT2LMHeadModel"], "attn_pdrop": 0.1, "bos_token_id": 50256, "embd_pdrop": 0.1,
        "eos_token_id": 50256, "initializer_range": 0.02, "layer_norm_epsilon": 1e-05, "model_type": "gpt2", "n_ctx": 1024, "n_embd": 768, "n_head": 12,
        "n_layer": 12, "n_positions": 1024, "resid_pdrop": 0.1, "summary_activation": None, "summary_first_dropout": 0.1, "summary_proj_to_labels": True,
        "summary_type": "cls_index", "summary_use_proj": True, "task_specific_params": {"text-generation": {"do_sample": True, "max_length": 50}},
        "vocab_size": 50257,
    },
}
STORED_TWICE = {"Qwen/Qwen3-0.6B"}  # the tied head lies in the file, too


def describe(name, config):
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(AutoConfig.for_model(**json.loads(json.dumps(config))))
    tensors = {key: list(p.shape) for key, p in model.state_dict().items()}
    if model.config.tie_word_embeddings and name not in STORED_TWICE:
        del tensors["lm_head.weight"]
    if config["model_type"] == "gpt2":
        tensors = {key.removeprefix("transformer."): shape for key, shape in tensors.items()}
        tensors |= {f"h.{i}.attn.bias": [1, 1, 1024, 1024] for i in range(config["n_layer"])}
    return {"config": config, "parameters": sum(p.numel() for p in model.parameters()), "tensors": tensors}


golden = {name: describe(name, config) for name, config in MODELS.items()}
GOLDEN.write_text(json.dumps(golden, separators=(",", ":")).replace('"tensors":', '\n"tensors":').replace('"config":', '\n"config":') + "\n")
for name, described in golden.items():
    print(name, described["parameters"], len(described["tensors"]))
