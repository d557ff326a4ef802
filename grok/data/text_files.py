"""The parts of a text in a folder of the user's, or of the hub if asked for. Imports no torch."""

import contextlib
import hashlib
from dataclasses import replace
from pathlib import Path

from grok.data.folders import data_folder
from grok.data.image_config import joint_sha256
from grok.data.text_config import TextConfig
from grok.data.text_hub import Part, hub_part, parquet_lines
from grok.inputs import InputError

MOST_BYTES = 2**27
"""Most bytes of a file: the text and its tokens are held in memory."""
NAMES = ("{}.txt", "wiki.{}.tokens")
"""What the file of a part may be called."""
HOW = (
    "put WikiText-2's word-tokenised test.txt there, and train.txt or valid.txt to train on (or "
    "wiki.test.tokens and so on); they are not downloaded for you"
)
"""What to do where a file is missing or wrong."""


def text_folder(directory: str) -> Path:
    """Where the parts of the text lie.

    Args:
        directory: A folder; empty for ``$GROK_DATA/wikitext-2``.

    Raises:
        InputError: If neither is given.
    """
    otherwise = (
        f"text.directory is empty and GROK_DATA is not set: name the folder of the text, and {HOW}"
    )
    return data_folder(directory, "wikitext-2", otherwise)


def find_part(folder: Path, part: Part) -> Path | None:
    """The file of a part; None where the folder has none."""
    for name in NAMES:
        path = folder / name.format(part)
        # A folder that may not be looked into has no file either.
        with contextlib.suppress(OSError, ValueError):
            if path.is_file():
                return path
    return None


def text_files(text: TextConfig) -> tuple[Path, Path]:
    """File that trains and file that evaluates. What they hold is not looked at.

    Raises:
        InputError: If one is missing; in one line that says what is needed.
    """
    parts: tuple[Part, Part] = (text.trained_part, "test")
    if text.source == "hub":
        return hub_part(parts[0]), hub_part(parts[1])
    folder = text_folder(text.directory)
    found: list[Path] = []
    for part in parts:
        path = find_part(folder, part)
        if path is None:
            raise InputError(f"no file {folder / NAMES[0].format(part)}: {HOW}")
        found.append(path)
    return found[0], found[1]


def read_bytes(path: Path) -> bytes:
    """The text that a file holds; of a Parquet file its lines.

    Raises:
        InputError: If it cannot be read or has more than :data:`MOST_BYTES`.
    """
    if path.suffix == ".parquet":
        return parquet_lines(path)
    try:
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}): {HOW}") from None
    if len(content) > MOST_BYTES:
        raise InputError(f"{path}: longer than the {MOST_BYTES:,} bytes that are read")
    return content


def joint_digest(contents: tuple[bytes, bytes]) -> str:
    """Digest of the two texts of a run, as ``text.sha256``."""
    return joint_sha256(hashlib.sha256(content).hexdigest() for content in contents)


def settled(text: TextConfig) -> TextConfig:
    """The text with the part that trains and the digest as the folder has them.

    A field that was given stays, and so does everything where a file is missing or cannot be read:
    whoever reads the text then says so.
    """
    with contextlib.suppress(InputError):
        if text.train_on == "auto":
            has_train = text.source == "hub" or find_part(text_folder(text.directory), "train")
            text = replace(text, train_on="train" if has_train else "valid")
        if not text.sha256:
            train, test = text_files(text)
            text = replace(text, sha256=joint_digest((read_bytes(train), read_bytes(test))))
    return text


def read_words(text: TextConfig) -> tuple[list[list[str]], list[list[str]]]:
    """Paragraphs of the training part and of the test part, as words.

    Raises:
        InputError: If a file is missing, unreadable, too long, no UTF-8 or without paragraphs, or
            if the two are others than ``text.digest`` says; in one line.
    """
    paths = text_files(text)
    contents = read_bytes(paths[0]), read_bytes(paths[1])
    if (found := joint_digest(contents)) != text.digest:
        raise InputError(
            f"{paths[0].parent}: {paths[0].name} and {paths[1].name} have text.sha256={found}, "
            f"expected {text.digest}"
        )
    train, test = (paragraphs(*each) for each in zip(paths, contents, strict=True))
    return train, test


def paragraphs(path: Path, content: bytes) -> list[list[str]]:
    """Words of each line that is neither blank nor a heading.

    Args:
        path: Where the content is from, for the error.
        content: What the file holds.

    Raises:
        InputError: If it is no UTF-8 or nothing is left.
    """
    try:
        lines = content.decode().split("\n")
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: byte {error.start} is no UTF-8: {HOW}") from None
    found = [words for line in lines if (words := line.split()) and not words[0].startswith("=")]
    if not found:
        raise InputError(f"{path}: has no line of text, only blank ones and headings: {HOW}")
    return found
