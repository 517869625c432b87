"""Golden values of transformers' logits processors and warpers on made-up logits.

    python tests/reference/sampling.py

Writes golden/sampling/cases.json: for every case its options, prompt and generated tokens, and what the chain of
transformers' classes returns, in the order of `GenerationMixin._get_logits_processor`: a bit per token that is kept and
the scores of the first of them. The logits are made anew from `seed` and `scale` (see `logits`), so that the file stays
small. The chain runs in float64 on float32 logits: in float32 its own sums would decide the last tokens of a large
vocabulary. Presence and frequency penalties, which transformers lacks, follow OpenAI's formula and count generated
tokens only. A case whose cutoff is too near to tell (moving top_p, min_p or typical_p by 2e-6 changes the tokens) takes
the next seed. Made with PyTorch 2.13 and transformers 5.23.
"""

import base64
import json
from pathlib import Path

import numpy as np
import torch
from transformers.generation import logits_process as lp

GOLDEN = Path(__file__).parent / "golden" / "sampling"
SCORES = 1024  # kept tokens of a case whose scores are written
NEAR = 2e-6

# name: (vocabulary, batch, scale, options)
CASES = {
    "temperature": (100, 2, 3, dict(doSample=True, temperature=0.7)),
    "top-k": (100, 2, 3, dict(doSample=True, topK=7)),
    "top-k of ties": (100, 2, 0, dict(doSample=True, topK=7)),
    "top-k above the vocabulary": (100, 1, 3, dict(doSample=True, topK=500)),
    "top-p": (100, 3, 3, dict(doSample=True, topP=0.9)),
    "top-p 0": (100, 1, 3, dict(doSample=True, topP=0)),
    "min-p": (100, 2, 3, dict(doSample=True, minP=0.05)),
    "typical": (100, 3, 2, dict(doSample=True, typicalP=0.6)),
    "all warpers": (1000, 2, 3, dict(doSample=True, temperature=1.3, topK=300, topP=0.95, minP=0.01, typicalP=0.8)),
    "logit bias": (100, 1, 3, dict(logitBias={"3": 5.5, "98": -2.25, "7": float("-inf")})),
    "repetition": (100, 2, 3, dict(repetitionPenalty=1.3)),
    "presence and frequency": (100, 2, 3, dict(presencePenalty=0.6, frequencyPenalty=0.35)),
    "n-grams of 1": (100, 2, 3, dict(noRepeatNgramSize=1)),
    "n-grams of 2": (8, 2, 3, dict(noRepeatNgramSize=2)),
    "n-grams of 3": (5, 3, 3, dict(noRepeatNgramSize=3)),
    "everything": (2500, 2, 4, dict(doSample=True, logitBias={"11": 9}, repetitionPenalty=1.15, noRepeatNgramSize=2, temperature=0.8, topK=60, topP=0.92, minP=0.002)),
    "GPT-2's vocabulary": (50257, 2, 4, dict(doSample=True, temperature=0.8, topK=50, topP=0.9)),
    "GPT-2's vocabulary, many kept": (50257, 1, 3, dict(doSample=True, topK=20000)),
    "Gemma's vocabulary, top-k": (262144, 1, 4, dict(doSample=True, topK=64, topP=0.95)),
    "Gemma's vocabulary, top-p": (262144, 1, 6, dict(doSample=True, topP=0.9)),
    "Gemma's vocabulary, typical": (262144, 1, 6, dict(doSample=True, typicalP=0.5, minP=0.0001)),
}


def uniform(seed, count):
    """MurmurHash3's finalizer of seed and place, 0 … 1."""
    x = (np.arange(count, dtype=np.uint64) * 0x9E3779B9 + seed) & 0xFFFFFFFF
    x ^= x >> 16
    x = x * 0x85EBCA6B & 0xFFFFFFFF
    x ^= x >> 13
    x = x * 0xC2B2AE35 & 0xFFFFFFFF
    x ^= x >> 16
    return x.astype(np.float64) / 2**32


def logits(seed, shape, scale):
    """float32, bell-shaped: scale * (the sum of four uniforms - 2); scale 0 gives many ties: whole numbers from -4 to 3."""
    four = uniform(seed, 4 * shape[0] * shape[1]).reshape(*shape, 4)
    sums = four[..., 0] + four[..., 1] + four[..., 2] + four[..., 3] - 2
    return torch.from_numpy((scale * sums if scale else np.floor(2 * sums)).astype(np.float32))


def processors(options):
    chain = []
    if bias := options.get("logitBias"):
        chain.append(lp.SequenceBiasLogitsProcessor([[[int(token)], float(value)] for token, value in bias.items()]))
    if (penalty := options.get("repetitionPenalty", 1)) != 1:
        chain.append(lp.RepetitionPenaltyLogitsProcessor(float(penalty)))
    if n := options.get("noRepeatNgramSize"):
        chain.append(lp.NoRepeatNGramLogitsProcessor(n))
    if not options.get("doSample"):
        return chain
    if (temperature := options.get("temperature", 1)) != 1:
        chain.append(lp.TemperatureLogitsWarper(float(temperature)))
    if k := options.get("topK"):
        chain.append(lp.TopKLogitsWarper(k))
    if (p := options.get("topP", 1)) < 1:
        chain.append(lp.TopPLogitsWarper(p))
    if p := options.get("minP"):
        chain.append(lp.MinPLogitsWarper(p))
    if (p := options.get("typicalP", 1)) < 1:
        chain.append(lp.TypicalLogitsWarper(p))
    return chain


def run(options, prompt, generated, raw):
    scores = raw.double()
    counts = torch.stack([torch.bincount(row, minlength=raw.shape[1]) for row in generated])
    scores = scores - options.get("presencePenalty", 0) * (counts > 0) - options.get("frequencyPenalty", 0) * counts
    ids = torch.cat([prompt, generated], dim=1)
    for processor in processors(options):
        scores = processor(ids, scores)
    return scores


def generate(options, prompt, vocab, draw):
    """Nine tokens that the processors allow, many of them twice."""
    greedy = {name: value for name, value in options.items() if name in ("logitBias", "noRepeatNgramSize")}
    ids = prompt
    for _ in range(9):
        allowed = torch.zeros(len(ids), max(vocab, int(ids.max()) + 1, 100))
        allowed[:, vocab:] = float("-inf")
        for processor in processors(greedy):
            allowed = processor(ids, allowed)
        ids = torch.cat([ids, torch.multinomial(allowed.isfinite().float(), 1, generator=draw)], dim=1)
    return ids[:, prompt.shape[1]:]


def clear(options, *given):
    """Whether each cutoff of a probability lies clearly between two tokens."""
    kept = run(options, *given).isfinite()
    moved = [{**options, name: options[name] * (1 + sign * NEAR)} for name in ("topP", "minP", "typicalP") if options.get(name) for sign in (-1, 1)]
    return all(torch.equal(kept, run(other, *given).isfinite()) for other in moved)


def case(vocab, batch, scale, options):
    for seed in range(1, 200):
        draw = torch.Generator().manual_seed(seed)
        prompt = torch.randint(0, vocab, (batch, 12), generator=draw)
        given = (prompt, generate(options, prompt, min(vocab, 40), draw), logits(seed, (batch, vocab), scale))
        if clear(options, *given):
            break
    else:
        raise SystemExit(f"no seed with clear cutoffs for {options}")
    prompt, generated, _ = given
    scores = run(options, *given)
    kept = scores.isfinite()
    return dict(
        vocabSize=vocab, batch=batch, scale=scale, seed=seed,
        options={**options, **({"logitBias": {k: v if np.isfinite(v) else None for k, v in options["logitBias"].items()}} if "logitBias" in options else {})},
        prompt=prompt.tolist(), generated=generated.tolist(),
        kept=base64.b64encode(np.packbits(kept.flatten().numpy(), bitorder="little").tobytes()).decode(),
        scores=base64.b64encode(scores[kept][:SCORES].float().numpy().tobytes()).decode(),
    )


if __name__ == "__main__":
    torch.set_num_threads(1)
    GOLDEN.mkdir(parents=True, exist_ok=True)
    cases = {name: case(*given) for name, given in CASES.items()}
    for name, one in cases.items():
        print(f"{name}: seed {one['seed']}, {sum(bin(byte).count('1') for byte in base64.b64decode(one['kept']))} kept")
    (GOLDEN / "cases.json").write_text(json.dumps(cases, indent=1) + "\n")
