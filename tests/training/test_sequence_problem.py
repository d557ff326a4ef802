"""Stacks on sequences: against plain torch, resumed, alone; and what measures read of them."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from grok.config import RunConfig
from grok.data.pairs import batch_rows
from grok.data.sequence_config import ProblemName
from grok.data.sequences import (
    Sequences,
    fresh_sequences,
    longer_sequences,
    sequence_data,
)
from grok.keys import find_key
from grok.measures import MEASURES, MissingPart, Readings
from grok.models.config import NormConfig
from grok.models.shapes import Tokens
from grok.training import SequenceProblem, Stack, problem_of, restore, sequence_probe, state_of
from tests.builders import sequences
from tests.plain import PlainTransformer, plain_name, train_plain_sequences

PROBLEMS: tuple[ProblemName, ...] = (
    *("digit_addition", "repeated_subsequence", "skip_trigram"),
    "majority",
)
REGIMES: dict[str, dict[str, Any]] = {
    "fresh": {},
    "fixed": {"n_train": 30, "batch_size": 0},
    "fixed in batches": {"n_train": 30, "batch_size": 8},
}
PER_RUN: list[dict[str, Any]] = [
    {"init_seed": 3, "split_seed": 1, "order_seed": 5, "weight_decay": 1.0},
    {"init_seed": 1, "split_seed": 2, "order_seed": 2, "lr": 3e-3, "weight_decay": 0.0}
    | {"readout_scale": 0.5, "temperature": 2.0, "betas": (0.9, 0.999)},
]

of_each_problem = pytest.mark.parametrize("problem", PROBLEMS)
in_each_regime = pytest.mark.parametrize("regime", REGIMES)


def runs(problem: ProblemName, **fields: Any) -> list[RunConfig]:
    return [sequences(problem, **(fields | per_run)) for per_run in PER_RUN]


def make(*configs: RunConfig) -> Stack[SequenceProblem]:
    return Stack(SequenceProblem(configs))


def seen(config: RunConfig) -> Callable[[int], Sequences]:
    """What each update sees, by the functions that the data are made of."""
    problem, sequence = config.problem, config.sequence
    train = sequence_data(problem, sequence, config.data.split_seed).train
    if train is None:
        return lambda step: fresh_sequences(problem, sequence, config.data.order_seed, step)
    if not sequence.batch_size:
        return lambda step: train
    rows = torch.arange(sequence.n_train)

    def batch(step: int) -> Sequences:
        picked = batch_rows(rows, sequence.batch_size, config.data.order_seed, step)
        return Sequences(*(x[picked] for x in train))

    return batch


@of_each_problem
@in_each_regime
def test_a_stack_equals_its_runs_one_by_one_in_plain_torch(
    problem: ProblemName, regime: str
) -> None:
    stack = make(*runs(problem, **REGIMES[regime]))
    stack.advance(50)
    for run, config in enumerate(stack.configs):
        plain = train_plain_sequences(config, seen(config), 50)
        ours = {plain_name(name): x[run] for name, x in stack.named(stack.theta).items()}
        assert ours.keys() == plain.keys()
        for name, x in ours.items():
            torch.testing.assert_close(x, plain[name], rtol=0, atol=1e-12, msg=name)


@of_each_problem
@in_each_regime
def test_a_resumed_run_has_the_bytes_of_an_uninterrupted_one(
    problem: ProblemName, regime: str
) -> None:
    configs = runs(problem, **REGIMES[regime], dtype="float32", dropout=0.1)
    whole, first, second = (make(*configs) for _ in range(3))
    whole.advance(10)
    first.advance(4)
    for run in range(2):
        parameters, moments = state_of(first, run)
        restore(second, run, 4, parameters | moments)
    second.advance(6)
    assert torch.equal(second.theta, whole.theta)
    for name, moment in second.optimizer.state.items():
        assert torch.equal(moment, whole.optimizer.state[name])


@of_each_problem
@in_each_regime
def test_runs_of_a_stack_are_these_runs_alone(problem: ProblemName, regime: str) -> None:
    together = make(*runs(problem, **REGIMES[regime]))
    together.advance(5)
    readings = all_readings(together)
    for run, config in enumerate(together.configs):
        alone = make(config)
        alone.advance(5)
        torch.testing.assert_close(alone.theta[0], together.theta[run])
        for key, value in all_readings(alone).items():
            torch.testing.assert_close(readings[key][run], value[0], msg=key)


FAMILIES = (
    *("task", "norm", "attention", "compress", "weights", "hessian"),
    *("saturation", "homogeneity", "heads"),
)


def all_readings(stack: Stack[SequenceProblem]) -> Readings:
    snapshot = stack.snapshot()
    return {key: x for name in FAMILIES for key, x in MEASURES[name](snapshot).items()}


def plain_losses(
    stack: Stack[SequenceProblem], run: int, found: Sequences
) -> tuple[Tensor, Tensor]:
    """Loss and rightness of every scored token ``[example, scored]``, by plain torch."""
    config, sizes = stack.configs[run], stack.problem.sizes
    plain = PlainTransformer(config.model, Tokens(sizes.vocab, sizes.length, sizes.n_classes))
    plain.load({name: x[run] for name, x in stack.named(stack.theta).items()})
    logits = plain(found.tokens).logits
    losses, rights = [], []
    for i, places in enumerate(found.scored.tolist()):
        h = torch.stack([logits[i, place - 1] for place in places]) * config.model.readout_scale
        labels = found.tokens[i, places]
        losses.append(F.cross_entropy(h / config.model.temperature, labels, reduction="none"))
        rights.append((h.argmax(-1) == labels).double())
    return torch.stack(losses).detach(), torch.stack(rights)


@of_each_problem
@in_each_regime
def test_losses_of_splits_and_places_are_those_of_plain_torch(
    problem: ProblemName, regime: str
) -> None:
    stack = make(*runs(problem, **REGIMES[regime]))
    stack.advance(3)
    readings = MEASURES["task"](stack.snapshot())
    for run, config in enumerate(stack.configs):
        data = sequence_data(problem, config.sequence, config.data.split_seed)
        # Fresh sequences are read before the update that sees them.
        train = data.train or fresh_sequences(problem, config.sequence, config.data.order_seed, 3)
        expected: dict[str, Tensor] = {}
        for split, found in (("train", train), ("test", data.test)):
            losses, rights = plain_losses(stack, run, found)
            expected |= {f"loss/{split}": losses.mean(), f"acc/{split}": rights.mean()}
            places: dict[str, slice] = {}
            if problem == "digit_addition":
                places = {f"digit/{i + 1}": slice(i, i + 1) for i in range(3)}
            if problem == "repeated_subsequence":
                places = {"occurrence/2": slice(0, 3), "occurrence/3": slice(3, 6)}
            for name, place in places.items():
                expected[f"loss/{name}/{split}"] = losses[:, place].mean()
                expected[f"acc/{name}/{split}"] = rights[:, place].mean()
        if problem == "majority":
            longer = longer_sequences(config.sequence, config.data.split_seed)[14]
            losses, rights = plain_losses(stack, run, longer)
            expected |= {
                "loss/tosses/14/test": losses.mean(),
                "acc/tosses/14/test": rights.mean(),
            }
        assert readings.keys() == expected.keys()
        for key, value in expected.items():
            torch.testing.assert_close(readings[key][run], value, msg=key)


@of_each_problem
def test_the_gradient_that_is_read_is_that_of_the_training_loss(problem: ProblemName) -> None:
    for regime in REGIMES.values():
        stack = make(*runs(problem, **regime))
        stack.advance(2)
        gradient, h = stack.snapshot().gradient, 1e-6
        expected = sum(g.square().flatten(1).sum(dim=1) for g in gradient.values())
        theta, values = stack.theta.clone(), []
        for sign in (1, -1):
            for name, view in stack.named(stack.theta).items():
                view.add_(gradient[name], alpha=sign * h)
            with torch.no_grad():
                snapshot = stack.snapshot()
                values.append(MEASURES["task"](snapshot)["loss/train"])
            stack.theta.copy_(theta)
        # A central difference of step 1e-6 is good to about 1e-9.
        slope = (values[0] - values[1]) / (2 * h)
        torch.testing.assert_close(slope, expected, rtol=1e-6, atol=1e-8)


@of_each_problem
def test_no_prediction_knows_a_token_that_comes_later(problem: ProblemName) -> None:
    """Scored tokens are changed one by one: no prediction of them or before them moves."""
    norm = NormConfig(q=True, v=True, peri=True, final=True, eps=1e-3)
    stack = make(sequences(problem, norm=norm))
    tokens, scored = stack.problem.data[0].test
    before = predictions_of(stack, tokens, scored)
    for place in scored[0].unique().tolist():
        later = tokens.clone()
        later[:, place] = (later[:, place] + 1) % stack.problem.sizes.n_classes
        after = predictions_of(stack, later, scored)
        untouched = scored <= place
        assert torch.equal(before[untouched], after[untouched])


def predictions_of(stack: Stack[SequenceProblem], tokens: Tensor, scored: Tensor) -> Tensor:
    """Logits ``[example, scored, class]`` of the first run's own network."""
    batch = stack.problem._placed([Sequences(tokens, scored)])
    full = stack.problem.model.forward(stack.params, batch.inputs, read=stack.problem.sizes.n_read)
    return full.logits[0].detach().take_along_dim(batch.rows[0].unsqueeze(-1), 1)


@of_each_problem
def test_the_probe_does_not_depend_on_its_chunks(
    problem: ProblemName, monkeypatch: pytest.MonkeyPatch
) -> None:
    stack = make(*runs(problem))
    readings = all_readings(stack)
    monkeypatch.setattr(sequence_probe, "CHUNK", 50)
    torch.testing.assert_close(all_readings(stack), readings)


@of_each_problem
def test_every_key_is_in_the_table_under_its_family(problem: ProblemName) -> None:
    snapshot = make(*runs(problem)).snapshot()
    for family in FAMILIES:
        for key, value in MEASURES[family](snapshot).items():
            row = find_key(key)
            assert row is not None, key
            assert row.family == family
            assert value.shape == (2,), key


@pytest.mark.parametrize("family", sorted(set(MEASURES) - {*FAMILIES, "dynamics"}))
def test_a_measure_of_pairs_names_what_sequences_lack(family: str) -> None:
    with pytest.raises(MissingPart, match=r"^this measure needs the model's \w+, which the snap"):
        MEASURES[family](make(sequences("skip_trigram")).snapshot())


@of_each_problem
def test_reading_leaves_the_run_alone(problem: ProblemName) -> None:
    stack, unread = make(*runs(problem)), make(*runs(problem))
    all_readings(stack)
    stack.advance(3)
    unread.advance(3)
    assert torch.equal(stack.theta, unread.theta)


def test_a_run_on_sequences_learns() -> None:
    stack = make(sequences("skip_trigram", n_queries=2, n_answers=2, lr=1e-2, batch_size=64))
    stack.advance(150)
    assert MEASURES["task"](stack.snapshot())["acc/test"].item() == 1


def test_the_config_says_which_problem_it_is() -> None:
    problem = problem_of([sequences("digit_addition")])
    assert isinstance(problem, SequenceProblem)
    assert problem.model.shapes()["W_U"][0] == 10
    with pytest.raises(ValueError, match=r"^runs of one stack may not differ in sequence.n_train$"):
        problem_of([sequences("digit_addition"), sequences("digit_addition", n_train=9)])


def test_dropout_is_of_each_update_and_evaluation_knows_none() -> None:
    fields: dict[str, Any] = {"n_train": 30, "batch_size": 0}
    stack = make(sequences("digit_addition", dropout=0.5, **fields))
    without = make(sequences("digit_addition", **fields))
    assert torch.equal(stack.losses(3), stack.losses(3))
    assert not torch.equal(stack.losses(3), stack.losses(4))
    torch.testing.assert_close(stack.losses(), without.losses())
