"""Prints, as JSON, what the book publishes: every closed-form system, chapter 5's tables, their intervals and tests.

``python tests/portability/published_numbers.py`` with the environment variables of a processor profile; see
test_processors.py, which compares the profiles.
"""

import itertools
import json
import sys

import numpy as np

from xmrlib import datasets, encoders, leaderboard, metrics, similarity, store, subspace, systems

MEASURES = ("R@1", "R@5", "R@10", "MedR", "MAP", "MRR", "mAP@R", "nDCG@10", "P@10", "recall@10")
LANGUAGES = ("en", "fr", "de", "es", "zh_CN")


def main() -> None:
    """Every number under a name of its own."""
    stamps = datasets.load_stamps()
    found = {**leaderboard_numbers(), **chapter_5(stamps), **five_captions(stamps), **live_query()}
    json.dump({name: float(value) for name, value in found.items()}, sys.stdout)


def leaderboard_numbers() -> dict[str, float]:
    """Rows in both directions, with intervals and differences to the first system."""
    closed = [system.name for system in systems.SYSTEMS if system.seeds == 1]
    table = {}
    for direction, metric in itertools.product(("text→image", "image→text"), ("R@1", "R@10", "MedR", "MAP")):
        shown = leaderboard.rows(metric=metric, against=closed[0], direction=direction, only=closed)
        for row in shown.rows:
            place = f"{row['system']} {direction} {metric}"
            table[place] = row[metric]
            table |= {f"{place} 95 % {i}": x for i, x in enumerate(row["95 %"])}
            table[f"{place} against {closed[0]}"] = row["difference"] or 0.0
    return table


def chapter_5(stamps: datasets.Stamps) -> dict[str, float]:
    """Every measure of every system under three judgements and two tie rules."""
    test = stamps.split.test
    grades = stamps.relevance(test, test)
    table = {}
    closed = [system for system in systems.SYSTEMS if system.seeds == 1]
    for system, ties in itertools.product(closed, ("pessimistic", "optimistic")):
        scores = leaderboard.scores(system.name)
        for name, judgement in [("exact", grades == 2), ("related", grades > 0), ("graded", grades)]:
            for direction, s, r in [("→", scores, judgement), ("←", scores.T, judgement.T)]:
                for metric, value in metrics.evaluate(s, r, MEASURES, ties).items():
                    table[f"{system.name} {ties} {name} {direction} {metric}"] = value
    return table


def five_captions(stamps: datasets.Stamps) -> dict[str, float]:
    """Case 2: captions in five languages, where equal texts must get equal scores."""
    items = np.arange(len(stamps))
    for lang in LANGUAGES:
        items = np.intersect1d(items, stamps.having(lang))
    encoder = encoders.multilingual_encoder()
    five = np.stack([store.features(encoder, stamps.captions(lang, items)) for lang in LANGUAGES], axis=1)
    seen = store.features(encoders.image_encoder(), stamps.images())[items]
    tested = np.isin(items, stamps.split.test)
    texts, pictures = five[~tested].reshape(-1, five.shape[2]), np.repeat(seen[~tested], 5, axis=0)
    model = subspace.cca(texts, pictures, 32, ridge=1.0)
    queries = model.transform_x(five[tested].reshape(-1, five.shape[2]))
    scores = similarity.cosine(queries, model.transform_y(seen[tested]))
    both = metrics.evaluate_captions(scores, np.repeat(np.arange(tested.sum()), 5))
    return {f"{way} {metric}": value for way, report in both.items() for metric, value in report.items()}


def live_query() -> dict[str, float]:
    """The vector of a query typed by a reader, next to the stored one."""
    encoder = encoders.sentence_encoder()
    live, stored = encoder.encode(["a red apple"]), store.features(encoder, ["a pear", "a red apple"])[1]
    return {"live query": float(live[0] @ stored)}


if __name__ == "__main__":
    main()
