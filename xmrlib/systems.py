"""Every retrieval system of the book, in reading order: one short function per system.

A system takes the collection, a split and a seed, and returns ``scores (q, n)`` of the split's test captions
(queries, English) and test pictures (gallery), higher is better. It is built from the floors below; what a notebook
builds by hand is compared with it (`xmrlib.leaderboard.confirm`). It may learn from ``split.development`` only;
settings were chosen on ``split.valid`` or on folds of the development part, never on test. Introduced in chapter 1.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.cross_decomposition import PLSSVD
from sklearn.decomposition import PCA
from sklearn.feature_extraction.text import CountVectorizer, TfidfTransformer
from sklearn.linear_model import LogisticRegression, Ridge

from xmrlib import _code, _expect, encoders, image, live_search, similarity, store, subspace, train
from xmrlib.datasets import CaptionedPictures, Split, Stamps, load_openclipart, load_openmoji

if TYPE_CHECKING:
    import torch

__all__ = ["SYSTEMS", "System", "named"]

CCA_DIRECTIONS, CCA_RIDGE = 32, 1.0  # round values that do well on folds of the development part
NEIGHBOURS = 10  # in the graph of pictures; chosen on split.valid
TRANSE_STEPS, TRANSE_MARGIN, TRANSE_DIM = 200, 0.5, 128  # chosen on split.valid
CSLS_NEIGHBOURS = 20  # chosen on split.valid
TRIPLET_STEPS, TRIPLET_RATE, TRIPLET_DIM = 200, 1e-2, 128  # chosen on split.valid
SUBSPACE_DIM, REGRESSION_RIDGE, KERNEL_RIDGE = 64, 1.0, 0.1  # chosen on folds of the development part
CNN_STEPS, CNN_RATE, CNN_DECAY = 150, 1e-2, 1e-2  # chosen on split.valid
GAN_STEPS, GAN_NOISE, GAN_DRAWS, GAN_DIRECTIONS = 300, 16, 16, 128  # round values, seen on split.valid
ADVERSARY_WEIGHT, ADVERSARY_STEPS = 0.01, 150  # chosen on split.valid

# FEW_PAIRS: chosen on folds of the development part. MORE_PAIRS: chosen anew on three folds of it with two seeds, by
# R@10 averaged over both directions; what bears the name of a held-out or a test stamp was left out of the drawings.
# A temperature of 0.1 is nearly level with it, 0.2 is lower; decay and rate hardly matter.
FEW_PAIRS = {"temperature": 0.2, "steps": 100, "lr": 1e-3, "weight_decay": 1.0}
MORE_PAIRS = {"temperature": 0.05, "steps": 200, "lr": 2e-3, "weight_decay": 0.3}


@dataclass(frozen=True)
class System:
    """A row of the leaderboard: its ``name``, the ``section`` that builds it, and the function that scores.

    ``seeds`` is 1 for closed forms; a trained system is published as the mean over that many. Introduced in chapter 1.
    """

    name: str
    section: str
    scores: Callable[[Stamps, Split, int], np.ndarray]
    seeds: int = 1

    def kept(self, stamps: Stamps, split: Split, seed: int) -> np.ndarray:
        """The scores (q, n), from the store where possible (chapter 1).

        The key is all that they depend on: the code of the system and of all that it uses (which holds the hashes of
        the encoders' weights), the data, the split and the seed.
        """
        return _kept(self.scores, stamps, split, seed)


def _kept(
    scores: Callable[[Stamps, Split, int], np.ndarray], stamps: Stamps, split: Split, seed: int
) -> np.ndarray:
    """The scores of a system; one that joins others asks for theirs by this, and trains nothing twice."""
    key = ["scores", _code.fingerprint(scores), stamps.version, split.key, seed]
    return store.cached_array(key, lambda: scores(stamps, split, seed), folder="scores")


def _words_and_colours(stamps: Stamps, split: Split, seed: int) -> np.ndarray:
    """Which words occur in the caption, which colours in the picture; aligned by CCA. Section 1.1."""
    return _aligned(_bag_of_words(stamps, split), image.color_histogram(stamps.images()), split)


def _search_box(stamps: Stamps, split: Split, seed: int) -> np.ndarray:
    """The box of the page: a query is the sum of small word vectors, a picture what a CNN sees. Section 1.1."""
    index = live_search.build_index(stamps)
    words = [live_search.words_of(index, text) for text in stamps.captions("en", split.test)]
    rows = [[index.place[word] for word in known] for known in words]
    queries = np.stack([index.word_vectors[row].sum(axis=0, dtype=np.int64) for row in rows])
    return queries @ index.picture_vectors[split.test].astype(np.int64).T


def _class_names_multilingual(stamps: Stamps, split: Split, seed: int) -> np.ndarray:
    """Zero-shot: the sentence against the names of the classes that a CNN sees, in 16 languages. Section 1.1."""
    return _by_class_names(encoders.multilingual_encoder(), stamps, split)


def _words_and_cnn(stamps: Stamps, split: Split, seed: int) -> np.ndarray:
    """Which words occur in the caption, and what a CNN sees in the picture; aligned by CCA. Section 2.1."""
    seen = store.features(encoders.image_encoder(), stamps.images())
    return _aligned(_bag_of_words(stamps, split), seen, split)


def _words_and_visual_words(stamps: Stamps, split: Split, seed: int) -> np.ndarray:
    """Which words occur in the caption, which visual words (ORB) in the picture; aligned by CCA. Section 2.6."""
    pictures = stamps.images()
    counts = store.features(image.visual_words(pictures[split.development], seed=seed), pictures)
    weights = TfidfTransformer().fit(counts[split.development])
    return _aligned(_bag_of_words(stamps, split), weights.transform(counts).toarray().astype(float), split)


def _folder_posteriors(stamps: Stamps, split: Split, seed: int) -> np.ndarray:
    """Semantic matching (Rasiwasia et al. 2010): in which folder is each, by KL divergence. Section 2.3."""
    fit, test = split.development, split.test
    folders = np.array(["/".join(stamp.category) for stamp in stamps])
    sentences = store.features(encoders.sentence_encoder(), stamps.captions("en")).astype(float)
    seen = similarity.normalize(store.features(encoders.image_encoder(), stamps.images()).astype(float))
    said, shown = (
        LogisticRegression(C=10, tol=1e-8, max_iter=5000).fit(X[fit], folders[fit]).predict_log_proba(X[test])
        for X in (sentences, seen)
    )
    return np.exp(said) @ shown.T - (np.exp(said) * said).sum(axis=1, keepdims=True)


def _words_and_small_cnn(stamps: Stamps, split: Split, seed: int) -> np.ndarray:
    """Which words occur, and what a small CNN sees that learned the folders of ``split.train``; CCA. Section 2.4."""
    return _aligned(_bag_of_words(stamps, split), _small_cnn_features(stamps, split, seed), split)


def _early_cnn(stamps: Stamps, split: Split, seed: int) -> np.ndarray:
    """Sentence vectors, and the CNN read after 15 of its 49 convolutions. Section 2.5."""
    return _at_depth("stage 3", stamps, split)


def _middle_cnn(stamps: Stamps, split: Split, seed: int) -> np.ndarray:
    """Sentence vectors, and the CNN read after 33 of its 49 convolutions. Section 2.5."""
    return _at_depth("stage 5", stamps, split)


def _glove_and_cnn(stamps: Stamps, split: Split, seed: int) -> np.ndarray:
    """The mean of the GloVe vectors of the words, and the features of a CNN, aligned by CCA. Section 2.2."""
    words = encoders.mean_word_vectors(stamps.captions("en"))
    return _aligned(words, store.features(encoders.image_encoder(), stamps.images()), split)


def _neighbours_mixed_in(stamps: Stamps, split: Split, seed: int) -> np.ndarray:
    """Ridge regression of pictures that are half themselves, half their neighbourhood in a graph. Section 3.3."""
    from xmrlib import graph

    fit, test = split.development, split.test
    sentences, seen = _of_unit_length(stamps)
    A = graph.normalized(graph.nearest(seen, NEIGHBOURS, known=fit))
    mixed = similarity.normalize(seen + A @ seen)
    mean = sentences[fit].mean(axis=0)
    guessed = Ridge(alpha=REGRESSION_RIDGE).fit(mixed[fit], sentences[fit]).predict(mixed[test])
    return similarity.cosine(sentences[test] - mean, guessed - mean)


def _translated(stamps: Stamps, split: Split, seed: int) -> np.ndarray:
    """TransE (Bordes et al. 2013): a caption, moved by one learned vector, is near its picture. Section 3.3."""
    x, y = _centred(stamps, split)
    maps = _translation(x, y, stamps, split, seed)
    return _minus_distances(maps, x[split.test], y[split.test]).detach().numpy().astype(float)


def _early_fusion(stamps: Stamps, split: Split, seed: int) -> np.ndarray:
    """Two descriptions of each side, of one scale, end to end; then CCA. Section 3.1."""
    texts, pictures, layers = stamps.captions("en"), stamps.images(), encoders.layer_encoder()
    depths = layers.split(store.features(layers, pictures))
    said = store.features(encoders.sentence_encoder(), texts), encoders.mean_word_vectors(texts)
    shown = store.features(encoders.image_encoder(), pictures), depths["stage 5"]
    return _aligned(_joined(said, split), _joined(shown, split), split)


def _late_fusion(stamps: Stamps, split: Split, seed: int) -> np.ndarray:
    """The sum of the standardised scores of class names, CCA and folder posteriors. Section 3.1."""
    unlike = _class_names_english, _sentences_and_cnn, _folder_posteriors
    return similarity.standardised_sum([scores(stamps, split, seed) for scores in unlike])


def _hubs_held_down(stamps: Stamps, split: Split, seed: int) -> np.ndarray:
    """MiniLM + CNN, CCA; from each score goes what is near to both in the development part. Section 4.1."""
    fit, test = split.development, split.test
    sentences = store.features(encoders.sentence_encoder(), stamps.captions("en"))
    seen = store.features(encoders.image_encoder(), stamps.images())
    model = subspace.cca(sentences[fit], seen[fit], dim=CCA_DIRECTIONS, ridge=CCA_RIDGE)
    scores = similarity.cosine(model.transform_x(sentences), model.transform_y(seen))
    rows, columns = scores[test], scores[:, test]
    return similarity.csls(rows[:, test], rows[:, fit], columns[fit], k=CSLS_NEIGHBOURS)


def _class_names_centred(stamps: Stamps, split: Split, seed: int) -> np.ndarray:
    """The zero-shot system of 5.2, each side around the mean of its development part. Section 4.1."""
    said, shown = (X.astype(float) for X in _class_name_space(encoders.sentence_encoder(), stamps))
    said, shown = (X[split.test] - X[split.development].mean(axis=0) for X in (said, shown))
    return similarity.cosine(said, shown)


def _sentences_and_cnn_triplet(stamps: Stamps, split: Split, seed: int) -> np.ndarray:
    """Sentence vectors and CNN features, each through a linear map that the triplet loss trained. Section 4.3."""
    from xmrlib import losses

    loss = functools.partial(losses.triplet, reduction="mean")
    return _by_linear_maps(loss, stamps, split, seed)


def _stacked_svd(stamps: Stamps, split: Split, seed: int) -> np.ndarray:
    """LSA of both sides at once: one SVD of the stacked features, each side folded in alone. Section 4.2."""
    fit, test = split.development, split.test
    centred = (F - F[fit].mean(axis=0) for F in _of_unit_length(stamps))
    sides = [F / np.linalg.norm(F[fit]) for F in centred]
    H = np.linalg.svd(np.hstack(sides)[fit], full_matrices=False)[2][:SUBSPACE_DIM]
    parts = np.split(H, [sides[0].shape[1]], axis=1)
    said, shown = (F[test] @ np.linalg.pinv(part) for F, part in zip(sides, parts, strict=True))
    return similarity.cosine(said, shown)


def _regression(stamps: Stamps, split: Split, seed: int) -> np.ndarray:
    """Ridge regression: what sentence vector would the caption of this picture have? Section 4.2."""
    fit, test = split.development, split.test
    sentences, seen = _of_unit_length(stamps)
    mean = sentences[fit].mean(axis=0)
    guessed = Ridge(alpha=REGRESSION_RIDGE).fit(seen[fit], sentences[fit]).predict(seen[test])
    return similarity.cosine(sentences[test] - mean, guessed - mean)


def _partial_least_squares(stamps: Stamps, split: Split, seed: int) -> np.ndarray:
    """PLS: the pairs of directions of largest covariance, by one SVD. Section 4.2."""
    fit, test = split.development, split.test
    sentences, seen = _of_unit_length(stamps)
    model = PLSSVD(SUBSPACE_DIM, scale=False).fit(sentences[fit], seen[fit])
    return similarity.cosine(*model.transform(sentences[test], seen[test]))


def _kernel_correlation(stamps: Stamps, split: Split, seed: int) -> np.ndarray:
    """CCA of what a Gaussian kernel sees in the sentence vectors and in the features of a CNN. Section 4.2."""
    fit, test = split.development, split.test
    own, new = [], []
    for F in _of_unit_length(stamps):
        kernel = np.exp(similarity.neg_sq_euclid(F, F[fit]))
        own.append(kernel[fit])
        new.append(kernel[test])
    model = subspace.kernel_cca(own[0], own[1], SUBSPACE_DIM, KERNEL_RIDGE)
    return similarity.cosine(model.transform_x(new[0]), model.transform_y(new[1]))


def _info_nce(stamps: Stamps, split: Split, seed: int) -> np.ndarray:
    """Two heads on sentence vectors and CNN features, trained by InfoNCE on the stamps alone. Section 4.4."""
    return _dual_encoder(stamps, split, seed, (), **FEW_PAIRS)


def _info_nce_more_pairs(stamps: Stamps, split: Split, seed: int) -> np.ndarray:
    """The same heads, trained on the stamps and on drawings by other hands. Section 4.4."""
    tested = stamps.captions("en", split.test)
    more = load_openclipart(without=tested), load_openmoji(without=tested)
    return _dual_encoder(stamps, split, seed, more, **MORE_PAIRS)


def _class_names_and_info_nce(stamps: Stamps, split: Split, seed: int) -> np.ndarray:
    """Late fusion: the sum of the standardised scores of zero-shot by class names and of InfoNCE. Section 4.4."""
    parts = [_kept(part, stamps, split, seed) for part in (_class_names_english, _info_nce_more_pairs)]
    return sum((scores - scores.mean()) / scores.std() for scores in parts)


def _sentences_and_cnn(stamps: Stamps, split: Split, seed: int) -> np.ndarray:
    """Sentence vectors of MiniLM and the features of a CNN, aligned by CCA. Section 5.1."""
    sentences = store.features(encoders.sentence_encoder(), stamps.captions("en"))
    return _aligned(sentences, store.features(encoders.image_encoder(), stamps.images()), split)


def _sixty_four_bits(stamps: Stamps, split: Split, seed: int) -> np.ndarray:
    """A picture is 64 bits: signs in a CCA space, rotated by ITQ (Gong & Lazebnik 2011). Section 4.6."""
    fit, test, unit = split.development, split.test, similarity.normalize
    texts = store.features(encoders.sentence_encoder(), stamps.captions("en"))
    pictures = store.features(encoders.image_encoder(), stamps.images())
    model = subspace.cca(texts[fit], pictures[fit], dim=64, ridge=CCA_RIDGE)
    rows, columns = unit(model.transform_x(texts)), unit(model.transform_y(pictures))
    R = _itq(np.concatenate([rows[fit], columns[fit]]), seed)
    return rows[test] @ R @ np.where(columns[test] @ R > 0, 1.0, -1.0).T


def _itq(Z: np.ndarray, seed: int) -> np.ndarray:
    """The rotation (d, d) that brings the rows nearer to their signs, from a random one; 50 rounds."""
    R = np.linalg.qr(np.random.default_rng(seed).standard_normal((Z.shape[1], Z.shape[1])))[0]
    for _ in range(50):
        U, _, Vt = np.linalg.svd(Z.T @ np.where(Z @ R > 0, 1.0, -1.0))
        R = U @ Vt
    return R


def _generated_features(stamps: Stamps, split: Split, seed: int) -> np.ndarray:
    """A conditional GAN makes picture features out of a caption; their mean is the query. Section 4.5."""
    import torch

    texts, pictures = _centred_pair(stamps, split)
    pictures = _shortened(pictures, split)
    generator = _conditional_gan(texts[split.development], pictures[split.development], seed)
    asked = texts[split.test].repeat(GAN_DRAWS, 1)
    with train.seeded(seed), torch.inference_mode():
        drawn = generator(torch.cat([asked, torch.randn(len(asked), GAN_NOISE)], dim=1))
    queries = drawn.reshape(GAN_DRAWS, len(split.test), -1).mean(dim=0)
    return similarity.cosine(queries.numpy().astype(float), pictures[split.test].numpy().astype(float))


def _adversarial_towers(stamps: Stamps, split: Split, seed: int) -> np.ndarray:
    """Two linear towers that match pairs and hide their modality from a classifier. Section 4.5."""
    import torch

    texts, pictures = _centred_pair(stamps, split)
    same = torch.from_numpy(stamps.relevance(split.development, split.development) == 2)
    towers = _fit_towers(texts[split.development], pictures[split.development], same, seed)
    with torch.inference_mode():
        sides = towers["text"](texts[split.test]), towers["image"](pictures[split.test])
    return similarity.cosine(*(side.numpy().astype(float) for side in sides))


def _class_names_english(stamps: Stamps, split: Split, seed: int) -> np.ndarray:
    """Zero-shot by class names, with the English sentence encoder. Section 5.2."""
    return _by_class_names(encoders.sentence_encoder(), stamps, split)


def _bag_of_words(stamps: Stamps, split: Split) -> np.ndarray:
    """Which words of the development captions occur in each caption, (n, words): 1 or 0."""
    counter = CountVectorizer(binary=True).fit(stamps.captions("en", split.development))
    return counter.transform(stamps.captions("en")).toarray().astype(float)


def _joined(blocks: Sequence[np.ndarray], split: Split) -> np.ndarray:
    """Blocks of features end to end, each around its mean and of one mean square length, on the development part."""
    fit, sides = split.development, []
    for block in blocks:
        block = block.astype(float)
        block = block - block[fit].mean(axis=0)
        sides.append(block / np.sqrt((block[fit] ** 2).sum(axis=1).mean()))
    return np.hstack(sides)


def _aligned(text_features: np.ndarray, picture_features: np.ndarray, split: Split) -> np.ndarray:
    """CCA on the pairs of the development part; cosine of test captions and test pictures."""
    fit, test = split.development, split.test
    model = subspace.cca(text_features[fit], picture_features[fit], dim=CCA_DIRECTIONS, ridge=CCA_RIDGE)
    return similarity.cosine(
        model.transform_x(text_features[test]), model.transform_y(picture_features[test])
    )


def _by_linear_maps(loss: Callable[..., torch.Tensor], stamps: Stamps, split: Split, seed: int) -> np.ndarray:
    """Trains two linear maps on the pairs of the development part; ``loss(scores, same=...)`` sees their cosines."""
    import torch

    fit, test, (x, y) = split.development, split.test, _centred(stamps, split)
    maps, same = _linear_maps(x, y, TRIPLET_DIM, seed), torch.from_numpy(stamps.relevance(fit, fit) == 2)

    def of_batch(i: torch.Tensor) -> torch.Tensor:
        return loss(_cosines(maps, x[fit[i]], y[fit[i]]), same=same[i][:, i])

    train.fit(maps, of_batch, len(fit), TRIPLET_STEPS, lr=TRIPLET_RATE, seed=seed)
    return _cosines(maps, x[test], y[test]).detach().numpy().astype(float)


def _centred(stamps: Stamps, split: Split) -> tuple[torch.Tensor, torch.Tensor]:
    """Sentence vectors and CNN features of unit length, minus the mean over the development part; float32 tensors."""
    import torch

    sentences = store.features(encoders.sentence_encoder(), stamps.captions("en"))
    seen = store.features(encoders.image_encoder(), stamps.images())
    both = (similarity.normalize(X) for X in (sentences, seen))
    x, y = (torch.from_numpy(X - X[split.development].mean(axis=0)) for X in both)
    return x, y


def _linear_maps(x: torch.Tensor, y: torch.Tensor, dim: int, seed: int) -> torch.nn.ModuleList:
    """Two linear maps into `dim` dimensions, one for each modality, with random weights."""
    from torch import nn

    with train.seeded(seed):
        return nn.ModuleList(nn.Linear(X.shape[1], dim, bias=False) for X in (x, y))


def _translation(
    x: torch.Tensor, y: torch.Tensor, stamps: Stamps, split: Split, seed: int
) -> torch.nn.ModuleList:
    """Two linear maps and the vector ``r`` between them, by the triplet loss of distances on the development part."""
    import torch

    from xmrlib import losses

    fit = split.development
    same = torch.from_numpy(stamps.relevance(fit, fit) == 2)
    maps = _linear_maps(x, y, TRANSE_DIM, seed)
    maps.register_parameter("r", torch.nn.Parameter(torch.zeros(TRANSE_DIM)))

    def loss(i: torch.Tensor) -> torch.Tensor:
        scores = _minus_distances(maps, x[fit[i]], y[fit[i]])
        return losses.triplet(scores, TRANSE_MARGIN, reduction="mean", same=same[i][:, i])

    train.fit(maps, loss, len(fit), TRANSE_STEPS, lr=1e-2, seed=seed)
    return maps


def _minus_distances(maps: torch.nn.ModuleList, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Minus the distance of every translated text to every picture, both on the unit sphere before."""
    import torch
    from torch.nn.functional import normalize

    r = maps.get_parameter("r")
    return -torch.cdist(normalize(maps[0](x)) + r, normalize(maps[1](y)))


def _cosines(maps: torch.nn.ModuleList, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """The cosine of every mapped text (rows) and every mapped picture (columns)."""
    from torch.nn.functional import normalize

    return normalize(maps[0](x)) @ normalize(maps[1](y)).T


def _of_unit_length(stamps: Stamps) -> tuple[np.ndarray, np.ndarray]:
    """Sentence vectors of MiniLM and the features of a CNN, each row of length 1, in float64."""
    sentences = store.features(encoders.sentence_encoder(), stamps.captions("en"))
    seen = store.features(encoders.image_encoder(), stamps.images())
    return similarity.normalize(sentences.astype(float)), similarity.normalize(seen.astype(float))


def _small_cnn_features(stamps: Stamps, split: Split, seed: int) -> np.ndarray:
    """The features (n, 64) of all pictures by a small CNN that learned the outermost folders of ``split.train``."""
    import torch
    from torch.nn.functional import cross_entropy

    from xmrlib import models

    folders = np.unique([stamp.category[0] for stamp in stamps], return_inverse=True)[1]
    pictures = models.small_pictures(stamps.images())
    x, y = pictures[split.train], torch.from_numpy(folders[split.train])
    with train.seeded(seed):
        cnn = models.SmallCNN(channels=3, classes=int(folders.max()) + 1)
    train.fit(
        cnn,
        lambda i: cross_entropy(cnn(x[i]), y[i]),
        n=len(x),
        steps=CNN_STEPS,
        lr=CNN_RATE,
        weight_decay=CNN_DECAY,
        seed=seed,
    )
    with torch.inference_mode():
        return cnn.features(pictures).numpy().astype(float)


def _centred_pair(stamps: Stamps, split: Split) -> tuple[torch.Tensor, torch.Tensor]:
    """Sentence vectors and CNN features for a network: unit rows, centred, one scale for all coordinates; float32."""
    import torch

    sides = []
    encoded = (
        (encoders.sentence_encoder(), stamps.captions("en")),
        (encoders.image_encoder(), stamps.images()),
    )
    for encoder, items in encoded:
        rows = similarity.normalize(store.features(encoder, items).astype(float))
        rows = rows - rows[split.development].mean(axis=0)
        sides.append(torch.from_numpy(np.float32(rows / rows[split.development].std())))
    return sides[0], sides[1]


def _shortened(pictures: torch.Tensor, split: Split) -> torch.Tensor:
    """The first principal coordinates of the pictures, one scale for all."""
    import torch

    rows = pictures.numpy().astype(float)
    pca = PCA(GAN_DIRECTIONS, svd_solver="full").fit(rows[split.development])
    codes = pca.transform(rows)
    return torch.from_numpy(np.float32(codes / codes[split.development].std()))


def _conditional_gan(texts: torch.Tensor, pictures: torch.Tensor, seed: int) -> torch.nn.Module:
    """A generator (text, noise) -> picture features, trained against a judge of pairs (Reed et al. 2016)."""
    import torch
    from torch.nn.functional import softplus

    width, made = texts.shape[1], pictures.shape[1]
    with train.seeded(seed):
        generator, judge = _two_layers(width + GAN_NOISE, made), _two_layers(width + made, 1)

    def judged(i: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        return judge(torch.cat([texts[i], x], dim=1))

    def fakes(i: torch.Tensor) -> torch.Tensor:
        return generator(torch.cat([texts[i], torch.randn(len(i), GAN_NOISE)], dim=1))

    def judge_loss(i: torch.Tensor) -> torch.Tensor:
        wrong = judged(i.roll(1), pictures[i]), judged(i, fakes(i).detach())
        return softplus(-judged(i, pictures[i])).mean() + sum(softplus(s).mean() for s in wrong)

    def generator_loss(i: torch.Tensor) -> torch.Tensor:
        return softplus(-judged(i, fakes(i))).mean()

    players = [(judge, judge_loss), (generator, generator_loss)]
    train.fit_in_turns(players, len(texts), GAN_STEPS, seed=seed)
    return generator


def _two_layers(inputs: int, outputs: int) -> torch.nn.Module:
    from torch import nn

    return nn.Sequential(nn.Linear(inputs, 256), nn.LeakyReLU(0.2), nn.Linear(256, outputs))


def _fit_towers(
    texts: torch.Tensor, pictures: torch.Tensor, same: torch.Tensor, seed: int
) -> torch.nn.ModuleDict:
    """Linear towers by the triplet loss, against an adversary through gradient reversal (Wang et al. 2017)."""
    from torch import nn

    from xmrlib import losses, models

    with train.seeded(seed):
        towers = nn.ModuleDict(
            {"text": nn.Linear(texts.shape[1], 128), "image": nn.Linear(pictures.shape[1], 128)}
        )
        towers["adversary"] = nn.Sequential(nn.Linear(128, 64), nn.ReLU(), nn.Linear(64, 1))

    def loss(i: torch.Tensor) -> torch.Tensor:
        u, v = (nn.functional.normalize(towers[k](x[i])) for k, x in (("text", texts), ("image", pictures)))
        hidden = models.modality_loss(towers["adversary"], u, v, ADVERSARY_WEIGHT)
        return losses.triplet(u @ v.T, same=same[i][:, i], reduction="mean") + hidden

    train.fit(towers, loss, len(texts), ADVERSARY_STEPS, batch=128, weight_decay=0.1, seed=seed)
    return towers


def _dual_encoder(
    stamps: Stamps,
    split: Split,
    seed: int,
    more: Sequence[CaptionedPictures],
    temperature: float,
    **training: Any,
) -> np.ndarray:
    """A dual encoder trained on the development part and on ``more`` pairs; cosines of test captions and pictures."""
    import torch

    from xmrlib import losses, models

    captions = [*stamps.captions("en"), *(caption for pairs in more for caption in pairs.captions)]
    pictures = [stamps.images(), *(pairs.images() for pairs in more)]
    seen = np.vstack([store.features(encoders.image_encoder(), images) for images in pictures])
    fit = np.append(split.development, np.arange(len(stamps), len(captions)))
    x, y = (_prepared(X, fit) for X in (store.features(encoders.sentence_encoder(), captions), seen))
    names = [caption.casefold().strip(" .").removeprefix("a ") for caption in captions]
    name, items = torch.from_numpy(np.unique(names, return_inverse=True)[1]), torch.from_numpy(fit)
    with train.seeded(seed):
        net = models.DualEncoder(x.shape[1], y.shape[1], hidden=512, temperature=temperature, learned=False)

    def loss(i: torch.Tensor) -> torch.Tensor:
        i = items[i]
        return losses.info_nce(net(x[i], y[i]), net.temperature, same=name[i, None] == name[i])

    train.fit(net, loss, len(fit), batch=128, seed=seed, **training)
    with torch.inference_mode():
        return net(x[split.test], y[split.test]).numpy().astype(float)


def _prepared(X: np.ndarray, fit: np.ndarray) -> torch.Tensor:
    """Rows of length 1, around the mean of those that are learned from, with one scale for all numbers; float32."""
    import torch

    X = similarity.normalize(X.astype(float))
    X = X - X[fit].mean(axis=0)
    return torch.from_numpy(X / X[fit].std()).float()


def _at_depth(depth: str, stamps: Stamps, split: Split) -> np.ndarray:
    """Sentence vectors of MiniLM and the mean of one map inside the CNN, aligned by CCA."""
    cnn = encoders.layer_encoder()
    seen = cnn.split(store.features(cnn, stamps.images()))[depth]
    return _aligned(store.features(encoders.sentence_encoder(), stamps.captions("en")), seen, split)


def _by_class_names(
    encoder: encoders.MultilingualEncoder | encoders.SentenceEncoder, stamps: Stamps, split: Split
) -> np.ndarray:
    """ConSE without its cut (Norouzi et al. 2014): a picture is the mean class name, weighted by probability."""
    said, shown = _class_name_space(encoder, stamps)
    return similarity.cosine(said[split.test], shown[split.test])


def _class_name_space(
    encoder: encoders.MultilingualEncoder | encoders.SentenceEncoder, stamps: Stamps
) -> tuple[np.ndarray, np.ndarray]:
    """All captions, and all pictures as mean class names, in the space of the text encoder."""
    cnn = encoders.image_encoder()
    seen = cnn.classify(store.features(cnn, stamps.images()))
    return store.features(encoder, stamps.captions("en")), seen @ store.features(encoder, cnn.class_names)


SYSTEMS: tuple[System, ...] = (
    System("words + colours, CCA", "1.1", _words_and_colours),
    System("search box of the page", "1.1", _search_box),
    System("class names, multilingual", "1.1", _class_names_multilingual),
    System("words + CNN, CCA", "2.1", _words_and_cnn),
    System("GloVe mean + CNN, CCA", "2.2", _glove_and_cnn),
    System("folder posteriors (SM)", "2.3", _folder_posteriors),
    System("words + small CNN, CCA", "2.4", _words_and_small_cnn, seeds=3),
    System("MiniLM + CNN stage 3, CCA", "2.5", _early_cnn),
    System("MiniLM + CNN stage 5, CCA", "2.5", _middle_cnn),
    System("words + visual words, CCA", "2.6", _words_and_visual_words, seeds=5),
    System("early fusion, CCA", "3.1", _early_fusion),
    System("late fusion of three", "3.1", _late_fusion),
    System("MiniLM + CNN + neighbours, ridge", "3.3", _neighbours_mixed_in),
    System("MiniLM + CNN, TransE", "3.4", _translated, seeds=3),
    System("MiniLM + CNN, CCA, CSLS", "4.1", _hubs_held_down),
    System("class names, MiniLM, centred", "4.1", _class_names_centred),
    System("MiniLM + CNN, LSA", "4.2", _stacked_svd),
    System("MiniLM + CNN, ridge", "4.2", _regression),
    System("MiniLM + CNN, PLS", "4.2", _partial_least_squares),
    System("MiniLM + CNN, kernel CCA", "4.2", _kernel_correlation),
    System("MiniLM + CNN, triplet", "4.3", _sentences_and_cnn_triplet, seeds=3),
    System("MiniLM + CNN, InfoNCE", "4.4", _info_nce, seeds=3),
    System("MiniLM + CNN, InfoNCE, more pairs", "4.4", _info_nce_more_pairs, seeds=3),
    System("class names + InfoNCE", "4.4", _class_names_and_info_nce, seeds=3),
    System("MiniLM + CNN, generated features", "4.5", _generated_features, seeds=3),
    System("MiniLM + CNN, adversarial", "4.5", _adversarial_towers, seeds=3),
    System("MiniLM + CNN, CCA, 64 bits", "4.6", _sixty_four_bits, seeds=5),
    System("MiniLM + CNN, CCA", "5.1", _sentences_and_cnn),
    System("class names, MiniLM", "5.2", _class_names_english),
)
"""All systems in the order of the book."""


def named(name: str) -> System:
    """The system of that name. Raises ``ValueError`` with the known names otherwise (chapter 1).

    >>> named("MiniLM + CNN, CCA").section
    '5.1'
    """
    _expect.one_of("name", name, [system.name for system in SYSTEMS])
    return next(system for system in SYSTEMS if system.name == name)
