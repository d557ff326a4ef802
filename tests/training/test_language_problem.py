"""Language models on the stack are the same models one by one, in plain torch."""

from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

import grok.training.language_probe as language_probe
import grok.training.language_problem as language_problem
from grok.config import RunConfig
from grok.config.measures import readable_on
from grok.data.pairs import batch_rows
from grok.data.text import PADDED, Rows, text_data, unigram_cross_entropy
from grok.inputs import InputError
from grok.keys import find_key
from grok.measures import MEASURES, MissingPart
from grok.models.init import initial_parameters
from grok.models.shapes import Tokens
from grok.models.transformer import Transformer
from grok.training import LanguageProblem, Stack, problem_of, restore, state_of
from tests.builders import changed
from tests.plain import PlainTransformer, plain_name, plain_optimizer
from tests.texts import language_run, text_folder

N_STEPS = 20
OPTIONS: dict[str, dict[str, Any]] = {
    "stream": {},
    "paragraphs": {"mode": "paragraph", "length": 16},
    "paragraphs, post": {"mode": "paragraph", "length": 7, "norm": "post_ln"},
    "pre, all biases": {
        "norm": "pre_ln_final",
        "eps": 1e-6,  # the gradient of the keys' biases is rounding, which Adam would blow up
        **dict.fromkeys(("bias_qkv", "bias_out", "bias_unembed"), True),
    },
    "no norm, no bias, no positions": {"norm": "none", "bias_mlp": False, "positions": "none"},
    "scaled": {"readout_scale": 0.5, "temperature": 2.0, "init_scale": 0.5},
    "sgd": {"kind": "sgd", "lr": 0.1, "weight_decay": 0.0, "momentum": 0.9},
}
of_each_option = pytest.mark.parametrize("fields", OPTIONS.values(), ids=OPTIONS.keys())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return text_folder(tmp_path / "text")


def runs(folder: Path, **fields: Any) -> list[RunConfig]:
    """Two runs that differ in everything that they may differ in."""
    first = language_run(folder, **{"lr": 1e-2, "weight_decay": 0.1, **fields})
    return [first, changed(first, lr=first.optim.lr / 2, init_seed=1, order_seed=2)]


class Plain:
    """One run the ordinary way: every position is predicted, those that count are picked."""

    def __init__(self, config: RunConfig) -> None:
        self.config, self.data = config, text_data(config.text)
        reads = Tokens(self.data.n_tokens, config.text.length, self.data.n_classes)
        initial = initial_parameters(Transformer(config.model, reads), config.model.init_seed)
        self.net = PlainTransformer(config.model, reads).load(initial)
        self.optimizer = plain_optimizer(config, self.net)

    def loss(self, rows: Rows) -> Tensor:
        m = self.config.model
        h = m.readout_scale * self.net(rows.inputs).logits / m.temperature
        labels = rows.labels.flatten()
        return F.cross_entropy(h.flatten(0, 1), labels, ignore_index=PADDED)

    def step(self, step: int) -> None:
        everything = torch.arange(len(self.data.train.inputs))
        seed = self.config.data.order_seed
        rows = batch_rows(everything, self.config.text.batch_size, seed, step)
        self.optimizer.zero_grad()
        self.loss(Rows(*(x[rows] for x in self.data.train))).backward()
        self.optimizer.step()


@of_each_option
def test_a_stack_is_its_runs_one_by_one(folder: Path, fields: dict[str, Any]) -> None:
    configs = runs(folder, n_read=99, **fields)
    stack = Stack(LanguageProblem(configs))
    stack.advance(N_STEPS)
    readings = MEASURES["task"](stack.snapshot())
    for run, config in enumerate(configs):
        plain = Plain(config)
        for step in range(N_STEPS):
            plain.step(step)
        for name, ours in stack.params.items():
            theirs = plain.net.get_parameter(plain_name(name)).detach()
            torch.testing.assert_close(ours[run], theirs, rtol=0, atol=1e-11, msg=name)
        for split in ("train", "test"):
            loss = plain.loss(getattr(plain.data, split)).detach()
            torch.testing.assert_close(readings[f"loss/{split}"][run], loss, rtol=1e-9, atol=0)
            perplexity = readings[f"loss/perplexity/{split}"][run]
            torch.testing.assert_close(perplexity, loss.exp(), rtol=1e-9, atol=0)


@of_each_option
def test_the_gradient_is_that_of_plain_torch(folder: Path, fields: dict[str, Any]) -> None:
    [config, _] = runs(folder, n_read=99, **fields)
    stack, plain = Stack(LanguageProblem([config])), Plain(config)
    plain.loss(plain.data.train).backward()
    for name, ours in stack.snapshot().gradient.items():
        theirs = plain.net.get_parameter(plain_name(name)).grad
        torch.testing.assert_close(ours[0], theirs, rtol=1e-12, atol=1e-12, msg=name)


@of_each_option
def test_a_run_has_the_same_bits_alone(folder: Path, fields: dict[str, Any]) -> None:
    configs = [changed(c, dtype="float32") for c in runs(folder, **fields)]
    together = Stack(LanguageProblem(configs))
    together.advance(10)
    for run, config in enumerate(configs):
        alone = Stack(LanguageProblem([config]))
        alone.advance(10)
        assert torch.equal(alone.theta[0], together.theta[run])


@of_each_option
def test_a_resumed_run_has_the_bits_of_an_uninterrupted_one(
    folder: Path, fields: dict[str, Any]
) -> None:
    config = changed(runs(folder, **fields)[0], dtype="float32")
    whole, first, second = (Stack(LanguageProblem([config])) for _ in range(3))
    whole.advance(8)
    first.advance(3)
    parameters, moments = state_of(first, 0)
    restore(second, 0, 3, parameters | moments)
    second.advance(5)
    assert torch.equal(second.theta, whole.theta)


@pytest.mark.parametrize("norm", ["none", "pre_ln_final", "post_ln", "sublayer_ln"])
@pytest.mark.parametrize("position", range(5))
def test_no_prediction_knows_a_later_token(folder: Path, norm: str, position: int) -> None:
    """NG-A9, of the network as it is and with every parameter times 1000."""
    stack = Stack(LanguageProblem([language_run(folder, norm)]))
    inputs = stack.problem.read["test"].inputs.unsqueeze(0)
    later = inputs.clone()
    later[..., position] = (later[..., position] + 1) % stack.problem.data.n_tokens
    for scale in (1.0, 1000.0):
        params = {name: scale * x.detach() for name, x in stack.params.items()}
        before, after = (stack.problem.forward(params, x).logits for x in (inputs, later))
        assert torch.equal(before[:, :, :position], after[:, :, :position])
        assert not torch.equal(before[:, :, position], after[:, :, position])


def test_a_paragraph_has_the_same_logits_padded_or_not(folder: Path) -> None:
    """NG: independence from padding, whatever stands in the padded positions."""
    stack = Stack(LanguageProblem([language_run(folder, mode="paragraph", length=16)]))
    rows = stack.problem.train
    [short] = [i for i in range(3) if (rows.labels[i] != PADDED).sum() == 6]
    inputs = rows.inputs[short].reshape(1, 1, -1)
    other = inputs.clone()
    other[..., 6:] = 3
    whole, cut, replaced = (
        stack.problem.forward(stack.params, x).logits[:, :, :6]
        for x in (inputs, inputs[..., :6], other)
    )
    torch.testing.assert_close(whole, cut, rtol=1e-12, atol=1e-12)
    assert torch.equal(whole, replaced)


@pytest.mark.parametrize("mode", ["stream", "paragraph"])
def test_every_part_of_the_probe_is_what_plain_torch_gives(folder: Path, mode: str) -> None:
    configs = runs(folder, mode=mode, length=16 if mode == "paragraph" else 5)
    stack = Stack(LanguageProblem(configs))
    stack.advance(2)
    snapshot = stack.snapshot()
    for split, rows in stack.problem.read.items():
        logits, labels = snapshot.predictions[split]
        counts = rows.labels != PADDED
        assert logits.shape[:2] == labels.shape == (2, int(counts.sum()))
        for run, config in enumerate(configs):
            plain = PlainTransformer(config.model, Tokens(*_sizes(stack))).load(
                {name: x[run] for name, x in stack.params.items()}
            )
            torch.testing.assert_close(logits[run], plain(rows.inputs).logits[counts].detach())
            assert torch.equal(labels[run], rows.labels[counts])
        assert snapshot.pre_logits[split].shape == (2, int(counts.sum()), 8)
        assert len(snapshot.attn_out[split]) == 2


def _sizes(stack: Stack[LanguageProblem]) -> tuple[int, int, int]:
    data = stack.problem.data
    return data.n_tokens, stack.config.text.length, data.n_classes


def test_scores_are_of_no_padded_query(folder: Path) -> None:
    """The three paragraphs have 15, 6 and 21 tokens to predict, those of the test 8 and 5."""
    stack = Stack(LanguageProblem([language_run(folder, mode="paragraph", length=12)]))
    [first, _] = stack.snapshot().scores
    assert first.shape == (1, 3 + 2, 2, 5, 5)
    assert first.softmax(dim=-1).isfinite().all()


def test_the_probe_does_not_depend_on_its_chunks(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stack = Stack(LanguageProblem(runs(folder, mode="paragraph", length=16)))
    families = ("task", "norm", "compress")
    readings = {name: MEASURES[name](stack.snapshot()) for name in families}
    for module in (language_probe, language_problem):
        monkeypatch.setattr(module, "CHUNK", 16)
    again = {name: MEASURES[name](stack.snapshot()) for name in families}
    torch.testing.assert_close(again, readings)
    assert len(language_probe.chunks(stack.problem.read["train"])) == 3


def test_rows_that_are_read_lie_at_equal_distances(folder: Path) -> None:
    problem = LanguageProblem([language_run(folder, n_read=4)])
    n = len(problem.train.inputs)
    assert n == 8
    assert torch.equal(problem.read["train"].inputs, problem.train.inputs[::2])
    problem = LanguageProblem([language_run(folder, n_read=99)])
    assert torch.equal(problem.read["train"].inputs, problem.train.inputs)


def test_a_constant_prediction_is_no_better_than_frequencies(folder: Path) -> None:
    """Biases alone say the same at every position."""
    stack = Stack(LanguageProblem([language_run(folder, bias_unembed=True, n_read=99)]))
    labels = stack.problem.train.labels.flatten()
    counts = torch.bincount(labels, minlength=9).double() + 1
    with torch.no_grad():
        stack.params["W_U"].zero_()
        stack.params["b_U"].copy_((counts / counts.sum()).log())
    readings = MEASURES["task"](stack.snapshot())
    for split in ("train", "test"):
        torch.testing.assert_close(readings[f"loss/{split}"], readings[f"loss/unigram/{split}"])
    test = stack.problem.read["test"].labels.flatten()
    expected = unigram_cross_entropy(labels, test, 9).reshape(1)
    torch.testing.assert_close(readings["loss/unigram/test"], expected)


def test_every_key_is_in_the_table_under_its_family(folder: Path) -> None:
    snapshot = Stack(LanguageProblem(runs(folder, mode="paragraph", length=16))).snapshot()
    for family in readable_on("language"):
        for key, value in MEASURES[family](snapshot).items():
            row = find_key(key)
            assert row is not None, key
            assert row.family == family
            assert value.shape == (2,), key


@pytest.mark.parametrize("family", sorted(set(MEASURES) - set(readable_on("language"))))
def test_a_measure_of_pairs_names_what_a_text_lacks(folder: Path, family: str) -> None:
    with pytest.raises(MissingPart, match=r"^this measure needs the model's \w+, which the snap"):
        MEASURES[family](Stack(LanguageProblem([language_run(folder)])).snapshot())


def test_a_language_model_learns_more_than_frequencies(folder: Path) -> None:
    stack = Stack(LanguageProblem([language_run(folder, lr=1e-2, weight_decay=0.0)]))
    stack.advance(150)
    readings = MEASURES["task"](stack.snapshot())
    assert readings["loss/train"].item() < 0.5 * readings["loss/unigram/train"].item()


def test_the_config_says_which_problem_it_is(folder: Path) -> None:
    assert isinstance(problem_of([language_run(folder)]), LanguageProblem)


def test_the_text_must_be_the_one_of_the_run(folder: Path) -> None:
    config = language_run(folder)
    text_folder(folder, valid="another text\n")
    with pytest.raises(InputError, match=r"have text\.sha256=\w{64}, expected"):
        problem_of([config])
