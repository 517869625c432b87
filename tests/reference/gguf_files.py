"""Golden files of GGUF: blocks of every quantised type with the values that PyPI's gguf gives them, and tiny models of every
architecture, written as llama.cpp's conversion writes them, with the tensors that transformers would have had. Where
transformers loads GGUF itself, it must agree. Run: python tests/reference/gguf_files.py"""
import hashlib
import json
import math
import tempfile
from pathlib import Path

import gguf
import numpy as np
import torch
from gguf import GGMLQuantizationType as T
from safetensors.numpy import load_file, save_file
from transformers import AutoConfig, AutoModelForCausalLM
from transformers.modeling_gguf_pytorch_utils import load_gguf_checkpoint

GOLDEN = Path(__file__).parent / "golden" / "gguf"
BLOCKS = [T.Q4_0, T.Q4_1, T.Q5_0, T.Q5_1, T.Q8_0, T.Q2_K, T.Q3_K, T.Q4_K, T.Q5_K, T.Q6_K, T.IQ4_NL, T.MXFP4]
SCALES = {T.Q4_0: [0], T.Q4_1: [0, 2], T.Q5_0: [0], T.Q5_1: [0, 2], T.Q8_0: [0], T.Q2_K: [80, 82], T.Q3_K: [108], T.Q4_K: [0, 2], T.Q5_K: [0, 2],
          T.Q6_K: [208], T.IQ4_NL: [0], T.MXFP4: []}
TYPES = [T.Q8_0, T.F16, T.Q4_0, T.BF16, T.F32, T.Q5_1]  # of matrices, in turn


def blocks() -> None:
    """24 blocks of each type: random bytes, half of them with scales as models have them."""
    rng = np.random.default_rng(0)
    tensors = {}
    for kind in BLOCKS:
        size, width = gguf.GGML_QUANT_SIZES[kind]
        data = rng.integers(0, 256, (24, width), dtype=np.uint8)
        for at in SCALES[kind]:
            data[:12, at:at + 2] = rng.normal(0, 0.05, 12).astype(np.float16).view(np.uint8).reshape(12, 2)
        if kind == T.MXFP4:
            data[:12, 0] = rng.integers(110, 130, 12)
            data[12:15, 0] = [0, 1, 254]
        with np.errstate(all="ignore"):
            tensors[f"{kind.name}.values"] = gguf.quants.dequantize(data, kind).reshape(-1)
        assert tensors[f"{kind.name}.values"].size == 24 * size
        tensors[f"{kind.name}.blocks"] = data
    save_file(tensors, GOLDEN / "blocks.safetensors")


def interleaved(weight: np.ndarray, heads: int) -> np.ndarray:
    """Rows (head, half, i) → (head, i, half), since llama.cpp turns neighbours."""
    rows = weight.shape[0]
    return np.ascontiguousarray(weight.reshape(heads, 2, rows // heads // 2, -1).swapaxes(1, 2)).reshape(weight.shape)


COMMON = dict(vocab_size=96, hidden_size=64, intermediate_size=96, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
              max_position_embeddings=128, bos_token_id=1, eos_token_id=2, pad_token_id=0)
LLAMA3 = dict(rope_type="llama3", rope_theta=500000.0, factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0, original_max_position_embeddings=8192)
YARN = dict(rope_type="yarn", rope_theta=10000.0, factor=4.0, original_max_position_embeddings=32)
LONG = dict(rope_type="longrope", rope_theta=10000.0, long_factor=[1.0 + i / 4 for i in range(8)], short_factor=[1.0 + i / 16 for i in range(8)],
            original_max_position_embeddings=32)
PLAIN = dict(rope_type="default", rope_theta=10000.0)
FULL = ["full_attention"]
GEMMA3 = dict(sliding_attention=dict(rope_type="default", rope_theta=10000.0), full_attention=dict(rope_type="linear", rope_theta=1000000.0, factor=8.0))

# file → general.architecture, model_type, settings
MODELS = {
    "llama": ("llama", "llama", dict(rope_parameters=LLAMA3, tie_word_embeddings=True, head_dim=16, rms_norm_eps=1e-5)),
    "llama-linear": ("llama", "llama", dict(rope_parameters=dict(PLAIN, rope_type="linear", factor=4.0), attention_bias=True, mlp_bias=True, head_dim=32, rms_norm_eps=1e-6)),
    "mistral": ("llama", "mistral", dict(rope_parameters=PLAIN, sliding_window=None, head_dim=32, rms_norm_eps=1e-5)),
    "mixtral": ("llama", "mixtral", dict(rope_parameters=PLAIN, sliding_window=None, num_local_experts=4, num_experts_per_tok=2, rms_norm_eps=1e-5)),
    "smollm3": ("smollm3", "smollm3", dict(rope_parameters=dict(PLAIN, rope_theta=2000000.0), num_hidden_layers=4, tie_word_embeddings=True, rms_norm_eps=1e-6)),
    "qwen2": ("qwen2", "qwen2", dict(rope_parameters=YARN, tie_word_embeddings=True, rms_norm_eps=1e-6)),
    "qwen3": ("qwen3", "qwen3", dict(rope_parameters=dict(PLAIN, rope_theta=1000000.0), head_dim=32, rms_norm_eps=1e-6)),
    "qwen3moe": ("qwen3moe", "qwen3_moe", dict(rope_parameters=PLAIN, head_dim=32, num_experts=4, num_experts_per_tok=2, moe_intermediate_size=32, norm_topk_prob=True, rms_norm_eps=1e-6)),
    "phi3": ("phi3", "phi3", dict(rope_parameters=PLAIN, sliding_window=48, rms_norm_eps=1e-5)),
    "phi3-long": ("phi3", "phi3", dict(rope_parameters=LONG, original_max_position_embeddings=32, rms_norm_eps=1e-5)),
    "gemma2": ("gemma2", "gemma2", dict(rope_parameters=PLAIN, head_dim=32, query_pre_attn_scalar=32, sliding_window=16, rms_norm_eps=1e-6)),
    "gemma3": ("gemma3", "gemma3_text", dict(rope_parameters=GEMMA3, head_dim=32, query_pre_attn_scalar=32, sliding_window=16, num_hidden_layers=7, intermediate_size=64, rms_norm_eps=1e-6)),
    "olmo2": ("olmo2", "olmo2", dict(rope_parameters=dict(PLAIN, rope_theta=500000.0), rms_norm_eps=1e-6)),
    "gpt2": ("gpt2", "gpt2", dict(n_embd=64, n_layer=2, n_head=4, n_positions=128, vocab_size=96, bos_token_id=1, eos_token_id=2)),
}


def writer_of(architecture: str, config, path: Path, **options) -> gguf.GGUFWriter:
    """The metadata, as the conversion writes it."""
    writer = gguf.GGUFWriter(path, architecture, **options)
    writer.add_name("tiny")
    writer.add_quantization_version(2)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_head_count(config.num_attention_heads)
    if architecture == "gpt2":
        writer.add_feed_forward_length(4 * config.hidden_size)
        writer.add_layer_norm_eps(config.layer_norm_epsilon)
    else:
        rope(writer, architecture, config)
        writer.add_feed_forward_length(config.intermediate_size)
        writer.add_head_count_kv(config.num_key_value_heads)
        writer.add_layer_norm_rms_eps(config.rms_norm_eps)
        head_dim = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
        if architecture in ("llama", "smollm3"):
            writer.add_vocab_size(config.vocab_size)
            writer.add_rope_dimension_count(head_dim)
        if architecture == "phi3":
            writer.add_rope_dimension_count(head_dim)
            writer.add_sliding_window(config.sliding_window or 0)
        if getattr(config, "head_dim", None):
            writer.add_key_length(head_dim)
            writer.add_value_length(head_dim)
    experts = getattr(config, "num_local_experts", None) or getattr(config, "num_experts", None)
    if experts:
        writer.add_expert_count(experts)
        writer.add_expert_used_count(config.num_experts_per_tok)
    if architecture == "qwen3moe":
        writer.add_expert_feed_forward_length(config.moe_intermediate_size)
    if architecture == "gemma2":
        writer.add_attn_logit_softcapping(config.attn_logit_softcapping)
        writer.add_final_logit_softcapping(config.final_logit_softcapping)
    if architecture.startswith("gemma"):
        writer.add_sliding_window(config.sliding_window)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list([f"t{i}" for i in range(config.vocab_size)])
    writer.add_token_types([gguf.TokenType.NORMAL] * config.vocab_size)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    return writer


def rope(writer: gguf.GGUFWriter, architecture: str, config) -> None:
    parameters = config.rope_parameters
    parameters = parameters.get("full_attention", parameters)
    writer.add_rope_freq_base(parameters["rope_theta"])
    kind = parameters["rope_type"]
    if kind == "linear":
        writer.add_rope_scaling_type(gguf.RopeScalingType.LINEAR)
        writer.add_rope_scaling_factor(parameters["factor"])
    if kind == "yarn":
        writer.add_rope_scaling_type(gguf.RopeScalingType.YARN)
        writer.add_rope_scaling_factor(parameters["factor"])
    if kind in ("yarn", "longrope"):
        writer.add_rope_scaling_orig_ctx_len(parameters["original_max_position_embeddings"])
    if kind == "longrope":
        scale = config.max_position_embeddings / parameters["original_max_position_embeddings"]
        writer.add_rope_scaling_attn_factors(math.sqrt(1 + math.log(scale) / math.log(parameters["original_max_position_embeddings"])))
        writer.add_tensor("rope_factors_long.weight", np.array(parameters["long_factor"], np.float32))
        writer.add_tensor("rope_factors_short.weight", np.array(parameters["short_factor"], np.float32))
    if kind == "llama3":
        writer.add_tensor("rope_freqs.weight", llama3_factors(config))


def llama3_factors(config) -> np.ndarray:
    """What transformers' own scaling divides the frequencies by."""
    from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS
    scaled, _ = ROPE_INIT_FUNCTIONS["llama3"](config, torch.device("cpu"))
    dim = config.head_dim
    plain = 1.0 / config.rope_parameters["rope_theta"] ** (torch.arange(0, dim, 2).float() / dim)
    return (plain / scaled).numpy().astype(np.float32)


def quantised(weight: np.ndarray, kind: T) -> tuple[np.ndarray, np.ndarray]:
    """Stored bytes, and their values."""
    data = gguf.quants.quantize(weight, kind)
    return data, gguf.quants.dequantize(data, kind).reshape(weight.shape).astype(np.float32)


def digest(values: np.ndarray) -> str:
    return hashlib.sha256(np.ascontiguousarray(values, "<f4").tobytes()).hexdigest()[:32]


def model(file: str, split: bool = False) -> None:
    architecture, model_type, settings = MODELS[file]
    torch.manual_seed(0)
    config = AutoConfig.for_model(model_type, **(settings if model_type == "gpt2" else COMMON | settings))
    network = AutoModelForCausalLM.from_config(config)
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            parameter.copy_(torch.randn_like(parameter) * 0.05 + (1.0 if "norm" in name and not architecture.startswith("gemma") else 0.0))
    with tempfile.TemporaryDirectory() as folder:
        network.save_pretrained(folder)  # under the published names
        published = load_file(Path(folder) / "model.safetensors")
        config_json = json.loads((Path(folder) / "config.json").read_text())

    path = GOLDEN / f"{file}.gguf"
    writer = writer_of(architecture, config, path, **({"split_max_tensors": 8} if split else {}))
    name_map = gguf.get_tensor_name_map(getattr(gguf.MODEL_ARCH, architecture.upper()), config.num_hidden_layers)
    expected, stacks, turn = {}, {}, 0
    for name, weight in published.items():
        stem, suffix = name.rsplit(".", 1)
        stored = weight.astype(np.float32)
        transposes = architecture == "gpt2" and stem.endswith((".c_attn", ".c_proj", ".c_fc")) and suffix == "weight"
        if transposes:
            stored = np.ascontiguousarray(stored.T)
        kind = T.F32 if stored.ndim == 1 or "norm" in name else TYPES[(turn := turn + 1) % len(TYPES)]
        if architecture.startswith("gemma") and name.endswith("norm.weight"):
            stored = stored + np.float32(1)
        if ".experts." in stem:
            before, after = stem.split(".experts.")
            index, part = after.split(".")
            part = {"w1": "gate_proj", "w2": "down_proj", "w3": "up_proj"}.get(part, part)
            stacks.setdefault((before, part), {})[int(index)] = (name, stored)
            continue
        permutes = architecture in ("llama", "smollm3") and stem.endswith((".q_proj", ".k_proj"))
        heads = config.num_attention_heads if "q_proj" in stem else config.num_key_value_heads if permutes else 0
        data, values = quantised(interleaved(stored, heads) if permutes else stored, kind)
        _, plain = quantised(stored, kind)
        expected[name] = plain.T if transposes else plain - np.float32(1) if architecture.startswith("gemma") and name.endswith("norm.weight") else plain
        writer.add_tensor(f"{name_map.get_name(stem)}.{suffix}", data, raw_dtype=kind)
    for (before, part), experts in stacks.items():
        kind = TYPES[(turn := turn + 1) % len(TYPES)]
        layer = before.split("layers.")[1].split(".")[0]
        data, values = quantised(np.stack([experts[i][1] for i in range(len(experts))]), kind)
        for i in range(len(experts)):
            expected[experts[i][0]] = values[i]
        writer.add_tensor(f"blk.{layer}.ffn_{part.removesuffix('_proj')}_exps.weight", data, raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    if split:
        return
    with tempfile.TemporaryDirectory() as folder:
        save_file({name: np.ascontiguousarray(values) for name, values in expected.items()}, Path(folder) / "model.safetensors", {"format": "pt"})
        (Path(folder) / "config.json").write_text(json.dumps(config_json))
        rebuilt = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()
    ids = torch.randint(3, 96, (1, 24))
    with torch.no_grad():
        logits = rebuilt(ids).logits[0, -1]
    (GOLDEN / f"{file}.json").write_text(json.dumps({
        "config": config_json,
        "ids": ids[0].tolist(),
        "logits": [float(f"{value:.7g}") for value in logits.tolist()],  # of the last token
        "tensors": {name: {"shape": list(values.shape), "sha256": digest(values)} for name, values in sorted(expected.items())},
    }) + "\n")
    agree(path, network, expected)


def agree(path: Path, network: torch.nn.Module, expected: dict[str, np.ndarray]) -> None:
    """transformers' own reading of the file's tensors, where it reads the architecture."""
    try:
        loaded = load_gguf_checkpoint(str(path), return_tensors=True, model_to_load=network)["tensors"]
    except (ValueError, NotImplementedError) as error:
        print(path.stem, "transformers does not read it:", str(error)[:80])
        return
    theirs = {name: values.numpy() for name, values in loaded.items()}
    for name, values in list(theirs.items()):
        if name.endswith("experts.gate_up_proj"):
            gate, up = np.split(values, 2, axis=1)
        for i in range(len(values) if ".experts." in name else 0):
            stem = f"{name.rsplit('.', 1)[0]}.{i}"
            theirs |= {f"{stem}.down_proj.weight": values[i]} if name.endswith("down_proj") else {f"{stem}.gate_proj.weight": gate[i], f"{stem}.up_proj.weight": up[i]}
    common = sorted(set(expected) & set(theirs))
    for name in common:
        assert np.array_equal(theirs[name], expected[name]), (path.stem, name)
    print(path.stem, f"transformers reads {len(common)} of {len(expected)} tensors, all equal; not read:", sorted(set(expected) - set(theirs))[:3])


if __name__ == "__main__":
    GOLDEN.mkdir(parents=True, exist_ok=True)
    blocks()
    for file in MODELS:
        model(file)
    model("qwen2", split=True)
    for path in sorted(GOLDEN.iterdir()):
        print(path.name, path.stat().st_size)
