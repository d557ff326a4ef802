"""Exact tests of Nanda et al. 2023: formulas on functions whose circuit is known.

`Progress measures for grokking via mechanistic interpretability
<https://arxiv.org/abs/2301.05217>`_. Nothing is trained, all is float64.
"""

import math
import tempfile
from collections.abc import Mapping
from pathlib import Path

import torch
from einops import rearrange
from jaxtyping import Bool, Float64
from torch import Tensor

from grok.claims.checks import Readings
from grok.formats import FORMATS, Published, read_checkpoint, write_checkpoint
from grok.metrics.fourier import fourier_basis, fourier_power
from grok.metrics.logit_waves import cosine_coefficients, cosine_share
from grok.metrics.loss import cross_entropy
from grok.metrics.pair_waves import BLOCKS
from grok.metrics.progress import (
    excluded_logits,
    excluded_loss_by_frequency,
    gini,
    key_frequencies,
    restricted_logits,
)
from grok.models.config import TransformerConfig
from grok.models.transformer import Transformer

SIZES = (23, 53, 113, 22)
"""Group orders, the last one even."""
ALPHA: Mapping[int, float] = {2: 9.0, 5: 6.0, 11: 4.0}
"""Coefficients of the cosines; 11 is the last frequency of 23 and the alternating wave of 22."""
GINI_SIZE = 113


def _logits(p: int, alpha: Mapping[int, float] = ALPHA) -> Float64[Tensor, "pair p"]:
    """Sum of cosines of a + b - c."""
    n = torch.arange(p)
    d = rearrange((n[:, None, None] + n[:, None] - n) % p, "a b c -> (a b) c").double()
    return sum((x * (2 * math.pi * k * d / p).cos() for k, x in alpha.items()), start=0.0 * d)


def _noise(*shape: int) -> Float64[Tensor, "..."]:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(shape, dtype=torch.float64, generator=generator)


def _mask(p: int, keys: Mapping[int, float] = ALPHA) -> Bool[Tensor, " freq"]:
    return torch.isin(torch.arange(p // 2 + 1), torch.tensor(list(keys)))


def _labels(p: int) -> Tensor:
    n = torch.arange(p)
    return rearrange((n[:, None] + n) % p, "a b -> (a b)")


def _distance(x: Tensor, y: Tensor) -> float:
    return float((x - y).abs().max())


def pm_u1() -> Readings:
    """The Fourier basis of Z_p.

    Criterion: F F^T is the identity to 1e-12, and rows 2k - 1 and 2k are cos and sin of frequency
    k. Source: section 3.1; the alternating row of even p is not in the released code.

    Returns:
        ``identity`` and ``rows`` by p: largest distances.
    """
    identity, rows = {}, {}
    for p in SIZES:
        basis, n = fourier_basis(p), torch.arange(p, dtype=torch.float64)
        identity[str(p)] = _distance(basis @ basis.mT, torch.eye(p, dtype=torch.float64))
        waves = [torch.ones(p, dtype=torch.float64)]
        for k in range(1, (p + 1) // 2):
            waves += [f(2 * math.pi * k * n / p) for f in (torch.cos, torch.sin)]
        waves += [(math.pi * n).cos()] * (p % 2 == 0)
        unit = torch.stack([wave / wave.norm() for wave in waves])
        rows[str(p)] = _distance(basis, unit)
    return {"identity": identity, "rows": rows}


def pm_u2() -> Readings:
    """Logits that are a sum of cosines, with a bias per class and a number per pair.

    Criterion: coefficients to 1e-10; the share explained is 1 without the bias; the restricted
    logits give the loss of the input, the excluded ones that of the bias alone; rule L finds the
    frequencies. Source: sections 4.2, 5.1, C.2.

    Returns:
        By p: ``alpha``, ``share``, ``restricted``, ``excluded``, distances from the exact value;
        ``wrong_keys``, the number of frequencies that rule L has wrong.
    """
    readings: Readings = {n: {} for n in ("alpha", "share", "restricted", "excluded", "wrong_keys")}
    for p in SIZES:
        bias, shift, labels = _noise(p), 3 * _noise(p * p)[:, None], _labels(p)
        pure, is_key = _logits(p), _mask(p)
        logits = pure + bias + shift
        expected = torch.zeros(p // 2 + 1, dtype=torch.float64)
        expected[list(ALPHA)] = torch.tensor(list(ALPHA.values()), dtype=torch.float64)
        found = cosine_coefficients(logits)
        readings["alpha"][str(p)] = _distance(found[1:], expected[1:])
        readings["share"][str(p)] = abs(float(cosine_share(pure + shift, is_key)) - 1)
        loss = cross_entropy(logits, labels)
        restricted = cross_entropy(restricted_logits(logits, is_key), labels)
        readings["restricted"][str(p)] = abs(float(restricted - loss))
        excluded = cross_entropy(excluded_logits(logits, is_key), labels)
        alone = cross_entropy(bias.expand(p * p, p), labels)
        readings["excluded"][str(p)] = abs(float(excluded - alone))
        n = torch.arange(p, dtype=torch.float64)
        waves = [
            f(2 * math.pi * k * n / p) * x for k, x in ALPHA.items() for f in (torch.cos, torch.sin)
        ]
        W_L = torch.stack(waves, dim=-1) @ _noise(2 * len(ALPHA), 64) + 1e-3 * _noise(p, 64)
        keys = key_frequencies(fourier_power(W_L))
        readings["wrong_keys"][str(p)] = float((keys != is_key).sum())
    return readings


def pm_u3() -> Readings:
    """A component that depends on a - b.

    Criterion: it changes what ``block2x2`` keeps and not what ``sum`` keeps. Source: section 5.1,
    where the two readings of its 20 terms differ.

    Returns:
        ``sum`` and ``block2x2`` by odd p: largest change of the restricted logits.
    """
    readings: Readings = {"sum": {}, "block2x2": {}}
    for p in SIZES[:3]:
        n = torch.arange(p)
        difference = rearrange((n[:, None] - n) % p, "a b -> (a b)").double()
        added = 3 * (2 * math.pi * 2 * difference / p).cos()[:, None] * _noise(p)
        for block in ("sum", "block2x2"):
            kept = [restricted_logits(x, _mask(p), block) for x in (_logits(p), _logits(p) + added)]
            readings[block][str(p)] = _distance(*kept)
    return readings


def pm_u4() -> Readings:
    """The Gini coefficient.

    Criterion: 0 for equal numbers, 1 - 1/n for one number that is not 0, blind to scale. Source:
    Hurley and Rickard, arXiv 0811.4706.

    Returns:
        ``equal``, ``single``, ``scale``: distances from these.
    """
    x = _noise(GINI_SIZE).abs()
    one = torch.zeros(GINI_SIZE, dtype=torch.float64)
    one[7] = 3.0
    return {
        "equal": {"": abs(float(gini(torch.full_like(x, 2.0))))},
        "single": {"": abs(float(gini(one)) - (1 - 1 / GINI_SIZE))},
        "scale": {"": abs(float(gini(1e3 * x) - gini(x)))},
    }


def pm_u5() -> Readings:
    """Restricted plus excluded logits.

    Criterion: together they are the logits plus the mean of each class, in every variant.

    Returns:
        ``difference`` by ``<variant>/<p>``.
    """
    found = {}
    for p in SIZES[:1] + SIZES[-1:]:
        logits, is_key = _noise(p * p, p), _mask(p)
        whole = logits + logits.mean(dim=0)
        for block in BLOCKS:
            parts = restricted_logits(logits, is_key, block), excluded_logits(logits, is_key, block)
            found[f"{block}/{p}"] = _distance(parts[0] + parts[1], whole)
    return {"difference": found}


def _moved(logits: Tensor, a: Tensor, b: Tensor, c: Tensor) -> Float64[Tensor, "pair p"]:
    """Logits of the elements that each of a, b and c becomes."""
    cube = rearrange(logits, "(a b) c -> a b c", a=len(a))
    return rearrange(cube[a][:, b][:, :, c], "a b c -> (a b) c")


def pm_u6() -> Readings:
    """Elements renamed: shifted, or multiplied by a number.

    Criterion: shifting a, b by s, t and c by s + t changes no measure; multiplying all three by m
    moves frequency k's measures to k m.

    Returns:
        ``shift`` and ``multiply`` by p: largest change of coefficients, excluded losses and the
        share explained.
    """
    readings: Readings = {"shift": {}, "multiply": {}}
    for p in SIZES[:1] + SIZES[-1:]:
        n, m = torch.arange(p), 3
        logits = _logits(p) + _noise(p * p, p)
        every = torch.ones(p * p, dtype=torch.bool)

        def read(x: Tensor, every: Tensor = every) -> Tensor:
            return torch.stack([cosine_coefficients(x), excluded_loss_by_frequency(x, every)])

        shifted = _moved(logits, (n + 2) % p, (n + 5) % p, (n + 7) % p)
        readings["shift"][str(p)] = _distance(read(shifted), read(logits))
        scaled = _moved(logits, m * n % p, m * n % p, m * n % p)
        k = torch.arange(p // 2 + 1) * m % p
        readings["multiply"][str(p)] = _distance(
            read(scaled)[:, torch.minimum(k, p - k)], read(logits)
        )
    return readings


def pm_u7() -> Readings:
    """Loss of logits 25 for the right of 113 classes and 0 for the others.

    Criterion: 112 e^-25 in float64, exactly 0 in float32. Source: the released notebooks cast to
    float64; the released training helper does not.

    Returns:
        ``float64``, relative distance from ln(1 + 112 e^-25); ``float32``, the loss.
    """
    logits = torch.zeros(1, 113)
    logits[0, 5] = 25.0
    label = torch.tensor([5])
    exact = math.log1p(112 * math.exp(-25))
    losses = {
        str(d)[6:]: float(cross_entropy(logits, label, d)) for d in (torch.float64, torch.float32)
    }
    return {
        "float64": {"": abs(losses["float64"] / exact - 1)},
        "float32": {"": losses["float32"]},
    }


def pm_u8() -> Readings:
    """A network written in each layout and read again.

    Criterion: the logits on all pairs are the same numbers. Sources: the released code,
    TransformerLens, torch.

    Returns:
        ``difference`` by ``<layout>/<p>``: largest change of a logit.
    """
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        for p in SIZES[:1] + SIZES[-1:]:
            config = TransformerConfig(d_model=32, d_mlp=64, act="relu", causal=True)
            shapes = Transformer(config, p).shapes()
            model = Published("grok", config, p, {name: _noise(*s) for name, s in shapes.items()})
            for layout in FORMATS:
                path = Path(folder) / f"{layout}-{p}.safetensors"
                write_checkpoint(path, model, layout)
                again = read_checkpoint(path)
                found[f"{layout}/{p}"] = _distance(_outputs(model), _outputs(again))
    return {"difference": found}


def _outputs(model: Published) -> Float64[Tensor, "pair cls"]:
    """Logits at ``=`` on all pairs."""
    n = torch.arange(model.n)
    a, b = n.repeat_interleave(model.n), n.repeat(model.n)
    tokens = torch.stack([a, b, torch.full_like(a, model.n)], dim=-1)
    stacked = {name: x.unsqueeze(0) for name, x in model.parameters.items()}
    return Transformer(model.config, model.n).forward(stacked, tokens[None]).logits[0, :, -1]
