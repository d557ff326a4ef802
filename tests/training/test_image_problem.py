"""Perceptrons of images on the stack are the same perceptrons one by one, in plain torch."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import grok.training.image_problem as image_problem
from grok.config import RunConfig
from grok.data.image_config import N_PIXELS
from grok.data.images import ImageData, ImageSplit, image_data, mnist_sha256
from grok.data.pairs import batch_rows
from grok.inputs import InputError
from grok.training import ImageProblem, Stack, problem_of
from tests.images import digits_run, mnist_run, needs_digits, small_mnist

N_STEPS = 50
PER_RUN: list[dict[str, Any]] = [
    {"seed": 3, "lr": 1e-3, "weight_decay": 1.0},
    {"seed": 1, "lr": 3e-3, "weight_decay": 0.0, "init_scale": 2.0},
    {"seed": 2, "unembed_lr": 1e-2, "init_scale": 0.5},
]
SHARED: dict[str, dict[str, Any]] = {
    "regression": {},
    "classification": {"loss": "cross_entropy"},
    "mini-batches of the first images": {"order": "first", "batch_size": 70},
    "tanh": {"act": "tanh", "depth": 1},
    "leaky relu": {"act": "leaky_relu", "depth": 3},
    "sgd": {"kind": "sgd", "momentum": 0.9},
    "fixed norm": {"fixed_norm": True},
}


class Plain:
    """The model, its data and its optimiser as one would write them for one run."""

    def __init__(self, config: RunConfig) -> None:
        c = config.images
        self.config = config
        self.data = image_data("digits", c.n_train, c.order, config.data.split_seed)
        torch.manual_seed(config.model.init_seed)
        act = {"tanh": nn.Tanh(), "relu": nn.ReLU(), "leaky_relu": nn.LeakyReLU(0.1)}[c.act]
        sizes = [64, *[c.width] * c.depth]
        hidden = [m for i in range(c.depth) for m in (nn.Linear(sizes[i], sizes[i + 1]), act)]
        self.net = nn.Sequential(*hidden, nn.Linear(sizes[-1], 10)).double()
        with torch.no_grad():
            for parameter in self.net.parameters():
                parameter.mul_(c.init_scale)
        self.norm = self.flat().norm()
        self.optimizer = self.chosen_optimizer()

    def chosen_optimizer(self) -> torch.optim.Optimizer:
        o, last = self.config.optim, list(self.net[-1].parameters())
        groups = [
            {"params": list(self.net[:-1].parameters())},
            {"params": last, "lr": o.unembed_lr or o.lr},
        ]
        if o.kind == "sgd":
            return torch.optim.SGD(groups, o.lr, o.momentum, weight_decay=o.weight_decay)
        return torch.optim.AdamW(groups, o.lr, o.betas, o.eps, o.weight_decay)

    def flat(self) -> Tensor:
        return torch.cat([p.detach().flatten() for p in self.net.parameters()])

    def loss(self, data: ImageData, rows: Any = slice(None)) -> Tensor:
        out, label = self.net(data.x.double()[rows]), data.label[rows]
        if self.config.optim.loss == "cross_entropy":
            return nn.functional.cross_entropy(out, label)
        return nn.functional.mse_loss(out, nn.functional.one_hot(label, 10).double())

    def step(self, step: int) -> None:
        n, n_batch = self.config.images.n_train, self.config.images.batch_size
        order = torch.arange(n)
        rows = batch_rows(order, n_batch or n, self.config.data.order_seed, step)
        self.optimizer.zero_grad()
        self.loss(self.data.train, rows).backward()
        self.optimizer.step()
        if self.config.optim.fixed_norm:
            with torch.no_grad():
                scale = self.norm / self.flat().norm()
                for parameter in self.net.parameters():
                    parameter.mul_(scale)


@needs_digits
@pytest.mark.parametrize("shared", SHARED)
def test_a_stack_is_its_runs_one_by_one(shared: str) -> None:
    configs = [digits_run(**(SHARED[shared] | own), dtype="float64") for own in PER_RUN]
    stack = Stack(problem_of(configs))
    stack.advance(N_STEPS)
    readings = stack.snapshot()
    assert readings.loss is not None
    losses = {split: readings.loss(*each) for split, each in readings.predictions.items()}
    for run, config in enumerate(configs):
        plain = Plain(config)
        for step in range(N_STEPS):
            plain.step(step)
        theirs = plain.net.parameters()
        for (name, ours), other in zip(stack.params.items(), theirs, strict=True):
            torch.testing.assert_close(ours[run], other.detach(), rtol=0, atol=1e-11, msg=name)
        for split, data in (("train", plain.data.train), ("test", plain.data.validation)):
            loss = plain.loss(data).detach()
            torch.testing.assert_close(losses[split][run], loss, rtol=1e-9, atol=0)
            logits, labels = (x[run] for x in readings.predictions[split])
            out = plain.net(data.x.double())
            assert torch.equal(logits.argmax(dim=1), out.argmax(dim=1))
            assert torch.equal(labels, data.label)


def synthetic(n_train: int, source: str, seed: int) -> ImageSplit:
    generator = torch.Generator().manual_seed(seed)

    def part(n: int) -> ImageData:
        x = torch.rand(n, N_PIXELS[source], generator=generator)
        return ImageData(x, torch.randint(10, (n,), generator=generator))

    return ImageSplit(part(n_train), part(37))


@pytest.mark.parametrize(
    ("overrides", "n_steps"),
    [
        ({}, 40),
        # Of the runs one alone has a rate of its own for its last layer.
        ({"unembed_lr": (0.0, 0.0, 0.0, 1e-2, 0.0)}, 20),
        ({"n_train": 51, "loss": "cross_entropy"}, 40),
        ({"fixed_norm": True}, 20),
        ({"source": "mnist", "batch_size": 67}, 10),
    ],
    ids=str,
)
@pytest.mark.parametrize("is_shared", [True, False])
def test_a_run_has_the_same_bits_in_every_stack_and_place(
    overrides: dict[str, Any], n_steps: int, is_shared: bool
) -> None:
    configs = [
        digits_run(
            seed,
            width=200,
            lr=1e-3 * (1 + seed),
            init_scale=1.0 + seed,
            **{k: v[seed] if isinstance(v, tuple) else v for k, v in overrides.items()},
        )
        for seed in range(5)
    ]
    first = configs[0].images
    splits = [synthetic(first.n_train, first.source, 0 if is_shared else seed) for seed in range(5)]
    if is_shared:
        splits = splits[:1] * 5
    together = Stack(ImageProblem(configs, splits))
    together.advance(n_steps)
    logits = together.snapshot().predictions["test"][0]
    for some in ([3], [3, 1], [0, 1, 3]):
        stack = Stack(ImageProblem([configs[i] for i in some], [splits[i] for i in some]))
        stack.advance(n_steps)
        assert torch.equal(stack.theta, together.theta[some]), some
        assert torch.equal(stack.snapshot().predictions["test"][0], logits[some]), some


@needs_digits
def test_images_are_evaluated_some_at_a_time_and_all_of_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stack = Stack(problem_of([digits_run(seed, dtype="float64") for seed in range(2)]))
    whole = stack.snapshot().predictions
    monkeypatch.setattr(image_problem, "CHUNK", 23)
    for split, (logits, labels) in stack.snapshot().predictions.items():
        torch.testing.assert_close(logits, whole[split][0])
        assert torch.equal(labels, whole[split][1])
    assert whole["test"][0].shape == (2, 1597, 10)


@needs_digits
def test_a_fixed_norm_is_kept_and_costs_no_bit_where_it_is_off() -> None:
    # With decay alone a network shrinks; a run that has ended stays as it was.
    configs = [digits_run(seed, fixed_norm=True, weight_decay=9.0) for seed in range(2)]
    stack = Stack(problem_of(configs))
    before = stack.theta.norm(dim=1)
    stack.finish_run(1)
    ended = stack.theta[1].clone()
    stack.advance(20)
    torch.testing.assert_close(stack.theta.norm(dim=1), before)
    assert torch.equal(stack.theta[1], ended)
    free = Stack(problem_of([digits_run(weight_decay=9.0)]))
    free.advance(20)
    assert free.theta.norm() < 0.9 * before[0]


def test_a_run_on_files_takes_the_ones_of_its_digest_and_no_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GROK_DATA", str(tmp_path))
    folder = small_mnist(tmp_path / "mnist", monkeypatch)
    configs = [mnist_run(seed, sha256=mnist_sha256(folder)) for seed in range(2)]
    problem = ImageProblem(configs)
    assert problem.data[0].validation is problem.data[1].validation
    assert not torch.equal(problem.data[0].train.x, problem.data[1].train.x)
    stack = Stack(problem)
    stack.advance(3)
    assert stack.snapshot().predictions["test"][0].shape == (2, 5, 10)
    with pytest.raises(InputError, match=r"mnist: the files have images\.sha256=\w{64}, expected"):
        ImageProblem([mnist_run()])


def test_a_missing_folder_is_one_line_that_says_what_belongs_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GROK_DATA", raising=False)
    with pytest.raises(InputError, match=r"^images\.directory is empty and GROK_DATA .*idx3"):
        problem_of([mnist_run()])
    with pytest.raises(InputError, match=r"^no file \S+: put MNIST's train-images-idx3-ubyte.*$"):
        problem_of([mnist_run(directory=str(tmp_path))])
