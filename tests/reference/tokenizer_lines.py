"""The 2,000 lines that tokenizers are compared on: words of several scripts, emoji, control characters, markup, digits,
contractions, odd spaces, special tokens, over-long prompts. The same lines every time (seeded)."""
import random

WORDS = {
    "latin": "a red apple on the table, oil painting of an astronaut riding horse in style highly detailed artstation trending "
             "photorealistic 8k masterpiece sunset castle dragon cyberpunk city portrait beautiful cat dog".split(),
    "accents": "café naïve Ünïcödé façade piñata Øresund smörgåsbord Żółw čeština İstanbul ǅungla ﬁne ß ẞtraße É Å ñ".split(),
    "cyrillic": "красное яблоко на столе Москва ёлка Ёж закат над морем щука объём картина маслом йод Київ ґанок".split(),
    "greek": "ΟΔΟΣ Σίσυφος ΣΑΣ καλημέρα κόσμε ΜΈΓΑΣ Ωμέγα".split(),
    "cjk": "猫 一只红苹果 東京タワー 私は学生です 한국어 사과 龍の絵 漢字かな交じり文 ㍿ ㈱ Ⅳ ½ ² ٣ 四".split(),
    "rtl": "تفاحة حمراء שלום עולם תפוח हिन्दी सेब ไทย แอปเปิ้ล ქართული".split(),
    "emoji": "🍎 😀 👩‍🚀 👨‍👩‍👧‍👦 🏳️‍🌈 ❤️ ☃ ✨✨ 🇩🇪🇫🇷 👍🏽 #️⃣ 🫠 ㊙️".split(),
    "digits": "1 22 333 4096 3.14 1,000,000 2024-05-06 8k 4x4 100% 1st x86_64 0xFF 50mm f/1.8".split(),
    "contractions": "it's I'm we'll they've don't you're he'd IT'S I'LL 'tis rock'n'roll o'clock '' 's 'S d'Artagnan ’s it’s".split(),
    "markup": "<b>bold</b> &amp; &lt;p&gt; <|startoftext|> <|endoftext|> <|ENDOFTEXT|> <|end of text|> ((masterpiece:1.2)) [[x]] "
              "{a|b|c} <lora:foo:0.8> -- ... !!! ?! ! a! http://example.com/?q=1&r=%20 @user #tag \\n $5 €10 «» „“ – — _ __init__".split(),
}
SPACES = [" ", " ", " ", " ", "  ", "\t", "\n", "\r\n", "\u00a0", "\u3000", "\u2003", "\u200b", "\u0085", "\ufeff", "\u2028", ""]
CONTROLS = [chr(c) for c in (0, 1, 7, 8, 27, 28, 31, 127, 128, 159, 173)] + ["\u0301", "e\u0301", "\u200d", "\ufffd", "\ue000", "\U000e0061"]


def line(rng: random.Random, i: int) -> str:
    if i < 16:  # the edges
        return ["", " ", "a", "\n", "!", "!!", "<|endoftext|>", "<|startoftext|>red<|endoftext|>", "a<|endoftext|>b", "É", "e\u0301", "\x00",
                "a" * 500, "ab " * 40, "🍎" * 80, "яблоко " * 100][i]
    kinds = list(WORDS) if i % 4 else ["latin", "cyrillic"]
    length = rng.choice([1, 2, 3, 5, 8, 12, 20]) if i % 16 else rng.randint(60, 130)
    out = []
    for _ in range(length):
        word = rng.choice(WORDS[rng.choice(kinds)])
        if rng.random() < 0.15:
            word = rng.choice([word.upper(), word.title(), word[::-1], word + rng.choice(",.!?;:'\""), rng.choice(CONTROLS) + word])
        if rng.random() < 0.03:  # any characters below the private use area that Unicode has assigned for long
            word += "".join(chr(rng.choice([rng.randint(0x20, 0x24f), rng.randint(0x370, 0x52f), rng.randint(0x4e00, 0x9fa5), rng.randint(0x1f300, 0x1f5ff)])) for _ in range(3))
        out += [word, rng.choice(SPACES) if rng.random() < 0.5 else " "]
    return "".join(out)


def lines(count: int = 2000) -> list[str]:
    rng = random.Random(20_000)
    return [line(rng, i) for i in range(count)]
