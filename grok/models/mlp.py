"""A multi-layer perceptron with biases, as functions of a stack of parameters.

Shapes: ``run`` - runs trained together; ``batch`` - examples; ``read`` - numbers that it reads;
``out`` - numbers that it writes.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import pairwise

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "tanh": torch.tanh,
    "relu": torch.relu,
    "leaky_relu": partial(F.leaky_relu, negative_slope=0.1),
}

THIN = 8
"""Most inputs of a layer that are added one by one: thin products of the library round by where a
run lies in memory, and a run's numbers must not depend on its place in a stack."""


class Mlp:
    """The network, without its parameters: ``W_0``, ``b_0``, ..., ``W_U``, ``b_U``.

    Args:
        sizes: Numbers that it reads, units of each hidden layer, numbers that it writes.
        act: Name of the activation, between layers alone.
    """

    def __init__(self, sizes: Sequence[int], act: str) -> None:
        self.sizes, self.act = tuple(sizes), ACTIVATIONS[act]
        self.layers = (*(str(layer) for layer in range(len(sizes) - 2)), "U")

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Name and shape of every parameter, without the ``run`` axis; weights (out, in)."""
        shapes: dict[str, tuple[int, ...]] = {}
        for layer, (n_in, n_out) in zip(self.layers, pairwise(self.sizes), strict=True):
            shapes |= {f"W_{layer}": (n_out, n_in), f"b_{layer}": (n_out,)}
        return shapes

    def is_trained(self, name: str) -> bool:
        """Whether the parameter ever gets a gradient: all do."""
        del name
        return True

    def __call__(
        self, params: Mapping[str, Tensor], x: Float[Tensor, "run batch read"]
    ) -> Float[Tensor, "run batch out"]:
        """What it writes.

        A lone run is computed as two: products of one matrix go another way through the library,
        and a run's numbers must not depend on how many are trained beside it.
        """
        if x.shape[0] == 1:
            twice = {name: value.expand(2, *value.shape[1:]) for name, value in params.items()}
            return self(twice, x.expand(2, -1, -1))[:1]
        # Examples as columns: the gradient of W = g x^T then comes back in W's own layout.
        columns = x.mT
        for layer in self.layers[:-1]:
            columns = self.act(_linear(params, layer, columns))
        return _linear(params, "U", columns).mT

    def initial(self, generator: torch.Generator, scale: float) -> dict[str, Tensor]:
        """Parameters of one run at step 0, float64, without the ``run`` axis.

        Drawn in float32, layer by layer, weight before bias, as torch's ``Linear`` draws them:
        uniform within one over the root of the fan-in. Then times ``scale``, biases included.
        """
        parameters: dict[str, Tensor] = {}
        for layer, (n_in, n_out) in zip(self.layers, pairwise(self.sizes), strict=True):
            weight, bias = drawn_linear(n_in, n_out, generator)
            parameters[f"W_{layer}"] = scale * weight.double()
            parameters[f"b_{layer}"] = scale * bias.double()
        return parameters


def _linear(params: Mapping[str, Tensor], layer: str, columns: Tensor) -> Tensor:
    weight, bias = params[f"W_{layer}"], params[f"b_{layer}"].unsqueeze(-1)
    if weight.shape[-1] > THIN:
        return torch.baddbmm(bias, weight, columns)
    for number in range(weight.shape[-1]):
        bias = torch.addcmul(bias, weight[..., number, None], columns[:, number, None])
    return bias


def drawn_linear(
    n_in: int, n_out: int, generator: torch.Generator
) -> tuple[Float[Tensor, "out read"], Float[Tensor, " out"]]:
    """Weight and bias in float32, bit for bit as torch's ``Linear`` draws them."""
    weight = torch.empty(n_out, n_in)
    torch.nn.init.kaiming_uniform_(weight, a=math.sqrt(5), generator=generator)
    bound = 1 / math.sqrt(n_in)
    return weight, torch.empty(n_out).uniform_(-bound, bound, generator=generator)
