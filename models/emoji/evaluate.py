"""How well the shipped model draws what it is asked for, by a classifier that never saw it.

    python evaluate.py                    # prints top-1 for 300 names × 3 styles, in English and in Russian; writes contact-sheet.png

A small classifier (random features and ridge regression on gradient orientations and colours) learns the 1,569 concepts from the
augmented real pictures alone, in a minute of CPU, and is kept in --work.
It then names the pictures generated at a fixed seed, in `--steps` steps. Its own accuracy on fresh augmentations of the real pictures and
on what the autoencoder makes of them are printed too: nothing generated can be expected to do better than the latter.
"""
import argparse, json, math, os, random, time
import numpy as np, torch, torch.nn.functional as F
from diffusers import AutoencoderTiny, DDIMScheduler, DPMSolverMultistepScheduler, UNet2DConditionModel
from PIL import Image, ImageDraw
from tokenizers import Tokenizer
from transformers import CLIPTextModel
from train import STYLES, pictures

SHEET = ["red apple", "cat face", "rocket", "pizza", "ghost", "cactus", "castle", "octopus",
         "красное яблоко", "собака", "гитара", "снеговик", "дерево", "поезд", "клубника", "робот"]
WORDS = {"en": {"3d": "3d", "flat": "flat", "line": "line art"}, "ru": {"3d": "3д", "flat": "плоский", "line": "линии"}}


# ---------------------------------------------------------------- the classifier

def features(x):
    """[B, 3, 64, 64] in -1…1 → [B, 960]: eight gradient orientations in 8×8 cells (HOG, Dalal & Triggs 2005), 8×8 colours, 16×16 greys."""
    grey = x.mean(1, keepdim=True)
    dx, dy = (F.pad(grey, p, mode="replicate").diff(dim=d) for p, d in (((0, 1, 0, 0), 3), ((0, 0, 0, 1), 2)))
    length, angle = (dx ** 2 + dy ** 2).sqrt(), torch.atan2(dy, dx)
    bins = torch.cat([length * F.relu(torch.cos(angle - k * math.pi / 4)) ** 3 for k in range(8)], 1)
    cells = F.avg_pool2d(bins, 8)  # [B, 8, 8, 8]
    around = F.avg_pool2d(cells.square().sum(1, keepdim=True), 3, 1, 1).sqrt() + 0.02
    return torch.cat([p.flatten(1) for p in (1.5 * cells / around, 0.7 * F.avg_pool2d(x, 8), 0.5 * F.avg_pool2d(grey, 4))], 1)


class Classifier:
    """Ridge regression onto one-hot concepts from `width` random ReLU features: trained in closed form, the same on every machine."""

    def __init__(self, width=4096):
        generator = torch.Generator().manual_seed(0)
        self.project = torch.randn(960, width, generator=generator) / 960 ** 0.5
        self.offset, self.centre, self.spread, self.weight = torch.randn(width, generator=generator) * 0.5, None, None, None

    def lift(self, f):
        return F.relu((f - self.centre) / self.spread @ self.project + self.offset)  # [B, width]

    def fit(self, images, labels, classes, copies=10, ridge=3e-3):
        torch.manual_seed(0)
        some = features(augment(batch_of(images, np.arange(0, len(images), 5))))
        self.centre, self.spread = some.mean(0), some.std(0) + 0.05
        width = self.project.shape[1]
        gram, target = torch.zeros(width, width), torch.zeros(classes, width)
        for copy in range(copies):
            for b in range(0, len(images), 512):
                picks = np.arange(b, min(b + 512, len(images)))
                h = self.lift(features(augment(batch_of(images, picks))))
                gram.addmm_(h.T, h)
                target.index_add_(0, labels[picks], h)
            print(f"classifier: {copy + 1} of {copies} augmented copies of every picture", flush=True)
        gram.diagonal().add_(ridge * gram.diagonal().mean())
        self.weight = torch.cholesky_solve(target.T, torch.linalg.cholesky(gram))  # [width, classes]

    def __call__(self, x):
        """[B, 3, 64, 64] → scores [B, classes]."""
        return self.lift(features(x)) @ self.weight


def augment(x):
    """Moved, turned, scaled, recoloured, blurred or noisy copies of [B, 3, 128, 128] → [B, 3, 64, 64]."""
    n = len(x)
    angle, size = (torch.rand(n) - 0.5) * 0.2, 1 + (torch.rand(n) - 0.5) * 0.2
    turn = torch.stack([angle.cos(), -angle.sin(), angle.sin(), angle.cos()], 1).view(n, 2, 2) * size.view(n, 1, 1)
    grid = F.affine_grid(torch.cat([turn, (torch.rand(n, 2, 1) - 0.5) * 0.1], 2), [n, 3, 64, 64], align_corners=False)
    x = 1 - F.grid_sample(1 - F.avg_pool2d(x, 2), grid, align_corners=False)
    x = x + (torch.rand(n, 3, 1, 1) - 0.5) * 0.2
    x = 1 - (1 - x) * (1 + (torch.rand(n, 1, 1, 1) - 0.5) * 0.4)
    soft = F.avg_pool2d(F.pad(x, (1, 1, 1, 1), mode="replicate"), 3, 1)
    x = torch.lerp(x, soft, (torch.rand(n, 1, 1, 1) * 1.5 - 0.5).clamp(0))
    return (x + torch.randn_like(x) * torch.rand(n, 1, 1, 1) * 0.12).clamp(-1, 1)


def batch_of(images, picks):
    return torch.from_numpy(images[picks]).permute(0, 3, 1, 2).float() / 127.5 - 1


def logits_of(classifier, pictures):
    """[N, 3, 128, 128] → [N, classes]."""
    return torch.cat([classifier(F.avg_pool2d(pictures[b:b + 64], 2)) for b in range(0, len(pictures), 64)])


# ---------------------------------------------------------------- the generator

class Generator:
    """The published folder by way of diffusers and transformers, in bf16 for speed."""

    def __init__(self, folder, scheduler="ddim"):
        kind = {"ddim": DDIMScheduler, "dpmpp-2m": DPMSolverMultistepScheduler}[scheduler]
        self.scheduler = kind.from_config(DDIMScheduler.from_pretrained(f"{folder}/scheduler").config)
        self.tokenizer = Tokenizer.from_file(f"{folder}/tokenizer/tokenizer.json")
        self.text = CLIPTextModel.from_pretrained(f"{folder}/text_encoder", dtype=torch.bfloat16).eval()
        self.unet = UNet2DConditionModel.from_pretrained(f"{folder}/unet", torch_dtype=torch.bfloat16).eval().to(memory_format=torch.channels_last)
        self.vae = AutoencoderTiny.from_pretrained(f"{folder}/vae", torch_dtype=torch.bfloat16).eval().to(memory_format=torch.channels_last)

    def states(self, prompts):
        return self.text(torch.tensor([e.ids for e in self.tokenizer.encode_batch(prompts)])).last_hidden_state

    @torch.no_grad()
    def __call__(self, prompts, steps=8, guidance=1.0, seed=0, batch=60):
        """→ float32 [N, 3, 128, 128] in -1…1. The noise of picture i depends on the seed and i alone."""
        out = []
        noise = torch.randn(len(prompts), 8, 16, 16, generator=torch.Generator().manual_seed(seed))
        for b in range(0, len(prompts), batch):
            words, z = self.states(prompts[b:b + batch]), noise[b:b + batch]
            if guidance != 1:
                words = torch.cat([self.states([""]).expand(len(words), -1, -1), words])
            self.scheduler.set_timesteps(steps)
            for t in self.scheduler.timesteps:
                x = torch.cat([z, z]) if guidance != 1 else z
                v = self.unet(x.to(torch.bfloat16).contiguous(memory_format=torch.channels_last), t, words, added_cond_kwargs={}).sample.float()
                if guidance != 1:
                    nothing, v = v.chunk(2)
                    v = nothing + guidance * (v - nothing)
                z = self.scheduler.step(v, t, z).prev_sample
            for c in range(0, len(z), 20):
                out.append(self.decode(z[c:c + 20]))
        return torch.cat(out)

    @torch.no_grad()
    def decode(self, z):
        return self.vae.decode(z.to(torch.bfloat16).contiguous(memory_format=torch.channels_last)).sample.float().clamp(-1, 1)

    @torch.no_grad()
    def reconstruct(self, x):
        return torch.cat([self.decode(self.vae.encode(x[b:b + 20].to(torch.bfloat16)).latents) for b in range(0, len(x), 20)])


def contact_sheet(generate, path, steps, guidance, prompts=SHEET, cell=104):
    """Rows of styles, columns of prompts: English above, Russian below. An indexed PNG."""
    half = len(prompts) // 2
    cells = [(p, s, "en" if i < half else "ru") for i, p in enumerate(prompts) for s in STYLES]
    x = generate([f"{p}, {WORDS[language][s]}" for p, s, language in cells], steps, guidance, seed=7)
    page = Image.new("RGB", (half * cell, 2 * 3 * cell), "white")
    for i, picture in enumerate(x):
        column, row = (i // 3) % half, i % 3 + 3 * (i // 3 // half)
        tile = Image.fromarray(((picture.permute(1, 2, 0) + 1) * 127.5).round().byte().numpy())
        page.paste(tile.resize((cell - 8,) * 2, Image.LANCZOS), (column * cell + 4, row * cell + 4))
    page.quantize(192, dither=Image.Dither.NONE).save(path, optimize=True)


def main(o):
    images, meta, rows = pictures(o.data)
    labels, path = torch.tensor([m[0] for m in meta]), f"{o.work}/ridge.pt"
    net = Classifier()
    if os.path.exists(path):
        vars(net).update(torch.load(path))
    else:
        net.fit(images, labels, len(rows))
        torch.save(dict(centre=net.centre, spread=net.spread, weight=net.weight), path)
    torch.manual_seed(123)  # augmentations that training did not draw
    picks = np.random.default_rng(123).permutation(len(images))[:1200]
    fresh = torch.cat([net(augment(batch_of(images, picks[b:b + 60]))) for b in range(0, len(picks), 60)])
    print(f"classifier, held-out augmentations of real pictures: top-1 {(fresh.argmax(1) == labels[picks]).float().mean():.3f}", flush=True)
    generate = Generator(o.model, o.scheduler)
    real = batch_of(images, picks[:300])
    again = generate.reconstruct(real)
    print(f"autoencoder: {-10 * math.log10((again - real).square().mean().item() / 4):.1f} dB, classifier on it top-1 "
          f"{(logits_of(net, again).argmax(1) == labels[picks[:300]]).float().mean():.3f}", flush=True)
    chosen = sorted(random.Random(0).sample(range(len(rows)), o.names))
    russian = {e["hexcode"].lower().replace("-fe0f", ""): e["label"].lower() for e in json.load(open(f"{o.npm}/node_modules/emojibase-data/ru/data.json"))}
    names = {"en": [rows[i]["name"].lower() for i in chosen], "ru": [russian[rows[i]["id"].lower().replace("-fe0f", "")] for i in chosen]}
    truth, report = torch.tensor(chosen), {}
    for language in o.languages:
        start = time.time()
        prompts = [f"{name}, {WORDS[language][style]}" for style in STYLES for name in names[language]]
        logits = logits_of(net, generate(prompts, o.steps, o.guidance, seed=0)).view(len(STYLES), len(chosen), -1)
        for i, style in enumerate(STYLES):
            report[style] = (logits[i].argmax(1) == truth).float().mean().item()
        top1, top5 = (logits.argmax(2) == truth).float().mean(), (logits.topk(5, 2).indices == truth[:, None]).any(2).float().mean()
        among = (logits[:, :, chosen].argmax(2) == torch.arange(len(chosen))).float().mean()
        print(f"{language}: top-1 of {len(rows)} {top1:.3f} ({', '.join(f'{s} {report[s]:.3f}' for s in STYLES)}), top-5 {top5:.3f}, "
              f"top-1 of the {len(chosen)} {among:.3f}; {o.steps} steps, guidance {o.guidance}, {o.scheduler}, {time.time() - start:.0f} s", flush=True)
    if o.sheet:
        contact_sheet(generate, o.sheet, o.steps, o.guidance)


if __name__ == "__main__":
    here = os.path.dirname(os.path.abspath(__file__))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default=here)
    parser.add_argument("--data", default=f"{here}/../../../shared/data")
    parser.add_argument("--work", default=f"{here}/../../../train", help="where the classifier is kept, outside the project")
    parser.add_argument("--npm", default=f"{here}/../../../train/npm", help="a folder whose node_modules has emojibase-data")
    parser.add_argument("--names", type=int, default=300)
    parser.add_argument("--languages", nargs="+", default=["en", "ru"])
    parser.add_argument("--steps", type=int, default=8)
    parser.add_argument("--guidance", type=float, default=2.0)
    parser.add_argument("--scheduler", default="ddim", choices=["ddim", "dpmpp-2m"])
    parser.add_argument("--sheet", default=f"{here}/contact-sheet.png", help="'' for none")
    main(parser.parse_args())
