"""Golden ids and texts of tokenizers for generation: small ones of every kind, trained here, as a Hub folder has them
(tokenizer.json, tokenizer_config.json) and as a GGUF's metadata has them, with what transformers makes of mixed lines.
Run: python tests/reference/generation_tokenizers.py"""
import io
import json
import os
import random
import tempfile
from pathlib import Path

os.environ["TOKENIZERS_PARALLELISM"] = "false"

import sentencepiece
import transformers
from tokenizer_lines import lines
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import AutoTokenizer
from transformers.tokenization_utils_base import generate_merges

HERE = Path(__file__).parent
GOLDEN = HERE / "golden" / "generation-tokenizers"
NORMAL, UNKNOWN, CONTROL, USER_DEFINED, UNUSED, BYTE = 1, 2, 3, 4, 5, 6

CONTRACTIONS = "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
LLAMA3 = CONTRACTIONS + r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
QWEN2 = CONTRACTIONS + r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
UPPER, LOWER = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]", r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"
GPT4O = (rf"[^\r\n\p{{L}}\p{{N}}]?{UPPER}*{LOWER}+{CONTRACTIONS}?|[^\r\n\p{{L}}\p{{N}}]?{UPPER}+{LOWER}*{CONTRACTIONS}?"
         r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+")

SPECIALS = ["<|begin|>", "<|end|>", "<s>", "</s>", "<unk>", "<think>", "</think>", "<|pad|>", "<extra_id_0>", "<bos>", "<eos>", "<pad>"]
EXTRA = [
    "", " ", "  ", "\n", "\n\n", " \n ", "\t\t x", "a", " a", "  a  b   c", "Hello world!", "<s>", "</s>", "a<s>b", "a <s> b", " <s>a", "<think>a</think> b", "<|begin|><|end|>",
    "x <|end|>  y", "<|end|>\n\nz", "1234567 12.5 3,000 ٣٤ ½", "don't WE'LL I'M donʼt 'ſ 's", "\ufeffa\u0085b", "e\u0301 é ﬁ Ⅳ ㍿", "▁a ▁▁ b", "<0x41> <0x0A>", "👩‍🚀👍🏽🇩🇪", "日本語テキスト",
    "tail   ", "   ", "\u3000wide\u3000", "a\u200bb", "\x00\x01", "👍" * 20, "   indented\n\tcode {\n}", "ÀÉÎ naïve", "…—“”", "a" * 300,
]


def texts() -> list[str]:
    rng = random.Random(7)
    mixed = [line[:160] for line in lines(1200)[16::9]]
    marked = []
    for line in mixed[:40]:
        words = line.split(" ")
        words.insert(rng.randint(0, len(words)), rng.choice(SPECIALS))
        marked.append(rng.choice([" ", ""]).join(words) if len(words) < 12 else " ".join(words))
    return EXTRA + mixed + marked


def byte_level(words, trained: list[str], size: int, special: list[str], plain: list[str], normalizer=None, ignore_merges=False) -> Tokenizer:
    tokenizer = Tokenizer(models.BPE(ignore_merges=ignore_merges))
    tokenizer.normalizer = normalizer
    tokenizer.pre_tokenizer = words
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.train_from_iterator(trained, trainers.BpeTrainer(vocab_size=size, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False))
    tokenizer.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in special])
    tokenizer.add_tokens([AddedToken(token, special=False, normalized=False) for token in plain])
    return tokenizer


def split(regex: str):
    return pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(regex), behavior="isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])


def begins(tokenizer: Tokenizer, token: str, end: str = "") -> Tokenizer:
    template = processors.TemplateProcessing(single=f"{token} $A {end}".strip(), pair=f"{token} $A {token} $B:1",
                                             special_tokens=[(name, tokenizer.token_to_id(name)) for name in (token, end) if name])
    byte_level = '"ByteLevel"' in tokenizer.to_str()
    tokenizer.post_processor = processors.Sequence([processors.ByteLevel(trim_offsets=False), template]) if byte_level else template
    return tokenizer


def gpt2_metadata(tokenizer: Tokenizer, pre: str, **ids) -> dict:
    size = tokenizer.get_vocab_size()
    added = tokenizer.get_added_tokens_decoder()
    kind = lambda i: NORMAL if i not in added else CONTROL if added[i].special else USER_DEFINED
    merges = json.loads(tokenizer.to_str())["model"]["merges"]
    return {"model": "gpt2", "pre": pre, "tokens": [tokenizer.id_to_token(i) for i in range(size)], "token_type": [kind(i) for i in range(size)],
            "merges": [" ".join(pair) for pair in merges], **ids}


def sentencepiece_model(kind: str, trained: list[str], size: int, **options):
    out = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(sentence_iterator=iter(trained), model_writer=out, model_type=kind, vocab_size=size, minloglevel=2, num_threads=1, **options)
    model = sentencepiece.SentencePieceProcessor(model_proto=out.getvalue())
    pieces = [model.id_to_piece(i) for i in range(model.get_piece_size())]
    types = [UNKNOWN if model.is_unknown(i) else BYTE if model.is_byte(i) else CONTROL if model.is_control(i) else NORMAL for i in range(len(pieces))]
    return out.getvalue(), pieces, [model.get_score(i) for i in range(len(pieces))], types


def spaced_bpe(pieces, scores, types, form: str, unknown: str, special: list[str], plain: list[str]) -> Tokenizer:
    """SentencePiece's BPE as tokenizer.json writes it: "prepend" (Llama 2), "first" (Llama 2 without its legacy), "none" (Gemma)."""
    vocab = {piece: i for i, piece in enumerate(pieces)}
    merges = generate_merges(vocab, dict(zip(pieces, scores)))
    tokenizer = Tokenizer(models.BPE(vocab=vocab, merges=merges, unk_token=unknown, fuse_unk=True, byte_fallback=True))
    steps = [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()]
    if form == "prepend":
        tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    elif form == "first":
        tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="first", split=False)
    else:
        tokenizer.normalizer = normalizers.Replace(" ", "▁")
        tokenizer.pre_tokenizer = pre_tokenizers.Split(" ", behavior="merged_with_previous", invert=False)
    tokenizer.decoder = decoders.Sequence(steps + ([decoders.Strip(" ", 1, 0)] if form != "none" else []))
    tokenizer.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in special])
    tokenizer.add_tokens([AddedToken(token, special=False, normalized=False) for token in plain])
    return tokenizer


def encode_all(tokenizer, inputs: list[str]) -> dict:
    """Ids of every line, their text with and without special tokens, and the text of some random ids."""
    rng = random.Random(11)
    ids = [tokenizer.encode(text) for text in inputs]
    bare = [tokenizer.encode(text, add_special_tokens=False) for text in inputs[:60]]
    tokenizer.split_special_tokens = True
    tokenizer._tokenizer.encode_special_tokens = True
    literal = [tokenizer.encode(text, add_special_tokens=False) for text in inputs[:60]]
    tokenizer._tokenizer.encode_special_tokens = False
    drawn = [[rng.randrange(len(tokenizer)) for _ in range(rng.randint(1, 24))] for _ in range(60)]
    text = lambda rows, skip: [tokenizer.decode(row, skip_special_tokens=skip) for row in rows]
    decoded = text(ids, True)
    return {"vocabSize": len(tokenizer), "bos": tokenizer.bos_token_id, "eos": tokenizer.eos_token_id, "pad": tokenizer.pad_token_id,
            "ids": ids, "bare": bare, "literal": literal, "drawn": drawn, "drawnText": text(drawn, False), "drawnSkipped": text(drawn, True),
            # what is the text that went in is not written twice
            "decoded": [None if out == into else out for into, out in zip(inputs, decoded)]}


def publish(name: str, tokenizer: Tokenizer, config: dict, metadata: dict | None, inputs: list[str], architecture="llama") -> None:
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        tokenizer.save(str(folder / "tokenizer.json"))
        (folder / "tokenizer_config.json").write_text(json.dumps(config, ensure_ascii=False))
        (folder / "config.json").write_text(json.dumps({"model_type": architecture}))
        loaded = AutoTokenizer.from_pretrained(folder)
        files = {"tokenizer.json": json.loads((folder / "tokenizer.json").read_text()), "tokenizer_config.json": config}
    golden = {"transformers": transformers.__version__, "files": files, "architecture": architecture, "gguf": metadata, **encode_all(loaded, inputs)}
    path = GOLDEN / f"{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(golden, ensure_ascii=False, separators=(",", ":")), encoding="utf-8")
    print(path.relative_to(HERE), path.stat().st_size)


def main() -> None:
    inputs, trained = texts(), lines(2000)[16:]
    GOLDEN.mkdir(parents=True, exist_ok=True)
    (GOLDEN / "texts.json").write_text(json.dumps(inputs, ensure_ascii=False), encoding="utf-8")

    gpt2 = byte_level(pre_tokenizers.ByteLevel(add_prefix_space=False), trained, 700, ["<|end|>"], [])
    end = gpt2.token_to_id("<|end|>")
    gpt2.post_processor = processors.ByteLevel(trim_offsets=False)
    publish("gpt2", gpt2, {"tokenizer_class": "GPT2Tokenizer", "bos_token": "<|end|>", "eos_token": "<|end|>", "unk_token": "<|end|>"},
            gpt2_metadata(gpt2, "gpt-2", bos_token_id=end, eos_token_id=end), inputs, "gpt2")

    llama3 = begins(byte_level(split(LLAMA3), trained, 900, ["<|begin|>", "<|end|>", "<|pad|>"], [], ignore_merges=True), "<|begin|>")
    ids = {"bos_token_id": llama3.token_to_id("<|begin|>"), "eos_token_id": llama3.token_to_id("<|end|>")}
    publish("llama3", llama3, {"tokenizer_class": "PreTrainedTokenizerFast", "bos_token": "<|begin|>", "eos_token": "<|end|>", "clean_up_tokenization_spaces": True},
            gpt2_metadata(llama3, "llama-bpe", **ids), inputs)

    qwen2 = byte_level(split(QWEN2), trained, 800, ["<|end|>", "<|begin|>"], ["<think>", "</think>"], normalizer=normalizers.NFC())
    ids = {"eos_token_id": qwen2.token_to_id("<|begin|>"), "padding_token_id": qwen2.token_to_id("<|end|>"), "add_bos_token": False}
    decoder = {str(i): {"content": token.content, "lstrip": False, "normalized": False, "rstrip": False, "single_word": False, "special": token.special}
               for i, token in qwen2.get_added_tokens_decoder().items()}
    publish("qwen2", qwen2, {"tokenizer_class": "Qwen2Tokenizer", "add_bos_token": False, "bos_token": None, "eos_token": "<|begin|>", "unk_token": None,
                             "pad_token": "<|end|>", "added_tokens_decoder": decoder, "add_prefix_space": False}, gpt2_metadata(qwen2, "qwen2", **ids), inputs, "qwen2")

    words = pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)])
    smollm = byte_level(words, trained, 700, ["<|end|>", "<|begin|>"], [])
    ids = {"bos_token_id": smollm.token_to_id("<|begin|>"), "eos_token_id": smollm.token_to_id("<|end|>"), "add_bos_token": False}
    publish("smollm", smollm, {"tokenizer_class": "PreTrainedTokenizerFast", "bos_token": "<|begin|>", "eos_token": "<|end|>", "pad_token": "<|end|>"},
            gpt2_metadata(smollm, "smollm", padding_token_id=smollm.token_to_id("<|end|>"), **ids), inputs)

    gpt4o = byte_level(split(GPT4O), trained, 700, ["<|end|>"], [])
    gpt4o.post_processor = processors.ByteLevel(trim_offsets=False)
    publish("gpt-4o", gpt4o, {"tokenizer_class": "PreTrainedTokenizerFast", "eos_token": "<|end|>"}, gpt2_metadata(gpt4o, "gpt-4o", eos_token_id=gpt4o.token_to_id("<|end|>")), inputs)

    options = {"byte_fallback": True, "character_coverage": 0.98, "normalization_rule_name": "identity", "remove_extra_whitespaces": False, "split_digits": True}
    _, pieces, scores, types = sentencepiece_model("bpe", trained, 900, **options)
    metadata = {"model": "llama", "pre": "default", "tokens": pieces, "scores": scores, "token_type": types, "bos_token_id": 1, "eos_token_id": 2, "unknown_token_id": 0}
    config = {"tokenizer_class": "PreTrainedTokenizerFast", "bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "add_bos_token": True, "add_eos_token": False}
    llama2 = spaced_bpe(pieces, scores, types, "prepend", "<unk>", ["<unk>", "<s>", "</s>"], [])
    begins(llama2, "<s>")
    publish("llama2-class", llama2, {**config, "tokenizer_class": "LlamaTokenizer"}, None, inputs)  # which transformers builds anew
    publish("llama2-legacy", llama2, {**config, "tokenizer_class": "LlamaTokenizer", "legacy": True}, None, inputs)
    publish("llama2", llama2, config, {**metadata, "add_space_prefix": True, "add_bos_token": True, "add_eos_token": False}, inputs)

    mistral = spaced_bpe(pieces, scores, types, "first", "<unk>", ["<unk>", "<s>", "</s>"], [])
    mistral.add_special_tokens([AddedToken("<|end|>", special=True, normalized=False, rstrip=True), AddedToken("<|begin|>", special=True, normalized=False, lstrip=True)])
    mistral.add_tokens([AddedToken("<think>", single_word=True, normalized=False), AddedToken("oil painting", normalized=True)])
    begins(mistral, "<s>", "</s>")
    publish("metaspace", mistral, config, None, inputs)

    _, pieces, scores, types = sentencepiece_model("bpe", trained, 900, **options, unk_id=3, bos_id=2, eos_id=1, pad_id=0, bos_piece="<bos>", eos_piece="<eos>", pad_piece="<pad>", control_symbols=["<mask>"])
    spaces = ["▁" * n for n in range(2, 6)]
    at = next(i for i, kind in enumerate(types) if kind == NORMAL)  # as Gemma has them: before the ordinary pieces
    new = [piece for piece in ["\n\n", *spaces] if piece not in pieces]
    pieces, types = pieces[:at] + new + pieces[at:], types[:at] + [USER_DEFINED] * len(new) + types[at:]
    positions = [-i for i in range(len(pieces))]
    gemma = spaced_bpe(pieces, positions, types, "none", "<unk>", ["<pad>", "<eos>", "<bos>", "<unk>", "<mask>"], new)
    begins(gemma, "<bos>")
    stored = [" " * len(piece) if piece in new and "▁" in piece else piece for piece in pieces]
    metadata = {"model": "llama", "pre": "default", "tokens": stored, "scores": [-1000.0] * len(pieces), "token_type": types, "bos_token_id": 2, "eos_token_id": 1, "unknown_token_id": 3,
                "padding_token_id": 0, "add_space_prefix": False, "add_bos_token": True, "add_eos_token": False}
    publish("gemma", gemma, {"tokenizer_class": "GemmaTokenizer", "bos_token": "<bos>", "eos_token": "<eos>", "unk_token": "<unk>", "pad_token": "<pad>", "mask_token": "<mask>"},
            metadata, inputs, "gemma3_text")

    proto, pieces, scores, types = sentencepiece_model("unigram", trained, 900, character_coverage=0.98, pad_id=0, eos_id=1, unk_id=2, bos_id=-1)
    from transformers.convert_slow_tokenizer import import_protobuf
    model = import_protobuf("").ModelProto.FromString(proto)
    charsmap = bytes(model.normalizer_spec.precompiled_charsmap)
    extra = [f"<extra_id_{i}>" for i in range(99, -1, -1)]
    t5 = Tokenizer(models.Unigram([*zip(pieces, scores), *((token, 0.0) for token in extra)], unk_id=2, byte_fallback=False))
    t5.normalizer = normalizers.Precompiled(charsmap)
    t5.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="always", split=True)])
    t5.decoder = decoders.Metaspace(replacement="▁", prepend_scheme="always", split=True)
    t5.post_processor = processors.TemplateProcessing(single="$A </s>", pair="$A </s> $B </s>", special_tokens=[("</s>", 1)])
    t5.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in ["<pad>", "</s>", "<unk>", *extra]])
    stored = pieces + [f"[PAD{len(pieces) + i}]" for i in range(100)]
    metadata = {"model": "t5", "pre": "default", "tokens": stored, "scores": [*scores, *([0.0] * 100)], "token_type": [*types, *([UNUSED] * 100)], "eos_token_id": 1, "unknown_token_id": 2,
                "padding_token_id": 0, "add_bos_token": False, "add_eos_token": True, "precompiled_charsmap": "the one of tokenizer.json"}
    publish("t5", t5, {"tokenizer_class": "T5Tokenizer", "eos_token": "</s>", "unk_token": "<unk>", "pad_token": "<pad>", "extra_ids": 100}, metadata, inputs, "t5")


if __name__ == "__main__":
    main()
