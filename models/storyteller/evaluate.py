"""The storyteller's numbers and its samples, unpicked.

    python evaluate.py            # from the weights in --work, as transformers runs them

Held-out loss and bits a byte; of 60 stories of 250 tokens (temperature 0.8, top-p 0.95, seeds 0 … 59): distinct n-grams, and the share of
sentences of six words or more that stand word for word in the training text. Prints the first stories, one for each opening.
"""
import argparse, json, math, os, re
import torch
from tokenizers import Tokenizer
from train import held_out_loss, make_model, streams

OPENINGS = ["Once upon a time", "The little goat", "A king had three daughters", "One day, a boy found", "In the forest there lived", "The moon"]


def words(text):
    return re.findall(r"[a-z']+", text.lower())


def sentences(text):
    """Sentences as words, those of at least six."""
    return [tuple(w) for w in (words(s) for s in re.split(r"(?<=[.!?])[\"']?\s+|\n+", text)) if len(w) >= 6]


def tell(model, tokenizer, opening, seed, tokens):
    torch.manual_seed(seed)
    ids = torch.tensor([[0, *tokenizer.encode(opening).ids]])
    out = model.generate(ids, attention_mask=torch.ones_like(ids), max_new_tokens=tokens, do_sample=True, temperature=0.8, top_p=0.95, top_k=0, eos_token_id=1, pad_token_id=1)
    return tokenizer.decode(out[0].tolist())


def main(o):
    tokenizer, model = Tokenizer.from_file(f"{o.work}/tokenizer.json"), make_model()
    model.load_state_dict(torch.load(f"{o.work}/best.pt"))
    _, held, held_bytes = streams(o)
    value, total = held_out_loss(model, held)
    print(f"held-out: {value:.4f} nats a token, {total / math.log(2) / held_bytes:.3f} bits a byte, perplexity {math.exp(value):.1f}")
    model.eval()
    stories = [tell(model, tokenizer, OPENINGS[seed % len(OPENINGS)], seed, o.tokens) for seed in range(o.stories)]
    known = {s for _, text in json.load(open(f"{o.work}/text.json"))["train"] for s in sentences(text)}
    told = [s for story in stories for s in sentences(story)]
    print(f"{len(told)} sentences of six words or more, {sum(s in known for s in told) / len(told):.1%} stand in the training text")
    flat = [words(story) for story in stories]
    for n in (1, 2, 3):
        grams = [tuple(w[i:i + n]) for w in flat for i in range(len(w) - n + 1)]
        print(f"distinct {n}-grams: {len(set(grams)) / len(grams):.3f}")
    for story in stories[:len(OPENINGS)]:
        print("\n---\n" + story)


if __name__ == "__main__":
    here = os.path.dirname(os.path.abspath(__file__))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", default=f"{here}/../../../train/storyteller")
    parser.add_argument("--stories", type=int, default=60)
    parser.add_argument("--tokens", type=int, default=250)
    main(parser.parse_args())
