"""Checks of Merrill et al. 2021 on degrees of networks and of their components.

`Effects of Parameter Norm Growth During Transformer Training
<https://arxiv.org/abs/2010.09697>`_. Everything is in float64, on random parameters and inputs. A
component is given an input of degree k as a fixed one times the k-th power of a parameter.
"""

from collections.abc import Callable, Mapping
from itertools import product
from typing import Any

import torch
from torch import Tensor

from grok.claims.checks import Readings
from grok.metrics.homogeneity import (
    Network,
    euler_degree,
    mean_surplus,
    ray_error,
    scaled,
)
from grok.metrics.loss import cross_entropy
from grok.models.config import NormConfig, TransformerConfig, norm_config
from grok.models.layers import activation, linear, normalise
from grok.models.mlp import Mlp
from grok.models.transformer import Transformer

SEEDS = (456, 789, 111)
DEPTHS = (1, 2, 3, 4, 5)
FACTORS = (0.5, 2.0, 10.0)
DEGREES = (0, 1, 3)
"""Degrees that inputs of components are given."""
FAR = 1e9
"""Scale of the parameters at which pre-activations are so large that what saturates has done so,
and a term of lower degree is below 1e-6 of the others."""


def _gaussian(seed: int, *shape: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, dtype=torch.float64, generator=generator)


def _perceptron(depth: int, seed: int) -> tuple[Mlp, dict[str, Tensor]]:
    """A ReLU perceptron of so many layers whose biases are 0."""
    model = Mlp((12, *[16] * (depth - 1), 5), "relu")
    drawn = model.initial(torch.Generator().manual_seed(seed), 1.0)
    return model, {
        name: (torch.zeros_like(x) if name.startswith("b_") else x).unsqueeze(0)
        for name, x in drawn.items()
    }


def ng_a2() -> Readings:
    """ReLU perceptrons of :data:`DEPTHS` k without biases, on 32 inputs.

    Criterion: f(c theta) is c^k f(theta) to a relative 1e-12 for c of :data:`FACTORS`; Euler's
    degree is k to 1e-10. Source: section 3.

    Returns:
        ``error``, the largest over c, and ``degree``, by ``<seed>/<depth>``.
    """
    readings: Readings = {"error": {}, "degree": {}}
    for seed, depth in product(SEEDS, DEPTHS):
        model, params = _perceptron(depth, seed)
        x = _gaussian(seed, 1, 32, 12)

        def f(p: Mapping[str, Tensor], model: Mlp = model, x: Tensor = x) -> Tensor:
            return model(p, x).flatten(1)

        errors = [ray_error(f, params, depth, factor=c) for c in FACTORS]
        readings["error"][f"{seed}/{depth}"] = float(torch.cat(errors).max())
        readings["degree"][f"{seed}/{depth}"] = float(euler_degree(f, params))
    return readings


def ng_a3() -> Readings:
    """Cross-entropy of ReLU perceptrons of :data:`DEPTHS` k without biases, on 32 labelled inputs.

    Criterion: theta . grad L is k times the mean over inputs of the expected logit less the right
    one, to a relative 1e-10. Source: Euler's identity, as version 1 of the paper uses it.

    Returns:
        ``difference``, relative, by ``<seed>/<depth>``.
    """
    readings: Readings = {"difference": {}}
    labels = torch.arange(32).remainder(5).unsqueeze(0)
    for seed, depth in product(SEEDS, DEPTHS):
        model, params = _perceptron(depth, seed)
        leaves = {name: x.requires_grad_() for name, x in params.items()}
        logits = model(leaves, _gaussian(seed, 1, 32, 12))
        loss = cross_entropy(logits, labels).sum()
        gradients = torch.autograd.grad(loss, list(leaves.values()))
        pairs = zip(leaves.values(), gradients, strict=True)
        along = float(sum((x.detach() * g).sum() for x, g in pairs))
        expected = -depth * float(mean_surplus(logits.detach(), labels))
        readings["difference"][f"{seed}/{depth}"] = abs(along / expected - 1)
    return readings


_PLAIN = NormConfig(q=True, eps=0.0)
_SHAPES = {"W": (1, 8, 8), "b": (1, 8), "gain": (1, 8), "t": (1,)}
_PARAMS = {name: _gaussian(SEEDS[0] + i, *s) for i, (name, s) in enumerate(_SHAPES.items())}
_X = _gaussian(SEEDS[1], 1, 6, 8)
_Y = _gaussian(SEEDS[2], 1, 6, 8)


def _degree(of: Callable[[Mapping[str, Tensor]], Tensor], scale: float = 1.0) -> float:
    return float(euler_degree(lambda p: of(p).flatten(1), scaled(_PARAMS, scale)))


def _read(p: Mapping[str, Tensor], k: int, x: Tensor = _X) -> Tensor:
    """An input of degree k."""
    return x * p["t"].abs() ** k


def _exact() -> dict[str, float]:
    """Components with a degree, by ``<component> of <k>/<table>``."""
    found = {}
    for k in DEGREES:
        norm = lambda p, *affine, k=k: normalise(_read(p, k), _PLAIN, *affine)  # noqa: E731
        cases: dict[str, tuple[int, Callable[[Any], Tensor]]] = {
            "linear": (k + 1, lambda p, k=k: linear(_read(p, k), p["W"])),
            "layer norm": (0, lambda p, norm=norm: norm(p, None, None)),
            "layer norm, affine": (1, lambda p, norm=norm: norm(p, p["gain"], p["b"])),
            "ReLU": (k, lambda p, k=k: activation(_read(p, k), None, "relu")),
            "sum": (k, lambda p, k=k: _read(p, k) + _read(p, k, _Y)),
            "product with 2": (k + 2, lambda p, k=k: _read(p, k) * _read(p, 2, _Y)),
            "classifier of a layer norm": (
                2,
                lambda p, norm=norm: linear(norm(p, p["gain"], p["b"]), p["W"]),
            ),
        }
        found |= {f"{name} of {k}/{to}": _degree(of) for name, (to, of) in cases.items()}
    found["bias of 1/1"] = _degree(lambda p: linear(_read(p, 0), p["W"], p["b"]))
    found["affine of 0/1"] = _degree(lambda p: _read(p, 0) * p["gain"] + p["b"])
    return found


def _limits() -> dict[str, float]:
    """Components that have a degree for large inputs, at the scale :data:`FAR`."""
    found = {}
    for k in (1, 2):
        cases: dict[str, tuple[int, Callable[[Any], Tensor]]] = {
            "softmax": (0, lambda x: x.softmax(dim=-1)),
            "sigmoid": (0, torch.sigmoid),
            "tanh": (0, torch.tanh),
            "GELU": (k, lambda x: activation(x, None, "gelu")),
            "SiLU": (k, torch.nn.functional.silu),
            "sum with 0": (k, lambda x: x + _Y),
        }
        for name, (to, of) in cases.items():
            case = f"{name} of {k}/{to}"
            found[case] = _degree(lambda p, of=of, k=k: of(_read(p, k)), FAR)
    return found


def _block() -> dict[str, float]:
    """Steps of attention on a stream of degree 1, by ``<step>/<table>``."""
    tokens = torch.arange(18).remainder(5).reshape(1, 6, 3)

    def of(norm: NormConfig, read: Callable[[Any], Tensor]) -> float:
        config = TransformerConfig(d_model=8, n_heads=2, d_mlp=12, bias_mlp=False, norm=norm)
        model = Transformer(config, 5)
        shapes = model.shapes().items()
        params = {n: _gaussian(SEEDS[0] + i, 1, *s) for i, (n, s) in enumerate(shapes)}
        f: Network = lambda p: read(model.forward(p, tokens).blocks[0]).flatten(1)  # noqa: E731
        return float(euler_degree(f, scaled(params, FAR)))

    none, sublayer = NormConfig(), norm_config("sublayer", eps=0.0)
    return {
        "stream/1": of(none, lambda block: block.resid_pre),
        "scores/4": of(none, lambda block: block.scores),
        "weights/0": of(none, lambda block: block.pattern),
        "heads/2": of(none, lambda block: block.z),
        "output/3": of(none, lambda block: block.attn_out),
        "layer norm, affine/1": of(sublayer, lambda block: block.attn_out),
        "stream after it/1": of(sublayer, lambda block: block.resid_mid),
    }


def ng_a4() -> Readings:
    """Euler's degree of each component of a transformer, on 6 inputs of 8 numbers.

    Criterion: each within 1e-6 of table 1; LayerNorm with eps 0. Those of the second group have a
    degree only in the limit of large inputs and are read at parameters times :data:`FAR`; a sum of
    unequal degrees has the larger one there. Source: table 1.

    Returns:
        ``exact``, ``limit`` and ``block`` by ``<component> of <degree in>/<degree out>``.
    """
    return {"exact": _exact(), "limit": _limits(), "block": _block()}
