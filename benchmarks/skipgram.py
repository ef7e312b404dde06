"""Skip-gram with negative sampling: the class of section 2.2 in torch, trained by xmrlib.train.fit, against gensim.

WordNet's entries on animals and food, one pass, 50 dimensions, window 3, five false contexts, one thread. The class is
read from the notebook, so that what is measured is what the page shows. Making the pairs counts for both: gensim makes them while it
trains. Targets: gensim is no slower; and both learn, the frog ends among frogs.
"""

import json
import re
from collections import Counter
from pathlib import Path

import numpy as np
import torch
from _measure import in_turn, installed, options, record, show, target

from xmrlib import datasets, train

NOTEBOOK = Path(__file__).parents[1] / "notebooks" / "ch02_features" / "text_word_embeddings.ipynb"
D, WINDOW, K, BATCH = 50, 3, 5, 2048


def from_the_notebook(*names):
    """The functions and classes of these names, with what their cells need."""
    cells = [cell["source"] for cell in json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]]
    found = {"torch": torch, "np": np, "re": re}
    for source in map("".join, cells):
        if re.search(rf"^(?:def|class) (?:{'|'.join(names)})\b", source, re.M):
            # definitions only: what such a cell prints or loads stays out
            head = re.split(r"\n\n\n(?=wordnet|print)", source)[0]
            exec(head, found)
    return [found[name] for name in names]


tokens, gloss, pairs_of, pair_loss, SkipGram = from_the_notebook(
    "tokens", "gloss", "pairs_of", "pair_loss", "SkipGram"
)


def text():
    """The entries as lists of words that occur at least five times."""
    wordnet = datasets.load_wordnet()
    entries = [gloss(s) for name in ("noun.animal", "noun.food") for s in wordnet.within(name)]
    counts = Counter(word for entry in entries for word in entry)
    return [[word for word in entry if counts[word] >= 5] for entry in entries]


def in_torch(entries):
    """One pass of the notebook's class; the vectors by word."""
    counts = Counter(word for entry in entries for word in entry)
    words = [word for word, _ in counts.most_common()]
    place = {word: i for i, word in enumerate(words)}
    pairs = torch.tensor(
        [pair for entry in entries for pair in pairs_of([place[word] for word in entry], WINDOW)]
    )
    with train.seeded(0):
        model = SkipGram([counts[word] for word in words], D)
    steps = len(pairs) // BATCH
    train.fit(model, lambda i: model.loss(pairs[i], K), len(pairs), steps, BATCH, lr=0.02)
    return dict(zip(words, model.words.weight.detach().numpy(), strict=True))


def in_gensim(entries):
    """One pass of gensim, with its windows and its thinning of common words set as ours: none of either drawn."""
    from gensim.models import Word2Vec

    settings = {"vector_size": D, "window": WINDOW, "negative": K, "sample": 0, "shrink_windows": False}
    model = Word2Vec(entries, sg=1, min_count=5, epochs=1, alpha=0.1, workers=1, seed=0, **settings)
    return {word: model.wv[word] for word in model.wv.index_to_key}


def apart(vectors):
    """How much nearer the frog is to the toad than to cheese, in cosine."""
    frog, toad, cheese = (vectors[w] / np.linalg.norm(vectors[w]) for w in ("frog", "toad", "cheese"))
    return float(frog @ toad - frog @ cheese)


if __name__ == "__main__":
    args = options()
    entries = text()
    n_words = sum(map(len, entries))
    torch.set_num_threads(1)
    functions = {"xmrlib": lambda: in_torch(entries)}
    learned = {"xmrlib": apart(in_torch(entries))}
    if installed("gensim", "gensim"):
        functions["gensim"] = lambda: in_gensim(entries)
        learned["gensim"] = apart(in_gensim(entries))
    times = in_turn(functions, args.repeats)
    show(f"{n_words:,} words, one pass", times)
    speed = {name: n_words / t["cpu_s"] for name, t in times.items()}
    print("words per second of processor time:", {name: round(x) for name, x in speed.items()})
    targets = [target("frog nearer to toad than to cheese, our class", learned["xmrlib"], 0, False)]
    if "gensim" in speed:
        targets += [
            target("frog nearer to toad than to cheese, gensim", learned["gensim"], 0, False),
            target(
                "words per second of gensim / our class in torch", speed["gensim"] / speed["xmrlib"], 1, False
            ),
        ]
    case = {"words": n_words, "dimensions": D, "times": times, "words_per_cpu_s": speed}
    record("skipgram", ["xmrlib", "torch", "gensim"], [case], targets, not args.no_record)
