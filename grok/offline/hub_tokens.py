"""What a model of Hugging Face reads: a text by its tokenizer, or random tokens.

Shapes: ``text`` - examples; ``pos`` - positions.
"""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from jaxtyping import Bool, Int64
from torch import Tensor

from grok.inputs import InputError


class Tokens(NamedTuple):
    """Some texts as a network reads them."""

    ids: Int64[Tensor, "text pos"]
    mask: Bool[Tensor, "text pos"]
    """False at padding."""


def random_tokens(
    vocab: int, *, n_texts: int, length: int, seed: int, but: Sequence[int] = ()
) -> Tokens:
    """Texts of one length whose tokens are drawn alike from a vocabulary.

    Args:
        vocab: Number of tokens.
        n_texts: Number of texts.
        length: Tokens of each.
        seed: Of the draw.
        but: Ids that are not drawn: padding, from which some models count positions.
    """
    allowed = torch.tensor([i for i in range(vocab) if i not in but])
    generator = torch.Generator().manual_seed(seed)
    drawn = torch.randint(len(allowed), (n_texts, length), generator=generator)
    return Tokens(allowed[drawn], torch.ones(n_texts, length, dtype=torch.bool))


def paragraphs(text: str) -> list[str]:
    """Blocks between blank lines, without headings: those that begin with ``#`` or ``=``."""
    blocks = (block.strip() for block in re.split(r"\n\s*\n", text))
    return [block for block in blocks if block and not block.startswith(("#", "="))]


def padded(texts: Sequence[Sequence[int]], pad: int) -> Tokens:
    """Texts of different lengths as one batch, padded at the end.

    Args:
        texts: Ids of each, at least one.
        pad: Id of padding.
    """
    length = max(map(len, texts))
    ids = [[*text, *[pad] * (length - len(text))] for text in texts]
    mask = [[i < len(text) for i in range(length)] for text in texts]
    return Tokens(torch.tensor(ids), torch.tensor(mask))


def encoded(
    tokenizer: Any, texts: Sequence[str], *, most: int, size: int, pad: int
) -> list[Tokens]:
    """Texts as batches of tokens, with the tokens that begin and end a text of this model.

    Args:
        tokenizer: Of ``transformers``.
        texts: The texts.
        most: Tokens at which a text is cut.
        size: Texts of a batch.
        pad: Id of padding.
    """
    ids = [tokenizer(text, truncation=True, max_length=most)["input_ids"] for text in texts]
    ids = [each for each in ids if each]
    return [padded(ids[i : i + size], pad) for i in range(0, len(ids), size)]


def read_texts(file: Path, n_texts: int) -> list[str]:
    """The first paragraphs of a file.

    Raises:
        InputError: If it cannot be read, is no text, or has no paragraph.
    """
    try:
        texts = paragraphs(file.read_text(encoding="utf-8"))[:n_texts]
    except OSError as error:
        raise InputError(f"text={file} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise InputError(f"text={file} is no text in UTF-8") from error
    if not texts:
        raise InputError(f"text={file} has no paragraph; those that begin with # or = do not count")
    return texts
