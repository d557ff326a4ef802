"""A text as rows of tokens, each predicted from those before it.

Tokens 0, ..., n - 1 are the n words from the most frequent one on; then come ``<eos>``, and for
paragraphs ``<bos>`` and ``<pad>``, which are read and never predicted.

Shapes: ``row`` - windows of a stream, or paragraphs; ``pos`` - tokens that are read of a row;
``word``; ``cls`` - words and ``<eos>``.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import NamedTuple

import torch
from einops import rearrange
from jaxtyping import Float64, Int64
from torch import Tensor

from grok.data.text_config import TextConfig
from grok.data.text_files import read_words
from grok.inputs import InputError

UNK = "<unk>"
PADDED = -1
"""Label of a position that does not count."""


class Rows(NamedTuple):
    """Rows of one part of the text."""

    inputs: Int64[Tensor, "row pos"]
    """Tokens that are read."""
    labels: Int64[Tensor, "row pos"]
    """The token after each; :data:`PADDED` where there is none."""


class TextData(NamedTuple):
    """What a language model learns from and is tested on."""

    words: tuple[str, ...]
    """Words by token."""
    n_tokens: int
    """Tokens that can be read."""
    train: Rows
    test: Rows

    @property
    def n_classes(self) -> int:
        """Tokens that can be predicted: the words and ``<eos>``."""
        return len(self.words) + 1


def text_data(text: TextConfig) -> TextData:
    """Vocabulary, training rows and test rows, on the CPU.

    Raises:
        InputError: As :func:`~grok.data.text_files.read_words`, or if a part is too short for a
            window, or has fewer training rows than an update sees.
    """
    parts = read_words(text)
    words = vocabulary(chain.from_iterable(parts[0]), text.vocab)
    ids = {word: token for token, word in enumerate(words)}
    if text.mode == "paragraph":
        train, test = (padded(_tokens(part, ids), len(words), text.length) for part in parts)
        n_tokens = len(words) + 3
    else:
        train, test = (windows(_tokens(part, ids), len(words), text.length) for part in parts)
        n_tokens = len(words) + 1
    if len(train.inputs) < text.batch_size or not len(test.inputs):
        raise InputError(
            f"the text has {len(train.inputs)} training and {len(test.inputs)} test rows of "
            f"text.length={text.length}: needed are text.batch_size={text.batch_size} and 1"
        )
    return TextData(words, n_tokens, train, test)


def vocabulary(words: Iterable[str], size: int) -> tuple[str, ...]:
    """The most frequent words of a text and ``<unk>``.

    Args:
        words: The text.
        size: V, 2 or more.

    Returns:
        The V - 1 most frequent words, the most frequent first and of equally frequent ones the one
        that comes first in the text; then ``<unk>``, unless it is among them. Fewer where the text
        has fewer.
    """
    frequent = [word for word, _ in Counter(words).most_common(size - 1)]
    return tuple(frequent if UNK in frequent else [*frequent, UNK])


def _tokens(paragraphs: Sequence[Sequence[str]], ids: Mapping[str, int]) -> list[list[int]]:
    unknown = ids[UNK]
    return [[ids.get(word, unknown) for word in words] for words in paragraphs]


def windows(paragraphs: Sequence[Sequence[int]], eos: int, length: int) -> Rows:
    """Consecutive windows of a stream, without overlap: every token but the first is a label once.

    Args:
        paragraphs: Tokens, without ``<eos>``.
        eos: Token put behind each paragraph.
        length: Tokens that are read of a window.

    Returns:
        Rows in the order of the text; the last tokens, too few for a window, are left out.
    """
    stream = torch.tensor([token for words in paragraphs for token in (*words, eos)])
    n = max(len(stream) - 1, 0) // length
    inputs, labels = (
        rearrange(stream[start : start + n * length], "(row pos) -> row pos", pos=length)
        for start in (0, 1)
    )
    return Rows(inputs, labels)


def padded(paragraphs: Sequence[Sequence[int]], eos: int, length: int) -> Rows:
    """One paragraph to a row, from ``<bos>`` = eos + 1 to ``<eos>``.

    Args:
        paragraphs: Tokens, without marks.
        eos: Token predicted after the last word.
        length: Tokens that are read of a row, ``<bos>`` included; what comes later is cut off.

    Returns:
        Rows in the order of the text. Behind the last word ``<pad>`` = eos + 2 is read and nothing
        counts.
    """
    inputs = torch.full((len(paragraphs), length), eos + 2)
    labels = torch.full((len(paragraphs), length), PADDED)
    for row, words in enumerate(paragraphs):
        marked = torch.tensor([eos + 1, *words[:length], eos])[: length + 1]
        inputs[row, : len(marked) - 1] = marked[:-1]
        labels[row, : len(marked) - 1] = marked[1:]
    return Rows(inputs, labels)


def unigram_cross_entropy(
    train: Int64[Tensor, " token"], labels: Int64[Tensor, " label"], n_classes: int
) -> Float64[Tensor, ""]:
    r"""Loss of a model that predicts by frequency alone: the collapse detector.

    .. math:: -\frac1N \sum_i \ln\frac{c(y_i) + 1}{\sum_j c_j + K}

    with the training counts c of K classes, to each of which one is added. A language model that
    predicts the same at every position cannot have a smaller loss on labels distributed as those
    of the training part; one at or above it has learned nothing of what stands before a token.

    Args:
        train: Labels of the training part, 0 to K - 1.
        labels: Labels whose cross-entropy is taken, 0 to K - 1.
        n_classes: K.

    Returns:
        Nats, positive for K > 1. Without labels NaN.

    Raises:
        RuntimeError: If a label is negative.

    Reference:
        Merrill et al. 2021, section 4.1, whose collapsed runs have the accuracy of the most
        frequent word; the detector is ours.
    """
    counts = torch.bincount(train, minlength=n_classes).double() + 1
    return -(counts / counts.sum()).log()[labels].mean()
