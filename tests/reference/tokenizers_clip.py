"""Golden ids of CLIP's tokenizer, from transformers: for the public vocabulary (../shared/weights, not kept here), and for
a small one trained here on the same lines, which is kept. Run: python tests/reference/tokenizers_clip.py"""
import gzip
import json
import shutil
import tempfile
from pathlib import Path

import tokenizers
import transformers
from tokenizer_lines import lines
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import CLIPTokenizer, PreTrainedTokenizerFast

HERE = Path(__file__).parent
GOLDEN = HERE / "golden" / "tokenizers"
PUBLIC = HERE / "../../../shared/weights/clip-bpe_simple_vocab_16e6.txt.gz"
START, END = "<|startoftext|>", "<|endoftext|>"


def added(content: str, typed: bool) -> dict:
    token = {"content": content, "lstrip": False, "normalized": True, "rstrip": False, "single_word": False}
    return {"__type": "AddedToken", **token} if typed else token


def write_folder(folder: Path, vocab: list[str], merges: list[str], pad: str) -> None:
    """A tokenizer folder as Stable Diffusion 1.x (pad: <|endoftext|>) and 2.x (pad: !) publish it."""
    folder.mkdir(parents=True, exist_ok=True)
    dump = lambda name, value: (folder / name).write_text(json.dumps(value, ensure_ascii=False), encoding="utf-8")
    dump("vocab.json", {token: i for i, token in enumerate(vocab)})
    (folder / "merges.txt").write_text("\n".join(["#version: 0.2", *merges]) + "\n", encoding="utf-8")
    dump("tokenizer_config.json", {
        "add_prefix_space": False, "bos_token": added(START, True), "do_lower_case": True, "eos_token": added(END, True),
        "errors": "replace", "model_max_length": 77, "pad_token": END, "tokenizer_class": "CLIPTokenizer", "unk_token": added(END, True)})
    dump("special_tokens_map.json", {
        "bos_token": added(START, False), "eos_token": added(END, False), "pad_token": pad, "unk_token": added(END, False)})


def encode(tokenizer, texts: list[str]) -> dict:
    """Ids without their padding, the padding's id, and of every line what was cut, as diffusers words it."""
    limit = tokenizer.model_max_length
    out = tokenizer(texts, padding="max_length", max_length=limit, truncation=True)
    whole = tokenizer(texts).input_ids
    ids = [row[:sum(mask)] for row, mask in zip(out.input_ids, out.attention_mask)]
    cut = {i: tokenizer.decode(row[limit - 1:-1]).replace("</w>", " ").strip() for i, row in enumerate(whole) if len(row) > limit}
    return {"transformers": transformers.__version__, "tokenizers": tokenizers.__version__,
            "maxLength": limit, "padId": tokenizer.pad_token_id, "ids": ids, "cut": cut}


def save(path: Path, value) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, ensure_ascii=False, separators=(",", ":")), encoding="utf-8")
    print(path.relative_to(HERE), path.stat().st_size)


def public_merges() -> list[str]:
    text = gzip.open(PUBLIC, "rt", encoding="utf-8").read()
    return text.split("\n")[1:49152 - 256 - 2 + 1]


def byte_alphabet() -> list[str]:
    """The 256 bytes as printable characters, in the order of CLIP's vocabulary: first those that print as themselves."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [b for b in range(256) if b not in printable]
    return [chr(b) for b in printable] + [chr(256 + i) for i in range(len(others))]


def vocabulary(merges: list[str]) -> list[str]:
    alphabet = byte_alphabet()
    return [*alphabet, *(c + "</w>" for c in alphabet), *(m.replace(" ", "") for m in merges), START, END]


def small_merges(texts: list[str], count: int) -> list[str]:
    tokenizer = Tokenizer(models.BPE(end_of_word_suffix="</w>"))
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Lowercase()])
    words = Regex(r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+")
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Split(words, "removed", invert=True), pre_tokenizers.ByteLevel(add_prefix_space=False)])
    tokenizer.train_from_iterator(texts, trainers.BpeTrainer(vocab_size=512 + count, end_of_word_suffix="</w>", initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
    return [" ".join(pair) for pair in json.loads(tokenizer.to_str())["model"]["merges"]]


def emoji_like(texts: list[str]) -> PreTrainedTokenizerFast:
    """A tokenizer.json with everything in the file: BPE, template with start and end, truncation, fixed padding."""
    tokenizer = Tokenizer(models.BPE(unk_token=None, end_of_word_suffix="</w>"))
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Lowercase()])
    words = Regex(r"\p{L}+|\p{N}|[^\s\p{L}\p{N}]+")
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Split(words, "removed", invert=True), pre_tokenizers.ByteLevel(add_prefix_space=False)])
    tokenizer.train_from_iterator(texts, trainers.BpeTrainer(
        vocab_size=900, end_of_word_suffix="</w>", initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), special_tokens=["<start>", "<end>", "<pad>"]))
    tokenizer.post_processor = tokenizers.processors.TemplateProcessing(single="<start> $A <end>", special_tokens=[("<start>", 0), ("<end>", 1)])
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.enable_truncation(24)
    tokenizer.enable_padding(length=24, pad_id=2, pad_token="<pad>")
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, model_max_length=24, bos_token="<start>", eos_token="<end>", pad_token="<pad>")


def main() -> None:
    texts = lines()
    save(GOLDEN / "lines.json", texts)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        if PUBLIC.exists():
            merges = public_merges()
            write_folder(folder / "public", vocabulary(merges), merges, END)
            save(GOLDEN / "clip-public.json", encode(CLIPTokenizer.from_pretrained(folder / "public"), texts))

        merges = small_merges(texts, 600)
        vocab = [token for token in vocabulary(merges) if token not in ("q", "q</w>", "Ĥ</w>")]  # so that something is unknown
        merges = [m for m in merges if all(part in vocab for part in m.split(" "))]
        write_folder(GOLDEN / "clip-small", vocab, merges, END)
        tokenizer = CLIPTokenizer.from_pretrained(GOLDEN / "clip-small")
        save(GOLDEN / "clip-small.json", encode(tokenizer, texts))
        tokenizer.save_pretrained(folder / "saved")  # as today's diffusers writes it: one tokenizer.json
        for name in ("tokenizer.json", "tokenizer_config.json"):
            (GOLDEN / "clip-saved").mkdir(exist_ok=True)
            shutil.copy(folder / "saved" / name, GOLDEN / "clip-saved" / name)
        saved = encode(CLIPTokenizer.from_pretrained(GOLDEN / "clip-saved"), texts)
        assert saved["ids"] == json.loads((GOLDEN / "clip-small.json").read_text())["ids"]

        write_folder(folder / "small-2x", vocab, merges, "!")
        save(GOLDEN / "clip-small-2x.json", encode(CLIPTokenizer.from_pretrained(folder / "small-2x"), texts[:400]))

        tokenizer = emoji_like(texts)
        tokenizer.save_pretrained(GOLDEN / "fast")
        save(GOLDEN / "fast.json", encode(tokenizer, texts[:400]))


if __name__ == "__main__":
    main()
