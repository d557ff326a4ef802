"""Checks of Merrill et al. 2021 on degrees of whole networks, at random parameters.

`Effects of Parameter Norm Growth During Transformer Training
<https://arxiv.org/abs/2010.09697>`_. Networks are those of
:mod:`grok.claims.checks.random_networks`.
"""

from collections.abc import Mapping
from itertools import product

import torch
from torch import Tensor

from grok.claims.checks import Readings
from grok.claims.checks.random_networks import SEEDS, TOY, Random, random_network
from grok.metrics.homogeneity import euler_degree, local_degree, ray_error, scaled
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
    asked = (("sublayer_ln", False), ("sublayer_ln", True), ("pre_ln", False), ("post_ln", False))
    for (placement, has_biases), seed in product(asked, SEEDS):
        network = random_network(placement, seed, has_biases)
        name = placement + (", biases" if has_biases else "")
        for scale in (1, 16, 64):
            error = ray_error(network.encodings(), network.params, 1, float(scale))
            readings["error"][f"{name}/{scale}/{seed}"] = float(error)
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
    readings: Readings = {"stream": {}, "logits": {}, "addition": {}}
    for n_layers, seed in product((1, 2, 3), SEEDS[:3]):
        network = random_network("no_ln", seed, False, sizes=TOY | {"n_layers": n_layers})

        def f(p: Mapping[str, Tensor], network: Random = network) -> dict[str, Tensor]:
            full = network.model.forward(p, network.tokens)
            return {"stream": full.pre_logits.flatten(1), "logits": full.logits.flatten(1)}

        for c in (64.0, 128.0, 256.0):
            found = local_degree(f, network.params, c)
            for name, first in (("stream", 1), ("logits", 2)):
                case = f"{n_layers}/{c:g}/{seed}/{first + 4 * n_layers}"
                readings[name][case] = float(found[name])
    for seed in SEEDS[:3]:
        readings["addition"][str(seed)] = _degree_of_addition(seed)
    return readings


def _degree_of_addition(seed: int) -> float:
    model = Transformer(TransformerConfig(act="relu", init="nanda"), 113)
    pairs = torch.arange(0, 113**2, 113**2 // 256)[:256].unsqueeze(0)

    def f(p: Mapping[str, Tensor]) -> Tensor:
        return token_forward(model, p, pairs // 113, pairs % 113).logits.flatten(1)

    drawn = initial_parameters(model, seed)
    return float(euler_degree(f, scaled({name: x.unsqueeze(0) for name, x in drawn.items()}, 30.0)))
