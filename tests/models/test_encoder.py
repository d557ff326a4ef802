"""The encoder of the toy problem is torch's, with the same weights, and draws what torch draws."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from grok.models.toy import ToyNetwork, toy_parameters
from tests.encoders import SMALL, Plain, parts


@pytest.mark.parametrize(
    "fields",
    [{}, {"n_heads": 3}, {"depth": 1, "act": "tanh"}, {"depth": 3, "n_heads": 2}],
    ids=str,
)
def test_forward_and_gradient_are_those_of_torch_s_layer(fields: dict[str, object]) -> None:
    toy = replace(SMALL, **fields)  # type: ignore[arg-type]
    network = ToyNetwork(toy, toy.p)
    generator = torch.Generator().manual_seed(0)
    plains = [Plain(toy).double() for _ in range(2)]
    for plain in plains:  # torch starts norms and many biases at a point where errors hide
        for x in plain.parameters():
            x.data += 0.3 * torch.randn(x.shape, dtype=torch.float64, generator=generator)
    stacked = [dict(parts(plain)) for plain in plains]
    params = {name: torch.stack([x[name] for x in stacked]).requires_grad_() for name in stacked[0]}
    assert {name: x.shape[1:] for name, x in params.items()} == network.shapes()
    a, b = torch.randint(toy.p, (2, 2, 17), generator=generator)
    weight = torch.randn(2, 17, toy.p, dtype=torch.float64, generator=generator)
    out = network.decode(params, network.read(params["W_E"], a, b))
    (out * weight).sum().backward()
    for run, plain in enumerate(plains):
        theirs = plain(a[run], b[run])
        torch.testing.assert_close(out[run], theirs)
        (theirs * weight[run]).sum().backward()
        for name, gradient in parts(plain, of_gradient=True):
            ours = params[name].grad
            assert ours is not None
            torch.testing.assert_close(ours[run], gradient, msg=lambda m, n=name: f"{n}: {m}")


def test_initial_parameters_are_those_that_torch_draws() -> None:
    # Embeddings first, as an `nn.Embedding` of standard normal numbers is.
    torch.manual_seed(5)
    theirs = dict(parts(Plain(SMALL)))
    ours = toy_parameters(ToyNetwork(SMALL, SMALL.p), 5)
    assert ours.keys() == theirs.keys()
    for name, value in theirs.items():
        assert torch.equal(ours[name], value.double()), name


def test_a_factor_is_on_the_decoder_alone() -> None:
    one, half = (
        toy_parameters(ToyNetwork(replace(SMALL, decoder_scale=s), SMALL.p), 5) for s in (1.0, 0.5)
    )
    assert torch.equal(half.pop("W_E"), one["W_E"])
    assert all(torch.equal(x, 0.5 * one[name]) for name, x in half.items())


def test_only_the_last_layer_tells_the_order_of_a_pair() -> None:
    network = ToyNetwork(SMALL, SMALL.p)
    params = {n: x.unsqueeze(0) for n, x in toy_parameters(network, 1).items()}
    a, b = torch.tensor([[0, 3]]), torch.tensor([[2, 6]])

    def logits(W_U: Tensor, first: Tensor, second: Tensor) -> Tensor:
        return network.decode(params | {"W_U": W_U}, network.read(params["W_E"], first, second))

    W_U = params["W_U"]
    swapped = torch.cat(W_U.chunk(2, dim=2)[::-1], dim=2)
    assert not torch.allclose(logits(W_U, a, b), logits(W_U, b, a))
    torch.testing.assert_close(logits(swapped, b, a), logits(W_U, a, b))


def test_dropout_is_asked_for_in_the_four_places_of_torch_s_layer() -> None:
    toy = replace(SMALL, dropout=0.5, n_heads=2)
    asked: list[tuple[int, ...]] = []

    def drop(x: Tensor) -> Tensor:
        asked.append(tuple(x.shape))
        return x

    network = ToyNetwork(toy, toy.p)
    params = {n: x.unsqueeze(0) for n, x in toy_parameters(network, 1).items()}
    read = network.read(params["W_E"], torch.tensor([[0, 3, 1]]), torch.tensor([[2, 6, 1]]))
    plain = network.decode(params, read)
    assert torch.equal(network.decode(params, read, drop), plain)
    stream = (1, 3, 2, toy.dim)
    assert asked == 2 * [(1, 3, 2, 2, 2), stream, (1, 3, 2, toy.width), stream]


@pytest.mark.parametrize("place", range(4))
def test_a_place_dropped_whole_is_a_network_without_its_weights(place: int) -> None:
    toy = replace(SMALL, depth=1)
    network = ToyNetwork(toy, toy.p)
    params = {n: x.unsqueeze(0) for n, x in toy_parameters(network, 1).items()}
    params |= {n: x + 0.1 for n, x in params.items() if n.startswith("blocks.0.b_")}
    read = network.read(params["W_E"], torch.tensor([[0, 3, 1]]), torch.tensor([[2, 6, 1]]))
    calls = iter(range(4))
    out = network.decode(params, read, lambda x: 0 * x if next(calls) == place else x)
    off = {0: ["W_V", "b_V"], 1: ["W_O", "b_O"], 2: ["W_out"], 3: ["W_out", "b_out"]}[place]
    without = params | {f"blocks.0.{n}": 0 * params[f"blocks.0.{n}"] for n in off}
    torch.testing.assert_close(out, network.decode(without, read))
