"""What a model of Hugging Face reads."""

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import torch

from grok.inputs import InputError
from grok.offline.hub_tokens import encoded, padded, paragraphs, random_tokens, read_texts


def test_random_tokens_are_those_of_the_seed_and_never_one_that_is_excluded() -> None:
    found = random_tokens(5, n_texts=40, length=50, seed=0, but=[2])
    count = Counter(found.ids.flatten().tolist())
    assert count.keys() == {0, 1, 3, 4}
    # 2,000 draws of probability 1/4 have a standard deviation of 19.4.
    assert all(abs(n - 500) < 5 * 19.4 for n in count.values())
    assert bool(found.mask.all())
    assert torch.equal(found.ids, random_tokens(5, n_texts=40, length=50, seed=0, but=[2]).ids)
    assert not torch.equal(found.ids, random_tokens(5, n_texts=40, length=50, seed=1, but=[2]).ids)


def test_paragraphs_are_blocks_between_blank_lines_without_headings() -> None:
    text = "# A title\n\n one\ntwo \n \n\n = Heading =\n\n\nthree\n"
    assert paragraphs(text) == ["one\ntwo", "three"]


def test_padding_is_at_the_end_and_masked() -> None:
    found = padded([[3], [4, 5, 6]], pad=1)
    assert found.ids.tolist() == [[3, 1, 1], [4, 5, 6]]
    assert found.mask.tolist() == [[True, False, False], [True] * 3]


def test_texts_are_cut_and_come_in_batches() -> None:
    def tokenizer(text: str, *, truncation: bool, max_length: int) -> Any:
        assert truncation
        return {"input_ids": [ord(c) for c in text][:max_length]}

    found = encoded(tokenizer, ["abcd", "e", "", "fg"], most=3, size=2, pad=0)
    assert [batch.ids.tolist() for batch in found] == [[[97, 98, 99], [101, 0, 0]], [[102, 103]]]


def test_the_first_paragraphs_of_a_file_are_read(tmp_path: Path) -> None:
    file = tmp_path / "text.txt"
    file.write_text("one\n\ntwo\n\nthree", encoding="utf-8")
    assert read_texts(file, 2) == ["one", "two"]
    with pytest.raises(InputError, match="cannot be read"):
        read_texts(tmp_path, 2)
