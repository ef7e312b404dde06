"""Frozen encoders with pinned weights: an ImageNet CNN, two sentence encoders, GloVe, and a speech recogniser.

The weights are files of installed packages. Each is compared with the sha256 written in `WEIGHTS` before it is read,
and read without unpickling code. Networks, and torch, are loaded when they are first asked to encode something, so an
encoder whose features are in the `xmrlib.store` costs nothing. Introduced in chapter 1.
"""

from .image import GridEncoder, ImageEncoder, LayerEncoder, grid_encoder, image_encoder, layer_encoder
from .speech import SpeechRecogniser, speech_recogniser
from .text import (
    MultilingualEncoder,
    SentenceEncoder,
    minilm_weights,
    multilingual_encoder,
    sentence_encoder,
)
from .weights import WEIGHTS, weight_files
from .words import mean_word_vectors, word_vectors

__all__ = [
    "WEIGHTS",
    "GridEncoder",
    "ImageEncoder",
    "LayerEncoder",
    "MultilingualEncoder",
    "SentenceEncoder",
    "SpeechRecogniser",
    "grid_encoder",
    "image_encoder",
    "layer_encoder",
    "mean_word_vectors",
    "minilm_weights",
    "multilingual_encoder",
    "sentence_encoder",
    "speech_recogniser",
    "weight_files",
    "word_vectors",
]
