"""Tiny random language models saved as whole Hub folders, tokenizers included, and what transformers generates with them.

    python tests/reference/text_generation.py [name ...]

Writes golden/text-generation/<name>/ (the model's folder) and golden/text-generation/<name>.json: calls with the prompts' tokens, the generated
tokens and their text. Needs torch, transformers, tokenizers.
"""
import json
import shutil
import sys
from pathlib import Path

import torch
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import (AutoModelForCausalLM, AutoTokenizer, Gemma3ForCausalLM, Gemma3TextConfig, GenerationConfig, GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM,
                          MistralConfig, MistralForCausalLM, PreTrainedTokenizerFast, Qwen3Config, Qwen3ForCausalLM)

GOLDEN = Path(__file__).parent / "golden" / "text-generation"
STORY = ["Once upon a time there was a little fox who lived in the forest near the sea.", "The fox said: I want to see the whole wide world!", "Then the old bear gave her a red apple, and she was happy.",
         "Der kleine Fuchs und der Bär. Привет, мир! 你好，世界 🦊🍎"]
CHATML = """{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] | trim + '<|im_end|>' + '\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"""


def byte_level(specials, bos=None, template=None, vocab=320):
    """GPT-2's and Llama 3's kind: byte-level BPE; a beginning token where there is one."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.train_from_iterator(STORY, trainers.BpeTrainer(vocab_size=vocab, special_tokens=specials, initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
    if bos:
        tokenizer.post_processor = processors.TemplateProcessing(single=f"{bos} $A", special_tokens=[(bos, tokenizer.token_to_id(bos))])
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token=bos, eos_token=specials[-1], clean_up_tokenization_spaces=False)
    fast.chat_template = template
    return fast


def sentence_pieces(vocab=400):
    """Llama 2's and Gemma's kind: BPE over text with ▁ for blanks, bytes for what is not in the vocabulary."""
    specials = ["<pad>", "<eos>", "<bos>", "<unk>"]
    trained = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    trained.normalizer = normalizers.Replace(" ", "▁")
    trained.train_from_iterator(STORY[:3], trainers.BpeTrainer(vocab_size=vocab - 256, special_tokens=specials))
    model = json.loads(trained.to_str())["model"]
    tokens = [*specials, *(f"<0x{byte:02X}>" for byte in range(256)), *(token for token in model["vocab"] if token not in specials)]
    merges = [tuple(merge) for merge in model["merges"]]
    tokenizer = Tokenizer(models.BPE({token: i for i, token in enumerate(tokens)}, merges, unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    tokenizer.add_special_tokens([AddedToken(token, normalized=False, special=True) for token in specials])
    tokenizer.normalizer = normalizers.Replace(" ", "▁")
    tokenizer.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()])
    tokenizer.post_processor = processors.TemplateProcessing(single="<bos> $A", special_tokens=[("<bos>", 2)])
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token="<bos>", eos_token="<eos>", pad_token="<pad>", unk_token="<unk>", clean_up_tokenization_spaces=False)


def golden(name, model_class, config, tokenizer, scale, prompts, chats=(), first=0, **generation):
    """A model whose two likeliest tokens are never nearly equal, as rounding could then tell which comes: the first seed from `first` on that gives one."""
    if len(sys.argv) > 1 and name not in sys.argv[1:]:
        return
    for seed in range(first, first + 100):
        if calls(name, *save(name, seed, model_class, config, tokenizer, scale, **generation), prompts, chats) > 1e-3:
            return


def save(name, seed, model_class, config, tokenizer, scale, **generation):
    """Saves a random model's folder in f16, and loads it as anybody would, in f32."""
    torch.manual_seed(seed)
    folder = GOLDEN / name
    shutil.rmtree(folder, ignore_errors=True)
    model = model_class(config)
    with torch.no_grad():  # larger than the usual initialisation, so that every layer shows and no two logits are nearly equal
        for key, p in model.named_parameters():
            if p.dim() > 1:
                p.normal_(std=scale)
            else:
                p.add_(torch.randn_like(p) * 0.1)
    model.generation_config = GenerationConfig(**generation)
    model.half().save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval(), AutoTokenizer.from_pretrained(folder)


def calls(name, model, tokenizer, prompts, chats=(), new=24, **options):
    out, margins = [], []

    def generate(ids, mask=None, **more):
        result = model.generate(ids, attention_mask=torch.ones_like(ids) if mask is None else mask, do_sample=False, max_new_tokens=new, pad_token_id=tokenizer.pad_token_id or 0,
                                output_scores=True, return_dict_in_generate=True, **{**options, **more})
        for scores in result.scores:
            best = scores.topk(2, dim=-1).values
            margins.append((best[:, 0] - best[:, 1]).min().item())
        return result.sequences[:, ids.shape[1]:]

    def told(ids, generated, **call):
        text = tokenizer.decode(generated, skip_special_tokens=True, clean_up_tokenization_spaces=False)
        out.append(dict(call, promptTokens=ids, tokens=generated, text=text))
        print(f"{name} {call}: {len(generated)} tokens {text!r}")

    ends = model.generation_config.eos_token_id
    ends = ends if isinstance(ends, list) else [ends]
    cut = lambda row: row[: next((i + 1 for i, id in enumerate(row) if id in ends), len(row))]
    for prompt in prompts:
        ids = tokenizer(prompt, return_tensors="pt").input_ids
        told(ids[0].tolist(), generate(ids)[0].tolist(), input=prompt)
    ids = tokenizer(prompts[0], return_tensors="pt").input_ids
    told(ids[0].tolist(), generate(ids, repetition_penalty=1.3, no_repeat_ngram_size=2)[0].tolist(), input=prompts[0], options=dict(repetitionPenalty=1.3, noRepeatNgramSize=2))
    for messages in chats:
        ids = tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_tensors="pt", return_dict=True)["input_ids"]
        told(ids[0].tolist(), generate(ids)[0].tolist(), input=messages)
    tokenizer.padding_side = "left"
    tokenizer.pad_token = tokenizer.pad_token or tokenizer.eos_token
    batch = tokenizer(prompts, return_tensors="pt", padding=True)
    rows = [cut(row) for row in generate(batch.input_ids, batch.attention_mask).tolist()]
    out.append(dict(input=prompts, batch=rows))
    print(f"{name}: smallest margin between the two likeliest tokens {min(margins):.1e}")
    (GOLDEN / f"{name}.json").write_text(json.dumps(dict(maxNewTokens=new, calls=out), ensure_ascii=False, indent=1) + "\n")
    return min(margins)


def main():
    GOLDEN.mkdir(parents=True, exist_ok=True)
    prompts = ["Once upon a time", "The fox said: Привет 🦊", "apple"]
    small = dict(hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=256, tie_word_embeddings=True)

    llama3 = byte_level(["<|begin_of_text|>", "<|eot_id|>", "<|end_of_text|>"], bos="<|begin_of_text|>")
    rope = dict(rope_type="llama3", rope_theta=10000.0, factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0, original_max_position_embeddings=64)
    config = LlamaConfig(vocab_size=len(llama3), **small, rope_parameters=rope, bos_token_id=0, eos_token_id=2)
    golden("llama", LlamaForCausalLM, config, llama3, 0.25, prompts, first=1, bos_token_id=0, eos_token_id=[2, 1], do_sample=True, temperature=0.6, top_p=0.9, max_length=64)

    gpt2 = byte_level(["<|endoftext|>"])
    config = GPT2Config(vocab_size=len(gpt2), n_embd=32, n_layer=2, n_head=4, n_positions=128, bos_token_id=0, eos_token_id=0)
    golden("gpt2", GPT2LMHeadModel, config, gpt2, 0.2, prompts, first=2, bos_token_id=0, eos_token_id=0)

    qwen = byte_level(["<|endoftext|>", "<|im_start|>", "<|im_end|>"], template=CHATML)
    config = Qwen3Config(vocab_size=len(qwen) + 5, **small, head_dim=16, eos_token_id=2)
    chats = [[dict(role="user", content="Who lives in the forest?")], [dict(role="system", content="You are a fox."), dict(role="user", content="Hi!"), dict(role="assistant", content="Hello."), dict(role="user", content="  red apple ")]]
    golden("qwen3", Qwen3ForCausalLM, config, qwen, 0.25, prompts, chats, eos_token_id=[2, 0], repetition_penalty=1.05, do_sample=True, top_k=20)

    pieces = sentence_pieces()
    config = Gemma3TextConfig(vocab_size=len(pieces), **{**small, "num_hidden_layers": 3}, head_dim=8, sliding_window=6, layer_types=["sliding_attention", "full_attention", "sliding_attention"],
                              query_pre_attn_scalar=8, bos_token_id=2, eos_token_id=1, pad_token_id=0)
    golden("gemma3", Gemma3ForCausalLM, config, pieces, 0.15, prompts, bos_token_id=2, eos_token_id=1, pad_token_id=0)

    config = MistralConfig(vocab_size=len(pieces), **{**small, "tie_word_embeddings": False}, sliding_window=8, bos_token_id=2, eos_token_id=1, pad_token_id=0)
    golden("mistral", MistralForCausalLM, config, pieces, 0.25, prompts, bos_token_id=2, eos_token_id=1)


main()
