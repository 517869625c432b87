"""A storyteller: a Llama of 4.2 million parameters that learns to tell stories from five megabytes of text.

    python train.py text tokenizer model export       # or one stage at a time; `model` resumes where it stopped

Llama (arXiv 2302.13971) with grouped-query attention (2305.13245): 5 layers of 256, byte-level BPE of 2,048 tokens, 512 tokens of context.
So little text is read many times, so dropout (on each block's output) and the loss on held-out books decide when to stop:
the weights with the lowest held-out loss are kept.

Stages, all in --work:
  text       the books as documents, split into training and held-out books
  tokenizer  byte-level BPE, trained on the training books
  model      the network; a checkpoint of weights, optimisers and generator every few minutes
  export     model.gguf (matrices Q8_0) in --out, as llama.cpp lays a Llama out
Needs torch, transformers, tokenizers, gguf.
"""
import argparse, gzip, json, math, os, re, time
import numpy as np, torch, torch.nn.functional as F
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM

CONTEXT, VOCABULARY = 512, 2048
BEGIN, END = "<|begin|>", "<|end|>"
HELD_OUT = "English-Fairy-Tales_7439"  # of the fairy tales; and every 20th picture book


# ---------------------------------------------------------------- text

def books(path):
    """(name, text) of each book in a file of `<|book|>name` lines."""
    for book in gzip.open(path, "rt", encoding="utf8").read().split("<|book|>")[1:]:
        name, _, text = book.partition("\n")
        yield name.strip(), text


def plain(text):
    """Straight quotes, no markup."""
    for a, b in (("‘", "'"), ("’", "'"), ("“", '"'), ("”", '"'), ("—", "--"), ("\r", "")):
        text = text.replace(a, b)
    return re.sub(r"\[[^\]]*\]|[_*]", "", text)


def paragraphs(text):
    return [re.sub(r"\s+", " ", p).strip() for p in re.split(r"\n\s*\n", text) if p.strip()]


def picture_book(text):
    """Title and pages as one document; the credits at the end go to the model card."""
    story = re.split(r"\n\* ", text)[0]
    title, *pages = paragraphs(plain(story.replace("##", "\n\n")))
    return "\n\n".join([title.lstrip("# "), *pages])


def tales(text):
    """The tales or chapters of a book: each begins at a line in capitals. Front matter and lists of contents are too short to stay."""
    tale = []
    for p in paragraphs(plain(text)):
        if p.upper() == p and re.search("[A-Z]{2}", p) and len(p) < 90 or re.match(r"(CHAPTER |Chapter |\d+\. The )", p) and len(p) < 90:
            if is_tale(tale):
                yield "\n\n".join(tale)
            tale = [re.sub(r"^(CHAPTER|Chapter) [IVXLC\d]+\.? ?|^[IVXLC]+\. |\(\d+\)$", "", p).strip(" .").title().replace("'S", "'s")]
        elif not re.match(r"(Produced by|By |by$|Edited|Contents|Translated)", p) and not re.search(r"\.\s*\.\s*\.\s*\.|https?:", p):
            tale.append(re.sub(r" ?\(\d+\)", "", p))
    if is_tale(tale):
        yield "\n\n".join(tale)


def is_tale(paragraphs):
    """Long enough to be one, and no scholar's note on one."""
    return sum(map(len, paragraphs)) > 1500 and not paragraphs[1].startswith("Source")


def stage_text(o):
    """→ text.json: {train: [[kind, document], …], held: […]}."""
    parts = {"train": [], "held": []}
    for i, (_, text) in enumerate(books(f"{o.data}/picture-books.txt.gz")):
        parts["held" if i % 20 == 7 else "train"].append(("picture", picture_book(text)))
    for name, text in books(f"{o.data}/fairy-tales.txt.gz"):
        parts["held" if name == HELD_OUT else "train"] += [("tale", tale) for tale in tales(text)]
    os.makedirs(o.work, exist_ok=True)
    json.dump(parts, open(f"{o.work}/text.json", "w"))
    for part, documents in parts.items():
        for kind in ("picture", "tale"):
            chosen = [text for k, text in documents if k == kind]
            print(f"{part}: {len(chosen)} {kind} documents, {sum(map(len, chosen)):,} characters")


# ---------------------------------------------------------------- tokenizer

def stage_tokenizer(o):
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)  # GPT-2's split
    tokenizer.decoder = decoders.ByteLevel()
    texts = [text for kind, text in json.load(open(f"{o.work}/text.json"))["train"] for _ in range(3 if kind == "picture" else 1)]
    tokenizer.train_from_iterator(texts, trainers.BpeTrainer(
        vocab_size=VOCABULARY, special_tokens=[BEGIN, END], initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()), show_progress=False))
    tokenizer.save(f"{o.work}/tokenizer.json")
    print(f"{tokenizer.get_vocab_size()} tokens, {sum(map(len, texts)) / sum(len(e.ids) for e in tokenizer.encode_batch(texts)):.2f} characters a token")


# ---------------------------------------------------------------- model

def config():
    return LlamaConfig(vocab_size=VOCABULARY, hidden_size=256, intermediate_size=704, num_hidden_layers=5, num_attention_heads=4, num_key_value_heads=2,
                       max_position_embeddings=CONTEXT, rms_norm_eps=1e-5, tie_word_embeddings=True, bos_token_id=0, eos_token_id=1, rope_theta=10000.0)


def make_model(dropout=0.0):
    model = LlamaForCausalLM(config())
    if dropout:
        for layer in model.model.layers:
            layer.mlp.register_forward_hook(lambda module, _, out: F.dropout(out, dropout, module.training))
            layer.self_attn.register_forward_hook(lambda module, _, out: (F.dropout(out[0], dropout, module.training), *out[1:]))
        model.model.embed_tokens.register_forward_hook(lambda module, _, out: F.dropout(out, dropout, module.training))
    return model


def streams(o):
    """Token ids of the training documents by kind, and of the held-out ones: each document begins with BEGIN and ends with END."""
    tokenizer, parts = Tokenizer.from_file(f"{o.work}/tokenizer.json"), json.load(open(f"{o.work}/text.json"))

    def ids(documents):
        return [np.array([0, *e.ids, 1], dtype=np.int64) for e in tokenizer.encode_batch(documents)]
    train = {kind: ids([text for k, text in parts["train"] if k == kind]) for kind in ("picture", "tale")}
    return train, ids([text for _, text in parts["held"]]), sum(len(text.encode()) for _, text in parts["held"])


def windows(documents, generator, batch):
    """`batch` windows of CONTEXT + 1 tokens of documents joined in a random order: the first begins at a random place."""
    order = torch.randperm(len(documents), generator=generator).tolist()
    row, need = [], batch * CONTEXT + 1
    for i in order * (1 + need // sum(map(len, documents))):
        row.append(documents[i])
        if sum(map(len, row)) >= need + len(row[0]):
            break
    joined = torch.from_numpy(np.concatenate(row))
    start = int(torch.randint(max(1, min(len(row[0]), len(joined) - need)), (1,), generator=generator))
    joined = joined[start:start + need]
    return joined[:-1].view(batch, CONTEXT), joined[1:].view(batch, CONTEXT)


@torch.no_grad()
def held_out_loss(model, held):
    """Mean loss of a token in nats, each seen with at least half a context before it where there is one."""
    model.eval()
    total = count = 0
    for document in held:
        for start in range(0, max(1, len(document) - 1), CONTEXT // 2):
            window = torch.from_numpy(document[start:start + CONTEXT + 1])[None]
            fresh = 0 if start == 0 else CONTEXT // 2
            if window.shape[1] - 1 <= fresh:
                break
            losses = F.cross_entropy(model(window[:, :-1]).logits[0].float(), window[0, 1:], reduction="none")[fresh:]
            total, count = total + losses.sum().item(), count + len(losses)
    model.train()
    return total / count, total


def stage_model(o):
    torch.manual_seed(0)
    generator = torch.Generator().manual_seed(0)
    train, held, held_bytes = streams(o)
    some = held[::3]
    model = make_model(o.dropout).train()
    layers = [p for n, p in model.named_parameters() if p.ndim == 2 and ".layers." in n]
    rest = [p for n, p in model.named_parameters() if not (p.ndim == 2 and ".layers." in n)]
    optimisers = {"muon": torch.optim.Muon(layers, lr=1e-3, weight_decay=0.1, adjust_lr_fn="match_rms_adamw"),
                  "adamw": torch.optim.AdamW(rest, lr=1e-3, betas=(0.9, 0.98), weight_decay=0.0)}
    path, spent, step, best, batch = f"{o.work}/model.pt", 0.0, 0, math.inf, 16
    if os.path.exists(path):
        state = torch.load(path, weights_only=False)
        model.load_state_dict(state["model"])
        for name, optimiser in optimisers.items():
            optimiser.load_state_dict(state[name])
        generator.set_state(state["generator"])
        spent, step, best = state["spent"], state["step"], state["best"]
        print(f"resumed at step {step}, {spent:.0f} s, best {best:.4f}", flush=True)
    before, looked, mean = time.time() - spent, time.time(), None
    while spent < o.seconds:
        kind = "picture" if torch.rand((), generator=generator) < 0.3 else "tale"
        x, y = windows(train[kind], generator, batch)
        done = spent / o.seconds
        for optimiser in optimisers.values():
            for group in optimiser.param_groups:
                group["lr"] = o.rate * min(1, (step + 1) / 100) * min(1, 1.6 * (1.01 - done))
        with torch.autocast("cpu", torch.bfloat16):
            logits = model(x).logits
        loss = F.cross_entropy(logits.float().flatten(0, 1), y.flatten())
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for optimiser in optimisers.values():
            optimiser.step()
            optimiser.zero_grad()
        step, spent = step + 1, time.time() - before
        mean = loss.item() if mean is None else 0.98 * mean + 0.02 * loss.item()
        if step % 50 == 0:
            print(f"{step} {spent:.0f}s loss {mean:.3f}", flush=True)
        if time.time() - looked > 240 or spent >= o.seconds:
            value, _ = held_out_loss(model, some)
            print(f"{step} {spent:.0f}s held-out {value:.4f}{' *' if value < best else ''}", flush=True)
            if value < best:
                best = value
                torch.save(model.state_dict(), f"{o.work}/best.pt")
            torch.save(dict(model=model.state_dict(), generator=generator.get_state(), spent=spent, step=step, best=best,
                            **{name: optimiser.state_dict() for name, optimiser in optimisers.items()}), path + ".new")
            os.replace(path + ".new", path)
            looked = time.time()
    model.load_state_dict(torch.load(f"{o.work}/best.pt"))
    value, total = held_out_loss(model, held)
    print(f"best: held-out loss {value:.4f} a token, {total / math.log(2) / held_bytes:.3f} bits a byte")


# ---------------------------------------------------------------- export

def stage_export(o):
    """→ model.gguf: llama.cpp's names and its order of rows in q and k, matrices in Q8_0, norms in F32."""
    import gguf
    state, c = torch.load(f"{o.work}/best.pt"), config()
    tokenizer = json.load(open(f"{o.work}/tokenizer.json"))["model"]
    writer = gguf.GGUFWriter(f"{o.out}/model.gguf", "llama")
    writer.add_name("Storyteller")
    writer.add_license("MIT")
    writer.add_context_length(c.max_position_embeddings)
    writer.add_embedding_length(c.hidden_size)
    writer.add_block_count(c.num_hidden_layers)
    writer.add_feed_forward_length(c.intermediate_size)
    writer.add_head_count(c.num_attention_heads)
    writer.add_head_count_kv(c.num_key_value_heads)
    writer.add_layer_norm_rms_eps(c.rms_norm_eps)
    writer.add_rope_dimension_count(c.hidden_size // c.num_attention_heads)
    writer.add_rope_freq_base(10000.0)
    writer.add_vocab_size(VOCABULARY)
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_Q8_0)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(sorted(tokenizer["vocab"], key=tokenizer["vocab"].get))
    writer.add_token_types([gguf.TokenType.CONTROL] * 2 + [gguf.TokenType.NORMAL] * (VOCABULARY - 2))
    writer.add_token_merges([" ".join(pair) if isinstance(pair, list) else pair for pair in tokenizer["merges"]])
    writer.add_bos_token_id(0)
    writer.add_eos_token_id(1)
    writer.add_add_bos_token(True)
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.LLAMA, c.num_hidden_layers)
    for name, tensor in state.items():
        if name == "lm_head.weight":
            continue  # tied to the embedding
        values = tensor.float().numpy()
        heads = c.num_attention_heads if "q_proj" in name else c.num_key_value_heads if "k_proj" in name else 0
        if heads:  # halves of each head interleaved, as llama.cpp rotates pairs
            values = values.reshape(heads, 2, -1, values.shape[1]).swapaxes(1, 2).reshape(values.shape)
        ours = names.get_name(name, try_suffixes=(".weight",))
        if values.ndim == 2:
            writer.add_tensor(ours, gguf.quants.quantize(values, gguf.GGMLQuantizationType.Q8_0), raw_dtype=gguf.GGMLQuantizationType.Q8_0)
        else:
            writer.add_tensor(ours, values)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    print(f"{os.path.getsize(f'{o.out}/model.gguf'):,} bytes")


STAGES = {name.removeprefix("stage_"): f for name, f in list(globals().items()) if name.startswith("stage_")}

if __name__ == "__main__":
    here = os.path.dirname(os.path.abspath(__file__))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("stages", nargs="+", choices=STAGES)
    parser.add_argument("--data", default=f"{here}/../../../shared/data")
    parser.add_argument("--work", default=f"{here}/../../../train/storyteller", help="checkpoints, outside the project")
    parser.add_argument("--seconds", type=float, default=3600, help="of `model`")
    parser.add_argument("--rate", type=float, default=2e-3)
    parser.add_argument("--dropout", type=float, default=0.1)
    parser.add_argument("--out", default=here, help="of export")
    o = parser.parse_args()
    for stage in o.stages:
        STAGES[stage](o)
