"""Texts: words, vocabulary, rows; files of a user's folder; the published counts of WikiText-2."""

import hashlib
import math
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from itertools import chain
from pathlib import Path
from statistics import median
from types import ModuleType
from typing import Any, Literal

import polars as pl
import pytest
import torch

import grok.data.text_files as text_files
import grok.data.text_hub as text_hub
from grok.data.text import (
    PADDED,
    UNK,
    Rows,
    padded,
    text_data,
    unigram_cross_entropy,
    vocabulary,
    windows,
)
from grok.data.text_config import SMALL_SHA256, TextConfig
from grok.data.text_files import paragraphs, read_words, settled
from grok.inputs import InputError
from tests.texts import text_folder

SMALL = TextConfig(train_on="valid")


def absent() -> str:
    """Why WikiText-2 is not there; empty where it is."""
    try:
        text_files.text_files(SMALL)
    except InputError as error:
        return str(error)
    return ""


needs_wikitext = pytest.mark.skipif(bool(absent()), reason=absent())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return text_folder(tmp_path / "text")


def text(folder: Path, **fields: Any) -> TextConfig:
    return settled(TextConfig(directory=str(folder), vocab=8, length=5, batch_size=2, **fields))


def words_of(rows: Rows, words: tuple[str, ...], marks: tuple[str, ...]) -> list[str]:
    """Rows as text, what is read and what is to be said."""
    names = (*words, *marks)

    def line(tokens: list[int]) -> str:
        return " ".join("." * 3 if token == PADDED else names[token] for token in tokens)

    return [f"{line(x)} -> {line(y)}" for x, y in zip(*(r.tolist() for r in rows), strict=True)]


def test_blank_lines_and_headings_are_no_paragraphs(folder: Path) -> None:
    train, test = read_words(text(folder))
    assert [len(words) for words in train] == [14, 5, 20]
    assert test == [["the", "cat", "sat", "on", "the", "dog", "."], ["a", "bird", "sang", "."]]


def test_the_vocabulary_is_the_most_frequent_words_and_ties_go_to_the_first() -> None:
    words = ["b", "a", "c", "a", "b", "d", "e", "<unk>", "d"]
    assert vocabulary(words, 3) == ("b", "a", UNK)
    assert vocabulary(words, 5) == ("b", "a", "d", "c", UNK)
    # The word <unk> of the text is a word like others.
    assert vocabulary([*words, UNK, UNK], 4) == (UNK, "b", "a")
    assert vocabulary(words, 99) == ("b", "a", "d", "c", "e", UNK)


def test_windows_of_a_stream_predict_every_token_but_the_first_once(folder: Path) -> None:
    data = text_data(text(folder))
    assert data.words == ("the", "on", "and", "cat", "dog", ".", "sat", UNK)
    assert (data.n_tokens, data.n_classes) == (9, 9)
    lines = words_of(data.train, data.words, ("<eos>",))
    assert lines[:3] == [
        "the cat sat on the -> cat sat on the <unk>",
        "<unk> and the dog sat -> and the dog sat on",
        "on the cat . <eos> -> the cat . <eos> the",
    ]
    # 14 + 5 + 20 words and three marks, the first of which nothing predicts.
    assert len(lines) == (14 + 5 + 20 + 3 - 1) // 5
    stream = data.train.inputs.flatten()
    assert torch.equal(data.train.labels.flatten()[:-1], stream[1:])


def test_a_paragraph_goes_from_mark_to_mark_is_cut_off_and_padded(folder: Path) -> None:
    data = text_data(text(folder, mode="paragraph"))
    assert (data.n_tokens, data.n_classes) == (11, 9)
    marks = ("<eos>", "<bos>", "<pad>")
    assert words_of(data.test, data.words, marks) == [
        "<bos> the cat sat on -> the cat sat on the",
        "<bos> <unk> <unk> <unk> . -> <unk> <unk> <unk> . <eos>",
    ]
    assert words_of(padded([[3, 4]], 8, 5), data.words, marks) == [
        "<bos> cat dog <pad> <pad> -> cat dog <eos> ... ..."
    ]


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 7])
def test_a_row_of_any_length_counts_its_words_and_their_end(n: int) -> None:
    rows = padded([list(range(n))], 9, 4)
    labels = [*range(n), 9][:4]
    assert rows.labels.tolist() == [[*labels, *[PADDED] * (4 - len(labels))]]
    assert rows.inputs[0, : len(labels)].tolist() == [10, *range(n)][: len(labels)]
    assert (rows.inputs[0, len(labels) :] == 11).all()


def test_a_text_shorter_than_a_window_has_none() -> None:
    assert windows([[1, 2]], 9, 3).inputs.shape == (0, 3)
    assert windows([[1, 2, 3]], 9, 3).labels.tolist() == [[2, 3, 9]]


def test_the_collapse_detector_is_the_loss_of_the_frequencies_plus_one() -> None:
    train, labels = torch.tensor([0, 0, 0, 1]), torch.tensor([0, 1, 2])
    expected = -(math.log(4 / 7) + math.log(2 / 7) + math.log(1 / 7)) / 3
    assert unigram_cross_entropy(train, labels, 3).item() == pytest.approx(expected, rel=1e-14)
    with pytest.raises(RuntimeError):
        unigram_cross_entropy(torch.tensor([PADDED]), labels, 3)


def test_no_constant_prediction_beats_the_frequencies_by_more_than_the_added_ones() -> None:
    generator = torch.Generator().manual_seed(0)
    labels = torch.randint(5, (20_000,), generator=generator).square() // 4
    entropy = torch.distributions.Categorical(torch.bincount(labels).double()).entropy().item()
    assert (
        entropy
        < unigram_cross_entropy(labels, labels, 5).item()
        <= entropy + math.log1p(5 / 20_000)
    )


# Files.


def test_the_training_part_trains_where_there_is_one(folder: Path) -> None:
    small = text(folder)
    assert small.train_on == "valid"
    text_folder(folder, train="the whole text\nhas two lines\n")
    whole = text(folder)
    assert (whole.train_on, whole.name) == ("train", "text_train")
    assert whole.sha256 != small.sha256
    assert read_words(whole)[0] == [["the", "whole", "text"], ["has", "two", "lines"]]
    assert read_words(small) == read_words(text(folder, train_on="valid"))


def test_the_digest_is_what_the_shell_prints(folder: Path) -> None:
    command = "sha256sum valid.txt test.txt | cut -c-64 | sha256sum | cut -c-64"
    done = subprocess.run(command, shell=True, cwd=folder, capture_output=True, text=True)
    assert text(folder).sha256 == done.stdout.strip()


def test_files_may_have_the_names_of_the_published_archive(folder: Path) -> None:
    expected = read_words(text(folder))
    for part in ("valid", "test"):
        (folder / f"{part}.txt").rename(folder / f"wiki.{part}.tokens")
    assert read_words(text(folder)) == expected


def test_a_field_that_is_given_is_not_settled_anew(folder: Path) -> None:
    given = TextConfig(directory=str(folder), train_on="valid", sha256="0" * 64)
    assert settled(given) == given


def test_where_there_is_no_text_a_run_is_that_of_the_published_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GROK_DATA", raising=False)
    assert settled(TextConfig()) == TextConfig()
    here = TextConfig(directory=str(tmp_path))
    assert settled(here).digest == SMALL_SHA256
    assert here.name == "wikitext2_small"


def complaint(config: TextConfig) -> str:
    with pytest.raises(InputError) as caught:
        text_data(config)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_text_that_is_missing_is_one_line_that_says_what_is_needed(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GROK_DATA", raising=False)
    assert complaint(TextConfig()).startswith("text.directory is empty and GROK_DATA is not set")
    monkeypatch.setenv("GROK_DATA", str(tmp_path))
    expected = f"no file {tmp_path}/wikitext-2/valid.txt: put WikiText-2's word-tokenised test.txt"
    assert complaint(TextConfig()).startswith(expected)
    config = text(folder)
    (folder / "test.txt").unlink()
    assert complaint(config).startswith(f"no file {folder}/test.txt: put WikiText-2's")
    assert complaint(TextConfig(directory="a\0b")).startswith("no file a\0b/valid.txt: ")


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "has no line of text, only blank ones and headings"),
        (b" = a =\n\n = = b = =\n", "has no line of text"),
        (b"the cat \xff sat", "byte 8 is no UTF-8"),
        (b"\x80", "byte 0 is no UTF-8"),
        (b"a b c", "the text has 0 training and 2 test rows of text.length=5: needed are text.bat"),
    ],
)
def test_a_text_that_is_none_is_one_line(folder: Path, content: bytes, expected: str) -> None:
    (folder / "valid.txt").write_bytes(content)
    assert expected in complaint(text(folder))


def test_a_file_that_is_too_long_is_not_read(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_files, "MOST_BYTES", 20)
    config = TextConfig(directory=str(folder))
    assert complaint(config) == f"{folder}/valid.txt: longer than the 20 bytes that are read"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_is_one_line(folder: Path) -> None:
    (folder / "valid.txt").chmod(0)
    assert "valid.txt: cannot be read (Permission denied)" in complaint(text(folder))


def test_another_text_than_the_run_says_is_refused(folder: Path) -> None:
    config = text(folder)
    text_folder(folder, test="something else .\n")
    found = text(folder).sha256
    expected = f"valid.txt and test.txt have text.sha256={found}, expected {config.sha256}"
    assert complaint(config) == f"{folder}: {expected}"


@pytest.mark.parametrize("name", ["vocab", "length", "batch_size", "n_read"])
def test_sizes_that_cannot_be_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match=rf"^text\.{name}=0 must be [12] or more$"):
        replace(SMALL, **{name: 0})
    with pytest.raises(
        ValueError, match=r"^text\.directory=x has no effect with text\.source=hub$"
    ):
        TextConfig(source="hub", directory="x")
    with pytest.raises(ValueError, match=r"^text\.sha256=XY: expected 64 hexadecimal digits"):
        TextConfig(sha256="XY")


# The hub, in its place a folder and functions of ours.


LINES = {
    "train": [" \n", " = The cat = \n", " the cat sat . \n", " the end"],
    "validation": [" the dog sat . \n"],
    "test": [" a bird sang . \n"],
}


class FakeHub(ModuleType):
    """Lists and downloads what lies in a folder; counts what it is asked for."""

    def __init__(self, folder: Path) -> None:
        super().__init__("huggingface_hub")
        self.folder, self.asked = folder, []
        for split, lines in LINES.items():
            path = folder / f"{text_hub.CONFIG}/{split}-00000-of-00001.parquet"
            path.parent.mkdir(exist_ok=True)
            pl.DataFrame({"text": lines}).write_parquet(path)

    def HfApi(self) -> "FakeHub":
        return self

    def list_repo_files(self, repo: str, *, repo_type: str) -> list[str]:
        assert (repo, repo_type) == ("Salesforce/wikitext", "dataset")
        found = [str(x.relative_to(self.folder)) for x in self.folder.rglob("*.parquet")]
        return [*found, "wikitext-103-v1/test-00000-of-00001.parquet", "README.md"]

    def hf_hub_download(self, repo: str, name: str, *, repo_type: str) -> str:
        assert (repo, repo_type) == ("Salesforce/wikitext", "dataset")
        self.asked.append(name)
        return str(self.folder / name)

    def try_to_load_from_cache(self, repo: str, name: str, *, repo_type: str) -> object:
        path = self.folder / "cache" / name
        return str(path) if path.exists() else None


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHub]:
    """In the place of the library of the hub."""
    fake = FakeHub(tmp_path)
    monkeypatch.setitem(sys.modules, "huggingface_hub", fake)
    for part in ("errors", "utils"):
        monkeypatch.setitem(sys.modules, f"huggingface_hub.{part}", ModuleType(part))
    text_hub.hub_part.cache_clear()
    yield fake
    text_hub.hub_part.cache_clear()


def test_the_hub_gives_the_training_part_once(hub: FakeHub) -> None:
    config = settled(TextConfig(source="hub"))
    assert (config.train_on, config.name) == ("train", "text_train")
    train, test = read_words(config)
    assert train == [["the", "cat", "sat", "."], ["the", "end"]]
    assert test == [["a", "bird", "sang", "."]]
    assert hub.asked == [f"wikitext-2-v1/{x}-00000-of-00001.parquet" for x in ("train", "test")]


def test_a_text_has_one_digest_wherever_it_is_from(hub: FakeHub, tmp_path: Path) -> None:
    files = {part: "".join(LINES[split]) for part, split in text_hub.SPLITS.items()}
    folder = text_folder(tmp_path / "files", **files | {"train": files["train"] + "\n"})
    ours = settled(TextConfig(source="hub"))
    assert ours.sha256 == settled(TextConfig(directory=str(folder))).sha256
    assert settled(TextConfig(source="hub", train_on="valid")).sha256 != ours.sha256


def test_without_a_network_the_hub_is_one_line_or_its_cache(
    hub: FakeHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    def offline(*_: object, **__: object) -> None:
        raise ConnectionError("\n[Errno -2] Name or service not known\nand pages of text")

    monkeypatch.setattr(hub, "list_repo_files", offline)
    expected = "Salesforce/wikitext: [Errno -2] Name or service not known: join a network, or put"
    config = TextConfig(source="hub")
    assert settled(config).digest == SMALL_SHA256
    assert complaint(config).startswith(expected)
    (hub.folder / "cache").mkdir()
    (hub.folder / text_hub.CONFIG).rename(hub.folder / "cache" / text_hub.CONFIG)
    assert len(read_words(settled(config))[0]) == 2


def test_a_hub_without_the_text_is_one_line(hub: FakeHub) -> None:
    path = hub.folder / f"{text_hub.CONFIG}/test-00000-of-00001.parquet"
    path.write_bytes(b"PAR1")
    config = TextConfig(source="hub", train_on="train")
    assert complaint(config) == f"{path}: is no Parquet file with a column text"
    path.unlink()
    text_hub.hub_part.cache_clear()
    assert complaint(config) == "Salesforce/wikitext has 0 files of wikitext-2-v1, test, not 1"


def test_without_its_library_the_hub_is_one_line(
    hub: FakeHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    expected = "huggingface_hub is not installed: pip install 'grokking-lab[hub]', or put WikiText"
    assert complaint(TextConfig(source="hub")).startswith(expected)


# WikiText-2.


PARTS = {
    "valid": (1_121_681, 3_760, 1_841, 209_338, 217_646, 13_687, 429, 113.7, 108),
    "test": (1_256_449, 4_358, 2_183, 235_845, 245_569, 14_029, 481, 108.0, 99),
}
"""Bytes, lines, paragraphs, tokens in them, tokens of all lines and their ends, words in
paragraphs, longest, mean and median paragraph."""


@needs_wikitext
@pytest.mark.parametrize("part", ["valid", "test"])
def test_wikitext_has_the_published_counts(part: Literal["valid", "test"]) -> None:
    path = text_files.find_part(text_files.text_folder(""), part)
    assert path is not None
    content = path.read_bytes()
    found = paragraphs(path, content)
    lengths = sorted(map(len, found))
    of_all_lines = sum(len(line.split()) for line in content.decode().split("\n"))
    n_lines = content.count(b"\n")
    assert PARTS[part] == (
        len(content),
        n_lines,
        len(found),
        sum(lengths),
        of_all_lines + n_lines,
        len(set(chain.from_iterable(found))),
        lengths[-1],
        round(sum(lengths) / len(lengths), 1),
        median(lengths),
    )


@needs_wikitext
def test_wikitext_is_the_one_whose_digest_runs_have() -> None:
    assert settled(SMALL).digest == SMALL_SHA256
    files = text_files.text_files(SMALL)
    lines = "".join(f"{hashlib.sha256(path.read_bytes()).hexdigest()}\n" for path in files)
    assert hashlib.sha256(lines.encode()).hexdigest() == SMALL_SHA256


@needs_wikitext
@pytest.mark.parametrize(
    ("size", "share", "loss"), [(1000, 0.346, 3.997), (2000, 0.279, 4.632), (4000, 0.211, 5.315)]
)
def test_frequencies_alone_have_the_published_loss(size: int, share: float, loss: float) -> None:
    """Of words in paragraphs, without marks; the unknown words are those of the test part."""
    train, test = (list(chain.from_iterable(part)) for part in read_words(settled(SMALL)))
    assert Counter(train).most_common(3) == [("the", 12_611), (UNK, 11_529), (",", 10_045)]
    words = vocabulary(train, size)
    ids = {word: token for token, word in enumerate(words)}
    seen, labels = (torch.tensor([ids.get(w, ids[UNK]) for w in part]) for part in (train, test))
    assert (labels == ids[UNK]).double().mean().item() == pytest.approx(share, abs=5.1e-4)
    found = unigram_cross_entropy(seen, labels, len(words)).item()
    assert found == pytest.approx(loss, abs=5e-4)


@needs_wikitext
def test_wikitext_gives_the_published_number_of_windows() -> None:
    data = text_data(settled(SMALL))
    assert len(data.train.inputs) == 3_299
    # Of 211,179 tokens with one mark behind each paragraph, 43 are left over, the last mark too.
    marks = (data.train.labels == len(data.words)).sum().item()
    assert 1_841 - 3 <= marks < 1_841
