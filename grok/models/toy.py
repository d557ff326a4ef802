"""Embeddings and a decoder of their combination, as functions of a stack of parameters.

A pair (a, b) is read as the sum, the mean, the concatenation or the matrix product of the
embeddings of its symbols; the decoder is a multi-layer perceptron with biases.

Shapes: ``run`` - runs trained together; ``batch`` - pairs; ``symbol``; ``dim`` - numbers of an
embedding; ``read`` - numbers that the decoder reads; ``out`` - numbers that it writes.
"""

import math
from collections.abc import Callable, Mapping
from functools import partial

import torch
import torch.nn.functional as F
from einops import rearrange
from jaxtyping import Float, Int
from torch import Tensor

from grok.data.toy_config import ToyConfig

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "tanh": torch.tanh,
    "relu": torch.relu,
    "leaky_relu": partial(F.leaky_relu, negative_slope=0.1),
}

THIN = 8
"""Most inputs of a layer that are added one by one: thin products of the library round by where a
run lies in memory, and a run's numbers must not depend on its place in a stack."""


class ToyNetwork:
    """The network, without its parameters: ``W_E``, ``W_0``, ``b_0``, ..., ``W_U``, ``b_U``.

    Args:
        config: Sizes and activation.
        n_out: Numbers that the decoder writes.
    """

    def __init__(self, config: ToyConfig, n_out: int) -> None:
        self.config, self.n_out = config, n_out
        self.layers = (*(str(layer) for layer in range(config.depth)), "U")

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Name and shape of every parameter, without the ``run`` axis; weights (out, in)."""
        config = self.config
        sizes = (config.n_read, *[config.width] * config.depth, self.n_out)
        shapes: dict[str, tuple[int, ...]] = {"W_E": (config.n_symbols, config.dim)}
        for layer, n_in, n_out in zip(self.layers, sizes[:-1], sizes[1:], strict=True):
            shapes |= {f"W_{layer}": (n_out, n_in), f"b_{layer}": (n_out,)}
        return shapes

    def is_trained(self, name: str) -> bool:
        """Whether the parameter ever gets a gradient: all do."""
        del name
        return True

    def read(
        self,
        W_E: Float[Tensor, "run symbol dim"],
        a: Int[Tensor, "run batch"],
        b: Int[Tensor, "run batch"],
    ) -> Float[Tensor, "run batch read"]:
        """What the decoder reads of pairs (a, b)."""
        combine = self.config.combine
        left, right = (W_E.take_along_dim(x.unsqueeze(-1), dim=1) for x in (a, b))
        if combine in ("sum", "mean"):
            both = left + right
            return both / 2 if combine == "mean" else both
        if combine == "concat":
            return torch.cat([left, right], dim=-1)
        side = math.isqrt(self.config.dim)
        left, right = (rearrange(x, "... (i j) -> ... i j", i=side) for x in (left, right))
        return rearrange(left @ right, "... i j -> ... (i j)")

    def decode(
        self, params: Mapping[str, Tensor], x: Float[Tensor, "run batch read"]
    ) -> Float[Tensor, "run batch out"]:
        """The decoder.

        A lone run is computed as two: products of one matrix go another way through the library,
        and a run's numbers must not depend on how many are trained beside it.
        """
        if x.shape[0] == 1:
            twice = {name: value.expand(2, *value.shape[1:]) for name, value in params.items()}
            return self.decode(twice, x.expand(2, -1, -1))[:1]
        act = ACTIVATIONS[self.config.act]
        # Pairs as columns: the gradient of W = g x^T then comes back in W's own layout.
        columns = x.mT
        for layer in self.layers[:-1]:
            columns = act(_linear(params, layer, columns))
        return _linear(params, "U", columns).mT


def _linear(params: Mapping[str, Tensor], layer: str, columns: Tensor) -> Tensor:
    weight, bias = params[f"W_{layer}"], params[f"b_{layer}"].unsqueeze(-1)
    if weight.shape[-1] > THIN:
        return torch.baddbmm(bias, weight, columns)
    for number in range(weight.shape[-1]):
        bias = torch.addcmul(bias, weight[..., number, None], columns[:, number, None])
    return bias


def toy_parameters(network: ToyNetwork, seed: int) -> dict[str, Tensor]:
    """Parameters of one run at step 0, float64, without the ``run`` axis.

    Drawn in float32 from one generator in the order of ``toy.draw``, so that they are the authors'
    bit for bit: embeddings before the decoder (``train_add``), or an unused encoder of 10-number
    inputs, the decoder, then the embeddings (``published``).

    Reference:
        Liu et al. 2022, appendix G and released code. Weights and biases of a layer are those of
        torch's ``Linear``: uniform within one over the root of the fan-in.
    """
    config, generator = network.config, torch.Generator().manual_seed(seed)
    shapes = network.shapes()
    parameters: dict[str, Tensor] = {}

    def embeddings() -> None:
        draw = torch.rand if config.embed_init == "uniform" else torch.randn
        shift = 0.5 if config.embed_init == "uniform" else 0.0
        W_E = draw(shapes["W_E"], generator=generator) - shift
        parameters["W_E"] = config.embed_scale * W_E.double()

    if config.draw == "train_add":
        embeddings()
    else:
        for n_in, n_out in ((10, config.width), (config.width, config.width), (config.width, 1)):
            _drawn_linear(n_in, n_out, generator)
    for layer in network.layers:
        weight, bias = _drawn_linear(*reversed(shapes[f"W_{layer}"]), generator)
        parameters[f"W_{layer}"] = config.decoder_scale * weight.double()
        parameters[f"b_{layer}"] = config.decoder_scale * bias.double()
    if config.draw == "published":
        embeddings()
    return {name: parameters[name] for name in shapes}


def _drawn_linear(n_in: int, n_out: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Weight and bias as torch's Linear draws them."""
    weight = torch.empty(n_out, n_in)
    torch.nn.init.kaiming_uniform_(weight, a=math.sqrt(5), generator=generator)
    bound = 1 / math.sqrt(n_in)
    return weight, torch.empty(n_out).uniform_(-bound, bound, generator=generator)
