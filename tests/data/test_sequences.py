"""Sequences are what they are called, and which are drawn is a function of seeds and step."""

from dataclasses import replace
from typing import Any

import pytest
import torch

from grok.data.sequence_config import ProblemName, SequenceConfig
from grok.data.sequences import (
    DRAWS,
    Sequences,
    fresh_sequences,
    longer_sequences,
    sequence_data,
)

PROBLEMS: tuple[ProblemName, ...] = (
    *("digit_addition", "repeated_subsequence", "skip_trigram"),
    "majority",
)
SHORT = SequenceConfig(length=22, vocab=9, subseq_len=4)

of_each_problem = pytest.mark.parametrize("problem", PROBLEMS)


def drawn(problem: str, config: SequenceConfig, n: int = 200, seed: int = 0) -> Sequences:
    return DRAWS[problem](config, n, torch.Generator().manual_seed(seed))


def number(digits: list[int]) -> int:
    return int("".join(map(str, digits)))


@pytest.mark.parametrize("n_digits", [1, 2, 5, 17])
def test_the_answer_of_an_addition_is_that_of_pythons_integers(n_digits: int) -> None:
    sequences = drawn("digit_addition", SequenceConfig(n_digits=n_digits))
    k = n_digits
    for row, scored in zip(sequences.tokens.tolist(), sequences.scored.tolist(), strict=True):
        a, plus, b, equals = row[:k], row[k], row[k + 1 : 2 * k + 1], row[2 * k + 1]
        answer = row[2 * k + 2 :]
        assert (plus, equals, len(answer)) == (10, 11, k + 1)
        assert number(a) + number(b) == number(answer)
        assert [row[i] for i in scored] == answer


def test_every_digit_of_a_number_is_drawn_equally_often() -> None:
    tokens = drawn("digit_addition", SequenceConfig(), n=4000).tokens
    for place in (0, 4, 6, 10):
        counts = tokens[:, place].bincount(minlength=10)
        # Nine degrees of freedom: 40 is exceeded once in 10^5.
        assert ((counts - 400).square() / 400).sum() < 40


@pytest.mark.parametrize("config", [SequenceConfig(), SHORT, SequenceConfig(subseq_len=28)])
def test_a_scored_token_is_the_one_at_its_place_in_the_first_occurrence(
    config: SequenceConfig,
) -> None:
    sequences, size = drawn("repeated_subsequence", config), config.subseq_len
    for row, scored in zip(sequences.tokens.tolist(), sequences.scored.tolist(), strict=True):
        assert row[0] == 0
        assert min(row[1:]) >= 1
        first = row[1 : 1 + config.stretch]
        for repeat in range(1, config.n_repeats):
            stretch = range(1 + repeat * config.stretch, 1 + (repeat + 1) * config.stretch)
            places = scored[(repeat - 1) * (size - 1) : repeat * (size - 1)]
            whole = [places[0] - 1, *places]
            assert whole == list(range(whole[0], whole[0] + size))
            assert set(whole) <= set(stretch)
            subsequence = [row[i] for i in whole]
            starts = [i for i in range(len(first)) if first[i : i + size] == subsequence]
            assert starts, "the first stretch has it too"


def test_a_subsequence_may_lie_anywhere_in_its_stretch_and_fillers_are_random() -> None:
    config = SequenceConfig()
    sequences = drawn("repeated_subsequence", config, n=2000)
    offsets = sequences.scored[:, 0] - 2 - config.stretch
    assert set(offsets.tolist()) == set(range(config.stretch - config.subseq_len + 1))
    assert len(sequences.tokens[:, 1:].unique()) == config.vocab - 1


@pytest.mark.parametrize(
    "fields", [{}, {"n_queries": 1, "n_answers": 2}, {"n_queries": 7}], ids=str
)
def test_the_answer_of_a_skip_trigram_is_that_of_the_key_of_its_query(
    fields: dict[str, Any],
) -> None:
    config = SequenceConfig(**fields)
    m, n = config.n_queries, config.n_answers
    for row in drawn("skip_trigram", config).tokens.tolist():
        *keys, query, answer = row
        assert n <= query < n + m
        owners = [(key - n - m) // n for key in keys]
        assert sorted(owners) == list(range(m))
        [own] = [key for key, owner in zip(keys, owners, strict=True) if owner == query - n]
        assert answer == (own - n - m) % n


@pytest.mark.parametrize("n_tosses", [2, 3, 100])
def test_the_bit_after_a_string_is_whether_most_of_it_are_ones(n_tosses: int) -> None:
    found = drawn("majority", SequenceConfig(n_tosses=n_tosses), n=2000)
    answers = []
    for row, [length] in zip(found.tokens.tolist(), found.scored.tolist(), strict=True):
        assert 1 <= length <= n_tosses
        string, answer = row[:length], row[length]
        assert answer == int(string.count(1) > string.count(0))
        answers.append(answer)
    # A tie is none: of short strings fewer than half have a majority.
    assert 0.15 < sum(answers) / len(answers) < 0.5


def test_the_lengths_of_strings_are_binomial_and_their_bits_fair() -> None:
    tokens, scored = drawn("majority", SequenceConfig(), n=4000)
    # The mean of 4,000 has a standard error of 5 / sqrt(4000) = 0.08, their variance of 0.6.
    assert scored.double().mean() == pytest.approx(50, abs=0.35)
    assert scored.double().var() == pytest.approx(25, abs=2.5)
    # The shortest string has some 30 bits: none before is an answer.
    assert tokens[:, :30].double().mean() == pytest.approx(0.5, abs=0.01)


def test_longer_strings_are_a_function_of_seed_and_length_alone() -> None:
    config = SequenceConfig(n_test=9, longer=(200, 300))
    once = longer_sequences(config, 1)
    assert {n: tuple(x.tokens.shape) for n, x in once.items()} == {200: (9, 201), 300: (9, 301)}
    again = longer_sequences(replace(config, longer=(300,)), 1)
    assert torch.equal(again[300].tokens, once[300].tokens)
    assert not torch.equal(longer_sequences(config, 2)[300].tokens, once[300].tokens)
    assert not torch.equal(once[200].tokens[:, :100], once[300].tokens[:, :100])
    assert longer_sequences(SequenceConfig(), 1) == {}
    sizes = config.sizes("majority")
    assert (sizes.length, sizes.n_read) == (301, 300)


def strings(sequences: Sequences) -> list[tuple[int, ...]]:
    """What majority is asked of: the bits before each scored one."""
    rows = zip(sequences.tokens.tolist(), sequences.scored.tolist(), strict=True)
    return [tuple(row[:length]) for row, [length] in rows]


def test_as_many_ones_as_zeros_are_no_majority() -> None:
    found = drawn("majority", SequenceConfig(), n=2000)
    answers = found.tokens.gather(1, found.scored).flatten().tolist()
    tied = [a for x, a in zip(strings(found), answers, strict=True) if 2 * sum(x) == len(x)]
    # Half of the lengths are even, and of 50 fair bits 25 are ones once in nine times.
    assert len(tied) == pytest.approx(2000 * 0.5 * 0.112, abs=50)
    assert not any(tied)


@pytest.mark.parametrize("n", [200, 500])
def test_longer_test_sets_ask_for_the_majority_of_longer_strings(n: int) -> None:
    config = SequenceConfig(n_test=400, longer=(200, 500))
    found = longer_sequences(config, 3)[n]
    answers = found.tokens.gather(1, found.scored).flatten().tolist()
    for string, answer in zip(strings(found), answers, strict=True):
        assert answer == int(string.count(1) > string.count(0))
    # A mean of 400 lengths, of standard deviation sqrt(n) / 2 each: five standard errors.
    lengths = found.scored.double()
    assert lengths.mean() == pytest.approx(n / 2, abs=5 * (n / 4 / 400) ** 0.5)
    assert 0.38 < sum(answers) / len(answers) < 0.57
    # All are as long as the network reads, so that nothing tells where a string ends.
    assert found.tokens.shape == (400, n + 1)


def test_bits_after_an_answer_are_fair_whatever_it_is() -> None:
    tokens, scored = drawn("majority", SequenceConfig(), n=4000)
    is_after = torch.arange(tokens.shape[1]) > scored
    for answer in (0, 1):
        of_answer = tokens.gather(1, scored) == answer
        bits = tokens[is_after & of_answer].double()
        # About 90,000 bits: a standard error of 0.0017.
        assert bits.mean() == pytest.approx(0.5, abs=0.009)
        # Whether the answer ends a string cannot be seen from the bit after it either.
        following = tokens.gather(1, scored + 1 - (scored == tokens.shape[1] - 1).long())
        assert following[of_answer].double().mean() == pytest.approx(0.5, abs=0.06)


def test_long_strings_are_never_drawn_twice_and_short_ones_are_in_both_sets() -> None:
    config = SequenceConfig()
    test = set(strings(sequence_data("majority", config, 0).test))
    # Strings have 50 bits in the mean: one of 20 or less is there once in 10^9.
    assert len(test) == config.n_test
    fresh = [fresh_sequences("majority", config, 0, step) for step in range(20)]
    assert not test & {string for each in fresh for string in strings(each)}
    short = sequence_data("majority", replace(config, n_train=64, n_tosses=9), 0)
    assert short.train is not None
    rows = [set(map(tuple, x.tokens.tolist())) for x in (short.train, short.test)]
    assert not rows[0] & rows[1]
    assert set(strings(short.train)) & set(strings(short.test))


@of_each_problem
@pytest.mark.parametrize("config", [SequenceConfig(), SHORT])
def test_sequences_have_the_sizes_that_their_config_tells(
    problem: ProblemName, config: SequenceConfig
) -> None:
    sizes, sequences = config.sizes(problem), drawn(problem, config)
    tokens, scored = sequences
    assert tokens.shape == (200, sizes.length)
    assert scored.shape == (200, sizes.n_scored)
    assert 0 <= tokens.min() <= tokens.max() < sizes.vocab
    assert tokens.gather(1, scored).max() < sizes.n_classes
    rows = scored - 1  # of the output, of which there is one per token but the last
    assert sizes.length - 1 - sizes.n_read <= rows.min() <= rows.max() < sizes.length - 1
    covered = [i for place in sizes.places.values() for i in range(sizes.n_scored)[place]]
    assert covered in ([], list(range(sizes.n_scored)))


@of_each_problem
def test_fresh_sequences_are_a_function_of_seed_and_step(problem: ProblemName) -> None:
    config = SequenceConfig()
    once = fresh_sequences(problem, config, 3, 7)
    for ours, theirs in zip(once, fresh_sequences(problem, config, 3, 7), strict=True):
        assert torch.equal(ours, theirs)
    for seed, step in ((3, 8), (4, 7), (7, 3)):
        assert not torch.equal(fresh_sequences(problem, config, seed, step).tokens, once.tokens)
    assert once.tokens.shape[0] == config.batch_size


def test_the_sequences_of_a_seed_stay_what_they_were() -> None:
    # A run is named by its config: other sequences under the same seed would be another run.
    config = SequenceConfig()
    fresh = {problem: fresh_sequences(problem, config, 0, 1).tokens[0] for problem in PROBLEMS}
    assert "".join("0123456789+="[i] for i in fresh["digit_addition"]) == "51699+05773=057472"
    assert fresh["repeated_subsequence"][:6].tolist() == [0, 83, 100, 13, 92, 94]
    assert fresh["skip_trigram"].tolist() == [43, 23, 55, 27, 11, 8]
    assert fresh["majority"][:12].tolist() == [1, 1, 0, 1, 1, 1, 0, 0, 0, 0, 1, 1]
    fixed = sequence_data("digit_addition", replace(config, n_train=64), 0)
    assert fixed.train is not None
    train, test = (x.tokens[0].tolist() for x in (fixed.train, fixed.test))
    assert "".join("0123456789+="[i] for i in train) == "96531+25626=122157"
    assert "".join("0123456789+="[i] for i in test) == "58740+87490=146230"


@of_each_problem
def test_a_fixed_training_set_and_the_test_set_share_no_sequence(problem: ProblemName) -> None:
    # Few sequences exist, so that independent draws would share many.
    config = SequenceConfig(
        n_train=60, n_test=300, n_digits=1, n_queries=1, n_answers=90, length=10, vocab=4,
        subseq_len=2, batch_size=0, n_tosses=9,
    )  # fmt: skip
    data = sequence_data(problem, config, 0)
    assert data.train is not None
    train, test = (set(map(tuple, x.tokens.tolist())) for x in (data.train, data.test))
    assert len(data.train.tokens) == 60
    assert len(data.test.tokens) == 300
    assert not train & test
    unfiltered = set(map(tuple, drawn(problem, config, n=300, seed=1).tokens.tolist()))
    assert unfiltered & train


def test_the_two_sets_are_of_the_split_seed() -> None:
    config = SequenceConfig(n_train=64)
    one, same, other = (sequence_data("digit_addition", config, seed) for seed in (1, 1, 2))
    for ours, again, theirs in zip(one, same, other, strict=True):
        assert ours is not None
        assert again is not None
        assert theirs is not None
        assert torch.equal(ours.tokens, again.tokens)
        assert not torch.equal(ours.tokens, theirs.tokens)
    assert sequence_data("digit_addition", SequenceConfig(), 1).train is None


def test_a_training_set_that_leaves_no_test_sequences_is_refused() -> None:
    config = SequenceConfig(n_train=3000, n_queries=1, n_answers=3)
    expected = r"^sequence.n_train=3000 leaves too few other sequences for a test set of sequence.n"
    with pytest.raises(ValueError, match=expected):
        sequence_data("skip_trigram", config, 0)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"n_train": -1}, "sequence.n_train=-1 must be 0 or more"),
        ({"n_test": 0}, "sequence.n_test=0 must be 1 or more"),
        ({"batch_size": 0}, "sequence.batch_size=0: allowed are 1 or more for fresh sequences"),
        ({"batch_size": -1, "n_train": 9}, "sequence.batch_size=-1: allowed are 0 to 9 (the train"),
        ({"n_train": 9}, "sequence.batch_size=64: allowed are 0 to 9 (the training set)"),
        ({"n_digits": 0}, "sequence.n_digits=0 must be 1 or more"),
        ({"n_digits": 18}, "sequence.n_digits=18: allowed are 1 to 17"),
        ({"vocab": 2}, "sequence.vocab=2 must be 3 or more"),
        ({"subseq_len": 1}, "sequence.subseq_len=1 must be 2 or more"),
        ({"n_repeats": 1}, "sequence.n_repeats=1 must be 2 or more"),
        ({"n_queries": 0}, "sequence.n_queries=0 must be 1 or more"),
        ({"n_answers": 1}, "sequence.n_answers=1 must be 2 or more"),
        ({"n_tosses": 1}, "sequence.n_tosses=1 must be 2 or more"),
        ({"longer": (200, 100)}, "sequence.longer has 100: allowed are more than 100 (n_tosses)"),
        ({"length": 84}, "sequence.length=84: allowed are 1 more than 3 (n_repeats) times 16"),
        ({"length": 46}, "sequence.length=46: allowed are 1 more than 3 (n_repeats) times 16"),
    ],
)
def test_an_impossible_value_is_one_line_that_names_it(
    fields: dict[str, Any], expected: str
) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the message is compared below
        SequenceConfig(**fields)
    assert str(caught.value).startswith(expected)
    assert "\n" not in str(caught.value)


def test_pairs_have_no_sequences() -> None:
    with pytest.raises(ValueError, match=r"^problem=pairs has no sequences$"):
        SequenceConfig().sizes("pairs")
