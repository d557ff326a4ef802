"""Toy networks on the stack are the same networks one by one, in plain torch."""

import itertools
import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from grok.config import RunConfig
from grok.data.toy import ToyData, toy_data
from grok.training import Stack, ToyProblem
from tests.toys import toy

N_STEPS = 50
PER_RUN: list[dict[str, Any]] = [
    {"seed": 3, "lr": 1e-3, "embed_lr": 1e-2, "weight_decay": 1.0},
    {"seed": 1, "lr": 3e-3, "embed_lr": 0.0, "weight_decay": 0.0, "embed_scale": 2.0},
    {"seed": 2, "unembed_lr": 1e-2, "embed_weight_decay": 3.0, "decoder_scale": 0.5}
    | {"label_scale": 2.0, "embed_l1": 1e-2},
]
S3 = {"operation": "compose", "group": "S3", "pairs": "ordered", "n_train": 24}
SHARED: dict[str, dict[str, Any]] = {
    "regression": {},
    "classification": {"loss": "cross_entropy"},
    "one-hot targets": {"targets": "one_hot"},
    "two numbers per symbol": {"dim": 2},
    "relu": {"act": "relu", "depth": 3},
    "leaky relu": {"act": "leaky_relu", "combine": "mean"},
    "adam": {"kind": "adam"},
    "sgd": {"kind": "sgd", "momentum": 0.9},
    "S3": {**S3, "dim": 9, "combine": "product"},
    "modular, side by side": {
        "operation": "add_mod",
        "pairs": "ordered",
        "p": 7,
        "n_train": 30,
        "dim": 5,
        "combine": "concat",
        "loss": "cross_entropy",
        "depth": 1,
    },
    "the notebooks' draw": {"draw": "published"},
}


class Plain(nn.Module):
    """The model as one would write it for one run."""

    def __init__(self, config: RunConfig, data: ToyData) -> None:
        super().__init__()
        toy, n_out = config.toy, config.toy.outputs(config.optim.loss)
        self.config, self.data = config, data
        torch.manual_seed(config.model.init_seed)
        if toy.draw == "published":
            [nn.Linear(a, b) for a, b in ((10, toy.width), (toy.width,) * 2, (toy.width, 1))]
            self.decoder = self.layers(n_out)
        draw = torch.rand(toy.n_symbols, toy.dim) - 0.5
        self.E = nn.Parameter((toy.embed_scale * draw).double())
        if toy.draw == "train_add":
            self.decoder = self.layers(n_out)
        self.decoder.double()
        with torch.no_grad():
            for parameter in self.decoder.parameters():
                parameter.mul_(toy.decoder_scale)

    def layers(self, n_out: int) -> nn.Sequential:
        toy = self.config.toy
        act = {"tanh": nn.Tanh(), "relu": nn.ReLU(), "leaky_relu": nn.LeakyReLU(0.1)}[toy.act]
        sizes = [toy.n_read, *[toy.width] * toy.depth]
        hidden = [m for i, o in itertools.pairwise(sizes) for m in (nn.Linear(i, o), act)]
        return nn.Sequential(*hidden, nn.Linear(sizes[-1], n_out))

    def forward(self, rows: Tensor) -> Tensor:
        a, b = self.E[self.data.a[rows]], self.E[self.data.b[rows]]
        side = math.isqrt(self.config.toy.dim)
        read = {
            "sum": lambda: a + b,
            "mean": lambda: (a + b) / 2,
            "concat": lambda: torch.cat([a, b], dim=1),
            "product": lambda: torch.stack(
                [
                    (x.view(side, side) @ y.view(side, side)).flatten()
                    for x, y in zip(a, b, strict=True)
                ]
            ),
        }[self.config.toy.combine]()
        return self.decoder(read)

    def loss(self, rows: Tensor) -> Tensor:
        out, label = self(rows), self.data.label[rows]
        if self.config.optim.loss == "cross_entropy":
            return nn.functional.cross_entropy(out, label)
        return nn.functional.mse_loss(out, self.data.targets[label])


def optimizer(model: Plain) -> torch.optim.Optimizer:
    o = model.config.optim
    kind = {"adamw": torch.optim.AdamW, "adam": torch.optim.Adam, "sgd": torch.optim.SGD}[o.kind]
    own = {"momentum": o.momentum} if o.kind == "sgd" else {"betas": o.betas, "eps": o.eps}
    last = list(model.decoder[-1].parameters())
    groups = [
        {"params": [model.E], "lr": o.embed_lr or o.lr}
        | {"weight_decay": o.weight_decay if o.embed_weight_decay < 0 else o.embed_weight_decay},
        {"params": list(model.decoder[:-1].parameters())},
        {"params": last, "lr": o.unembed_lr or o.lr},
    ]
    return kind(groups, lr=o.lr, weight_decay=o.weight_decay, **own)


@pytest.mark.parametrize("shared", SHARED)
def test_a_stack_is_its_runs_one_by_one(shared: str) -> None:
    configs = [toy(**(SHARED[shared] | own), dtype="float64") for own in PER_RUN]
    stack = Stack(ToyProblem(configs))
    stack.advance(N_STEPS)
    for run, config in enumerate(configs):
        data = toy_data(config.toy, config.optim.loss, config.data.split_seed)
        model = Plain(config, data)
        update = optimizer(model)
        for _ in range(N_STEPS):
            loss = model.loss(data.train) + config.toy.embed_l1 * model.E.abs().mean()
            update.zero_grad()
            loss.backward()
            update.step()
        ours = {name: x[run] for name, x in stack.params.items()}
        torch.testing.assert_close(ours.pop("W_E"), model.E.detach(), rtol=0, atol=1e-12)
        theirs = [p.detach() for p in model.decoder.parameters()]
        for name, (x, y) in zip(ours, zip(ours.values(), theirs, strict=True), strict=True):
            torch.testing.assert_close(x, y, rtol=0, atol=1e-12, msg=name)


@pytest.mark.parametrize("shared", SHARED)
def test_logits_answer_and_cost_what_the_model_does(shared: str) -> None:
    configs = [toy(**(SHARED[shared] | own), dtype="float64") for own in PER_RUN]
    problem = ToyProblem(configs)
    readings = Stack(problem).snapshot()
    for split, (logits, labels) in readings.predictions.items():
        assert readings.loss is not None
        losses = readings.loss(logits, labels)
        for run, config in enumerate(configs):
            data = problem.data[run]
            model, rows = Plain(config, data), getattr(data, split)
            out = model(rows).detach()
            torch.testing.assert_close(losses[run], model.loss(rows).detach())
            answer = out.argmax(dim=1)
            if config.optim.loss == "mse":
                answer = torch.cdist(out, data.targets).argmin(dim=1)
            assert torch.equal(logits[run].argmax(dim=1), answer)
            assert torch.equal(labels[run], data.label[rows])


@pytest.mark.parametrize(
    "overrides",
    [
        {},
        {"loss": "cross_entropy"},
        {"dim": 2},
        {"dim": 5, "combine": "concat"},
        {**S3, "dim": 9, "combine": "product"},
        {"n_train": 31},
    ],
)
def test_a_run_has_the_same_bits_in_every_stack_and_place(overrides: dict[str, Any]) -> None:
    configs = [toy(seed, lr=1e-3 * (1 + seed), width=200, **overrides) for seed in range(5)]
    together = Stack(ToyProblem(configs))
    together.advance(100)
    for some in ([3], [3, 1], [0, 1, 3]):
        stack = Stack(ToyProblem([configs[run] for run in some]))
        stack.advance(100)
        assert torch.equal(stack.theta, together.theta[some]), some


def test_batches_are_rows_of_the_training_set_and_all_of_it_in_the_end() -> None:
    configs = [toy(seed, batch_size=15) for seed in range(2)]
    problem = ToyProblem(configs)
    whole = problem.whole_losses(Stack(problem).params, 0)
    each = torch.stack([problem.losses(Stack(problem).params, step) for step in range(3)])
    torch.testing.assert_close(each.mean(dim=0), whole)
    assert (each[0] != each[1]).all()


def test_a_batch_of_all_training_pairs_is_the_full_batch() -> None:
    full, batch = toy(), toy(batch_size=45)
    stacks = [Stack(ToyProblem([config])) for config in (full, batch)]
    for stack in stacks:
        stack.advance(3)
    assert torch.equal(stacks[0].theta, stacks[1].theta)


def test_a_rate_of_its_own_holds_for_a_run_beside_runs_without() -> None:
    configs = [toy(0, embed_lr=0.0, embed_weight_decay=-1.0), toy(1, embed_lr=0.1)]
    together, alone = Stack(ToyProblem(configs)), Stack(ToyProblem(configs[1:]))
    for stack in (together, alone):
        stack.advance(20)
    assert torch.equal(together.theta[1:], alone.theta)
