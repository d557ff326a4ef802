"""Checks of Merrill et al. 2021 on degrees of whole networks, at random parameters.

`Effects of Parameter Norm Growth During Transformer Training
<https://arxiv.org/abs/2010.09697>`_. Networks are those of
:mod:`grok.claims.checks.random_networks`.
"""

from collections.abc import Mapping, Sequence
from itertools import product

import torch
from torch import Tensor

from grok.claims.checks import Readings
from grok.claims.checks.random_networks import SEEDS, TOY, Random, random_networks
from grok.metrics.homogeneity import Network, euler_degree, local_degree, ray_error, scaled
from grok.models.config import TransformerConfig
from grok.models.forms import token_forward
from grok.models.init import initial_parameters
from grok.models.transformer import Transformer


def ng_a5() -> Readings:
    """Encodings of toy networks of 3 layers when the parameters double from scale s.

    Criterion: relative distance from growing as c^1 at scale s. Without biases ``sublayer_ln`` has
    at least 0.3 at s = 1, at most 1e-12 at 64 for each seed and in the median 1e-6 at 16, where a
    near tie of two scores can leave one seed at some hundredths. With biases it has 1e-3 or more at
    16, ``pre_ln`` and ``post_ln`` 0.03 or more. Source: definition 3 and appendix D. Departure: the
    paper's error is absolute.

    Returns:
        ``error`` by ``<placement>[, biases]/<s>/<seed>``.
    """
    readings: Readings = {"error": {}}
    for placement, *biases in (("sublayer_ln", False, True), ("pre_ln", False), ("post_ln", False)):
        networks = random_networks(placement, SEEDS, biases)
        names = [placement + (", biases" if has else "") for has in biases]
        for scale in (1, 16, 64):
            errors = ray_error(networks.encodings(), networks.params, 1, float(scale)).tolist()
            cases = [f"{name}/{scale}/{seed}" for name, seed in product(names, SEEDS)]
            readings["error"] |= dict(zip(cases, errors, strict=True))
    return readings


def ng_a6() -> Readings:
    """Networks of L layers without norms and biases, and the one-layer network on addition mod 113.

    Criterion: at parameters times 64, 128 and 256 the stream has degree 1 + 4 L and the logits 2 +
    4 L, to 0.05. Logits at ``=`` of the ReLU network of width 128 have Euler's degree 6.00 +- 0.01
    at parameters times 30, on 256 of all pairs. Source: table 1: attention adds 2 to the
    degree of what it reads and the MLP 2 more; the unembedding adds 1.

    Returns:
        ``stream`` and ``logits`` by ``<L>/<c>/<seed>/<degree>``; ``addition`` by seed.
    """
    seeds = SEEDS[:3]
    readings: Readings = {"stream": {}, "logits": {}}
    for n_layers in (1, 2, 3):
        networks = random_networks("no_ln", seeds, (False,), sizes=TOY | {"n_layers": n_layers})
        for c in (64.0, 128.0, 256.0):
            found = local_degree(_stream_and_logits(networks), networks.params, c)
            for name, first in (("stream", 1), ("logits", 2)):
                for seed, value in zip(seeds, found[name].tolist(), strict=True):
                    case = f"{n_layers}/{c:g}/{seed}/{first + 4 * n_layers}"
                    readings[name][case] = value
    degrees = _degrees_of_addition(seeds).tolist()
    return readings | {"addition": dict(zip(map(str, seeds), degrees, strict=True))}


def _stream_and_logits(networks: Random) -> Network:
    def f(params: Mapping[str, Tensor]) -> dict[str, Tensor]:
        full = networks.model.forward(params, networks.tokens)
        return {"stream": full.pre_logits.flatten(1), "logits": full.logits.flatten(1)}

    return f


def _degrees_of_addition(seeds: Sequence[int]) -> Tensor:
    model = Transformer(TransformerConfig(act="relu", init="nanda"), 113)
    pairs = torch.arange(0, 113**2, 113**2 // 256)[:256].expand(len(seeds), -1)

    def f(p: Mapping[str, Tensor]) -> Tensor:
        return token_forward(model, p, pairs // 113, pairs % 113).logits.flatten(1)

    drawn = [initial_parameters(model, seed) for seed in seeds]
    params = {name: torch.stack([each[name] for each in drawn]) for name in model.shapes()}
    return euler_degree(f, scaled(params, 30.0))
