"""Sequences of tokens, some of which are to be predicted from those before them.

Shapes: ``example`` - sequences; ``pos`` - position of a token; ``scored`` - tokens of a sequence
whose prediction counts; ``digit``; ``repeat`` - occurrences of a subsequence; ``token`` - its
tokens; ``query`` - query tokens.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch
from einops import rearrange, repeat
from jaxtyping import Int64
from torch import Generator, Tensor

from grok.data.sequence_config import ProblemName, SequenceConfig

PLUS, EQUALS = 10, 11
"""Tokens of digit_addition beside the digits."""
BOS = 0
"""First token of a repeated_subsequence."""

# Streams of random numbers. A word 0 at the end would be no word to SeedSequence, and 1 is that of
# the masks of dropout.
_FRESH, _TRAIN, _TEST, _LONGER = 2, 3, 4, 5
_MAX_DRAWS = 100


class Sequences(NamedTuple):
    """Some sequences, and which of their tokens count."""

    tokens: Int64[Tensor, "example pos"]
    scored: Int64[Tensor, "example scored"]
    """Positions of the scored tokens, at least 1; each is predicted from those before it."""


class SequenceData(NamedTuple):
    """The sequences of one run that are the same at every step."""

    train: Sequences | None
    """The fixed training set; None where every update draws fresh sequences."""
    test: Sequences


def sequence_data(problem: ProblemName, config: SequenceConfig, split_seed: int) -> SequenceData:
    """Training set, if there is a fixed one, and test set, on the CPU.

    The training set is drawn with repetition. The test set has a stream of its own, from which
    sequences of the training set are left out; fresh sequences may be in it by chance.

    Raises:
        ValueError: If the training set leaves too few other sequences for a test set.
    """
    draw = DRAWS[problem]
    train = None
    if config.n_train:
        train = draw(config, config.n_train, _generator(split_seed, 0, _TRAIN))
    known = set() if train is None else set(map(tuple, train.tokens.tolist()))
    generator = _generator(split_seed, 0, _TEST)
    tokens, scored = [], []
    for _ in range(_MAX_DRAWS):
        drawn = draw(config, config.n_test, generator)
        is_new = torch.tensor([tuple(row) not in known for row in drawn.tokens.tolist()])
        tokens.append(drawn.tokens[is_new])
        scored.append(drawn.scored[is_new])
        if sum(map(len, tokens)) >= config.n_test:
            test = Sequences(*(torch.cat(x)[: config.n_test] for x in (tokens, scored)))
            return SequenceData(train, test)
    raise ValueError(
        f"sequence.n_train={config.n_train} leaves too few other sequences for a test set of "
        f"sequence.n_test={config.n_test}"
    )


def fresh_sequences(
    problem: ProblemName, config: SequenceConfig, order_seed: int, step: int
) -> Sequences:
    """Sequences of one update, a function of seed and step alone: nothing has to be stored.

    Args:
        problem: Which sequences.
        config: Their sizes, and how many an update sees.
        order_seed: Seed of the stream, not negative.
        step: Updates done before this one, from 0.
    """
    return DRAWS[problem](config, config.batch_size, _generator(order_seed, step, _FRESH))


def longer_sequences(config: SequenceConfig, split_seed: int) -> dict[int, Sequences]:
    """Test sets of longer strings of majority, by number of tosses, each a stream of its own."""
    return {
        n: majority(
            replace(config, n_tosses=n, longer=()),
            config.n_test,
            _generator(split_seed, n, _LONGER),
        )
        for n in config.longer
    }


def _generator(seed: int, step: int, stream: int) -> Generator:
    entropy = np.random.SeedSequence((seed, step, stream)).generate_state(1, np.uint64)
    return Generator().manual_seed(int(entropy[0]))


def digit_addition(config: SequenceConfig, n: int, generator: Generator) -> Sequences:
    """Sums ``a + b = c`` digit by digit, most significant first; the digits of c are scored.

    Each digit of a and b is uniform, leading zeros included, and c has one digit more. With five
    digits 12345 + 67890 = 080235 is the 18 tokens 1 2 3 4 5 ``+`` 6 7 8 9 0 ``=`` 0 8 0 2 3 5.

    Reference:
        Nanda et al., `Progress measures for grokking via mechanistic interpretability
        <https://arxiv.org/abs/2301.05217>`_, appendix D.3.
    """
    k = config.n_digits
    a, b = torch.randint(10, (2, n, k), generator=generator)
    power = 10 ** torch.arange(k, -1, -1)
    total = ((a + b) * power[1:]).sum(dim=1, keepdim=True)
    plus, equals = (torch.full((n, 1), token) for token in (PLUS, EQUALS))
    tokens = torch.cat([a, plus, b, equals, total // power % 10], dim=1)
    scored = repeat(torch.arange(2 * k + 2, 3 * k + 3), "scored -> example scored", example=n)
    return Sequences(tokens, scored.clone())


def repeated_subsequence(config: SequenceConfig, n: int, generator: Generator) -> Sequences:
    """Random tokens in which one random subsequence occurs once in every stretch.

    The first token is 0, every other uniform among the rest. The subsequence is contiguous and
    lies at a uniform place of each stretch. Scored are all of its tokens but the first, in all
    occurrences but the first: those that can be known.

    Reference:
        Nanda et al. 2023, appendix D.3. Where the subsequence lies in a stretch is not said
        there, and is our choice.
    """
    size, repeats = config.subseq_len, config.n_repeats
    tokens = torch.randint(BOS + 1, config.vocab, (n, config.length), generator=generator)
    tokens[:, 0] = BOS
    subsequence = torch.randint(BOS + 1, config.vocab, (n, size), generator=generator)
    offset = torch.randint(config.stretch - size + 1, (n, repeats), generator=generator)
    start = 1 + config.stretch * torch.arange(repeats) + offset
    place = start.unsqueeze(-1) + torch.arange(size)
    tokens.scatter_(
        1,
        rearrange(place, "example repeat token -> example (repeat token)"),
        repeat(subsequence, "example token -> example (repeat token)", repeat=repeats),
    )
    scored = rearrange(place[:, 1:, 1:], "example repeat token -> example (repeat token)")
    return Sequences(tokens, scored)


def skip_trigram(config: SequenceConfig, n: int, generator: Generator) -> Sequences:
    """Keys in any order, then a query, then the answer that its own key stands for.

    Each query token has ``n_answers`` keys of its own, one per answer. A sequence has one key of
    every query, uniform and in random order, and ends with one of the queries and the answer:
    trigrams ``key ... query answer``. Only the answer is scored. Tokens: answers, then queries,
    then the keys of each query in turn.

    Reference:
        Nanda et al. 2023, appendix D.3, has skip trigrams but not their format. This one is ours,
        with as many answers as give the initial loss of ln 11 there.
    """
    queries, answers = config.n_queries, config.n_answers
    order = torch.rand(n, queries, generator=generator).argsort(dim=1)
    answer = torch.randint(answers, (n, queries), generator=generator)
    asked = torch.randint(queries, (n, 1), generator=generator)
    first_key = answers + queries + answers * torch.arange(queries)
    keys = (first_key + answer).gather(1, order)
    tokens = torch.cat([keys, answers + asked, answer.gather(1, asked)], dim=1)
    return Sequences(tokens, torch.full((n, 1), queries + 1))


def majority(config: SequenceConfig, n: int, generator: Generator) -> Sequences:
    """Random bits, of which the one after a string is whether most of the string are 1.

    That one alone is scored. The length of a string is the number of heads of ``n_tosses`` fair
    coins, 1 at least. A tie is no majority. What comes after the answer is random bits again,
    which no prediction that counts sees: so every row of the network's output reads a string. Two
    sequences may have one string and differ after it alone: a fixed training set shares short
    strings with the test set, though no sequence.

    Reference:
        Merrill, Sabharwal and Smith, `Saturated Transformers are Constant-Depth Threshold Circuits
        <https://arxiv.org/abs/2106.16213>`_: one head with equal weights recognises the language.
        That the bits are fair and that the network answers at the last of them are ours.
    """
    tosses = config.n_tosses
    tokens = torch.randint(2, (n, tosses + 1), generator=generator)
    length = torch.randint(2, (n, tosses), generator=generator).sum(dim=1, keepdim=True)
    length = length.clamp(min=1)
    in_string = torch.arange(tosses + 1) < length
    ones = (tokens * in_string).sum(dim=1, keepdim=True)
    return Sequences(tokens.scatter(1, length, (2 * ones > length).long()), length)


DRAWS: dict[str, Callable[[SequenceConfig, int, Generator], Sequences]] = {
    "digit_addition": digit_addition,
    "repeated_subsequence": repeated_subsequence,
    "skip_trigram": skip_trigram,
    "majority": majority,
}
"""How so many sequences of a problem are drawn."""
