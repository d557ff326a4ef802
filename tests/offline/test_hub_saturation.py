"""Saturation of tiny networks of every family, against plain torch and against itself."""

import copy
from collections.abc import Sequence
from typing import Any

import pytest
import torch
from torch import Tensor

from grok.inputs import InputError
from grok.offline.hub_saturation import StackSaturation, model_saturation
from grok.offline.hub_tokens import Tokens, padded
from tests.hugging import CONFIGS, network

FAMILIES = list(CONFIGS)
LENGTHS = (1, 7, 3, 6)


def texts(lengths: Sequence[int] = LENGTHS) -> list[list[int]]:
    generator = torch.Generator().manual_seed(3)
    return [torch.randint(5, 61, (n,), generator=generator).tolist() for n in lengths]


def batches(model: Any, size: int, lengths: Sequence[int] = LENGTHS) -> list[Tokens]:
    found, pad = texts(lengths), model.config.pad_token_id or 0
    return [padded(found[i : i + size], pad) for i in range(0, len(found), size)]


def numbers(stack: StackSaturation) -> Tensor:
    """Every reading of a stack; NaN where a head has no query with several positions attended."""
    of_layers = torch.tensor(list(stack.layers), dtype=torch.float64)
    of_heads = torch.stack([torch.stack(list(heads)) for heads in stack.heads])
    return torch.cat([of_layers.flatten(), of_heads.double().flatten()])


@pytest.mark.parametrize("family", FAMILIES)
def test_each_layer_has_a_cosine_and_that_of_the_embeddings_is_one(family: str) -> None:
    """Embeddings without a norm are scaled; those of BERT have one, whose output is."""
    model = network(family)
    stacks = model_saturation(model, batches(model, 2))
    assert list(stacks) == (["encoder", "decoder"] if family == "T5" else ["encoder"])
    for stack in stacks.values():
        assert len(stack.layers) == 3
        assert [len(heads.n_mean) for heads in stack.heads] == [4 if family == "T5" else 2] * 2
        assert stack.layers[0].mean == pytest.approx(1, abs=1e-9)
        assert stack.layers[0].std == pytest.approx(0, abs=1e-7)
        values = torch.tensor([layer.mean for layer in stack.layers])
        assert bool(values.isfinite().all())
        assert float(values.abs().max()) <= 1 + 1e-12
        assert float(values[1:].abs().max()) < 0.9999  # these are not saturated
        for heads in stack.heads:
            assert float(heads.leak.max()) < 1e-9
            assert float(heads.n_mean.min()) >= 1
            assert float(heads.tv.min()) > 0


@pytest.mark.parametrize("family", FAMILIES)
def test_neither_padding_nor_the_size_of_a_batch_changes_a_reading(family: str) -> None:
    model = network(family)
    alone = model_saturation(model, batches(model, 1))
    for size in (2, 4):
        together = model_saturation(model, batches(model, size))
        for name, stack in together.items():
            # T5's norms and softmaxes are in float32.
            exact = 1e-5 if family == "T5" else 1e-9
            torch.testing.assert_close(
                numbers(stack), numbers(alone[name]), rtol=exact, atol=exact, equal_nan=True
            )


@pytest.mark.parametrize("family", FAMILIES)
def test_the_model_and_its_mode_are_as_before_and_dropout_is_off(family: str) -> None:
    model = network(family)
    before = {name: x.clone() for name, x in model.state_dict().items()}
    in_eval = model_saturation(model, batches(model, 4))
    in_training = model_saturation(model.train(), batches(model, 4))
    assert model.training
    assert all(torch.equal(x, before[name]) for name, x in model.state_dict().items())
    for name, stack in in_eval.items():
        assert torch.equal(numbers(stack).nan_to_num(), numbers(in_training[name]).nan_to_num())


def by_hand(model: Any, factor: float) -> tuple[list[list[float]], Any]:
    """Cosines of each layer at each position, one text at a time, and the outputs as they are."""
    scaled = copy.deepcopy(model)
    for p in scaled.parameters():
        p.data.mul_(factor)
    cosines: list[list[float]] = [[], [], []]
    outputs = []
    for text in texts():
        ids = torch.tensor([text])
        options = {"output_hidden_states": True, "output_attentions": True}
        with torch.no_grad():
            soft, hard = model(ids, **options), scaled(ids, **options)
        outputs.append((soft, hard))
        for layer, (a, b) in enumerate(zip(soft.hidden_states, hard.hidden_states, strict=True)):
            for x, y in zip(a[0], b[0], strict=True):
                cosines[layer].append(float(x @ y / (x.norm() * y.norm())))
    return cosines, outputs


@pytest.mark.parametrize("family", ["Bert", "GPT2"])
def test_the_readings_are_those_of_plain_torch(family: str) -> None:
    model = network(family)
    (stack,) = model_saturation(model, batches(model, 4)).values()
    cosines, outputs = by_hand(model, 1000.0)
    for layer, values in zip(stack.layers, cosines, strict=True):
        found = torch.tensor(values, dtype=torch.float64)
        assert layer.mean == pytest.approx(float(found.mean()), abs=1e-9)
        assert layer.std == pytest.approx(float(found.std(correction=0)), abs=1e-6)
    for i, heads in enumerate(stack.heads):
        soft = [each.attentions[i][0] for each, _ in outputs]  # head, query, key
        hard = [each.attentions[i][0] for _, each in outputs]
        eff = torch.cat([torch.special.entr(x).sum(dim=-1).exp() for x in soft], dim=1)
        torch.testing.assert_close(heads.eff, eff.mean(dim=1))
        tv = torch.cat([1 - x.amax(dim=-1) for x in soft], dim=1)  # no two weights tie
        torch.testing.assert_close(heads.tv, tv.mean(dim=1))
        n = torch.cat([(x > 1e-6).sum(dim=-1) for x in hard], dim=1).double()
        torch.testing.assert_close(heads.n_mean, n.mean(dim=1))
        torch.testing.assert_close(heads.n_std, n.std(dim=1, correction=0))


def test_tied_parameters_are_scaled_once() -> None:
    """Logits of a model whose read-out is its embedding: the last layer is what it is without."""
    model, head = network("GPT2"), network("GPT2", "LMHeadModel")
    head.transformer.load_state_dict(model.state_dict())
    assert head.lm_head.weight is head.transformer.wte.weight
    expected = model_saturation(model, batches(model, 4))["encoder"]
    found = model_saturation(head, batches(model, 4))["encoder"]
    torch.testing.assert_close(numbers(found), numbers(expected), equal_nan=True)


def test_only_the_parameters_that_are_named_are_scaled() -> None:
    model = network("GPT2")
    (stack,) = model_saturation(model, batches(model, 4), include=r"^ln_f\.").values()
    assert [layer.mean for layer in stack.layers] == pytest.approx([1, 1, 1], abs=1e-12)
    (stack,) = model_saturation(model, batches(model, 4), include=r"^h\.1\.").values()
    means = [layer.mean for layer in stack.layers]
    assert means[:2] == pytest.approx([1, 1], abs=1e-12)
    assert means[2] < 0.999


@pytest.mark.parametrize(
    ("include", "message"), [("(", "is no regular expression"), ("absent", "finds no parameter")]
)
def test_an_impossible_choice_of_parameters_is_refused(include: str, message: str) -> None:
    model = network("GPT2")
    with pytest.raises(InputError, match=message):
        model_saturation(model, batches(model, 4), include=include)


def test_the_factor_has_converged_where_ten_times_it_changes_nothing() -> None:
    model = network("Bert")
    (stack,) = model_saturation(model, batches(model, 4), convergence=True).values()
    assert stack.convergence == pytest.approx(1, abs=1e-3)
    (near,) = model_saturation(model, batches(model, 4), factor=1.0, convergence=True).values()
    assert near.layers[2].mean == pytest.approx(1, abs=1e-12)
    assert near.convergence is not None
    assert near.convergence < 0.999


def test_what_overflows_is_not_a_number() -> None:
    model = network("GPT2").float()
    (stack,) = model_saturation(model, batches(model, 4), factor=1e11).values()
    assert stack.layers[2].mean != stack.layers[2].mean
