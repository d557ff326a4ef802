"""Checks of Merrill et al. 2021 on attention: constructed, and of random networks.

`Effects of Parameter Norm Growth During Transformer Training
<https://arxiv.org/abs/2010.09697>`_. All in float64.
"""

import torch
from torch import Tensor

from grok.claims.checks import Readings
from grok.claims.checks.random_networks import LIMIT, NORMS, TOY_TEXT, random_networks
from grok.metrics.attention import saturated_pattern
from grok.metrics.heads import head_statistics
from grok.metrics.saturation import smallest_gap, unsaturated_weight

SEEDS = (456, 789, 111)
TIES = (1, 2, 5)
SCALES = (0.1, 1.0, 10.0, 1000.0)
LENGTH = 83
"""Length of the sequences of figure 3, left part."""


def _scores(seed: int, n_ties: int) -> Tensor:
    """200 rows of 20 scores, the largest of which is there so many times, the last keys masked."""
    generator = torch.Generator().manual_seed(seed)
    scores = torch.randn(200, 20, dtype=torch.float64, generator=generator)
    scores[:, :n_ties] = scores.amax(dim=-1, keepdim=True)
    scores[:, 15:] = -torch.inf
    return scores


def ng_a7() -> Readings:
    """Softmax of scaled scores, with :data:`TIES` ties and masked keys.

    Criterion: what it leaves to the losers is S / (m + S), to 1e-12, at :data:`SCALES`; minus its
    logarithm over c is the smallest gap within 1 %, at the c where c times the gap is 600. Source:
    the lemma behind propositions 1 and 2, whose rate is that of the norm of the input; the exact
    rate is the gap.

    Returns:
        ``difference``, the largest, and ``rate``, over the smallest gap, the farthest from 1 of the
        rows, by ``<seed>/<ties>``.
    """
    readings: Readings = {"difference": {}, "rate": {}}
    for seed in SEEDS:
        for n_ties in TIES:
            a, case = _scores(seed, n_ties), f"{seed}/{n_ties}"
            is_tied = a == a.amax(dim=-1, keepdim=True)
            gaps = []
            for c in SCALES:
                losing = 1 - torch.where(is_tied, (c * a).softmax(dim=-1), 0.0).sum(dim=-1)
                gaps.append((unsaturated_weight(a, c) - losing).abs().max())
            readings["difference"][case] = float(torch.stack(gaps).max())
            gap = smallest_gap(a)
            rate = -unsaturated_weight(600 * a / gap.unsqueeze(-1)).log() / 600
            readings["rate"][case] = float(rate[(rate - 1).abs().argmax()])
    return readings


def ng_a8() -> Readings:
    """Heads on one sequence of :data:`LENGTH` positions.

    Criterion: a causal mean head attends to 42.0000 positions, of which share 1 of the visible, and
    splits with probability .9880; a one-hot head has 1 and 0; ties of three have 3. The released
    mask multiplies scores by 0: a head with negative scores then attends to 41.0120 positions and
    splits with .9759, its weight being on the future, of which a right mask leaves none. Source:
    figure 3 and released code; computed.

    Returns:
        ``n``, ``split``, ``frac`` and ``leak`` by case.
    """
    visible = torch.ones(LENGTH, LENGTH, dtype=torch.bool).tril()
    generator = torch.Generator().manual_seed(SEEDS[0])
    shape = (1, 1, LENGTH, LENGTH)
    negative = -1 - torch.rand(shape, dtype=torch.float64, generator=generator)
    masked = negative.masked_fill(~visible, -torch.inf)
    three = torch.zeros(shape, dtype=torch.float64)
    three[..., [3, 40, 82]] = 1.0
    leaky = saturated_pattern(negative * visible)
    equal = torch.zeros(shape, dtype=torch.float64).masked_fill(~visible, -torch.inf)
    mean = head_statistics(saturated_pattern(equal), visible)
    everything = torch.ones_like(visible)
    counted = head_statistics(leaky, everything)
    cases = {
        "mean head": mean,
        "one-hot": head_statistics(saturated_pattern(masked), visible),
        "ties of three": head_statistics(saturated_pattern(three), everything),
        "mask that multiplies": counted._replace(leak=head_statistics(leaky, visible).leak),
    }
    return {
        "n": {case: float(x.n_mean) for case, x in cases.items()},
        "split": {case: float(cases[case].split) for case in cases if case != "ties of three"},
        "frac": {"mean head": float(mean.frac)},
        "leak": {
            "mask that multiplies": float(cases["mask that multiplies"].leak),
            "mask of -inf": float(cases["one-hot"].leak),
        },
    }


def ng_a9() -> Readings:
    """Toy networks of every placement on sentences that differ in one token.

    Criterion: logits before it do not change, to 1e-6 of the largest, and no head gives weight to a
    later position: with the network as it is (``soft``), with its parameters times 1000 (``limit``)
    and with saturated attention (``hard``). Those at it do change, as it is. Source: a right causal
    mask; the released one multiplies scores by 0, which lets positions see later ones.

    Returns:
        ``before``, the largest change, and ``at``, the least of the largest ones at each position,
        relative; ``leak``, the largest; by ``<variant>/<placement>/<seed>``.
    """
    readings: Readings = {"before": {}, "at": {}, "leak": {}}
    n_pos = TOY_TEXT[1]
    is_before = torch.ones(n_pos, n_pos, dtype=torch.bool).tril(-1)
    visible = torch.ones(n_pos, n_pos, dtype=torch.bool).tril()
    variants = {"soft": (1.0, None), "limit": (LIMIT, None), "hard": (1.0, saturated_pattern)}
    for placement in NORMS:
        networks = random_networks(placement, SEEDS, (True,))
        same = networks.tokens[:, :1].expand(-1, n_pos, -1)
        # Sentence j has another token at position j.
        others = (same + torch.eye(n_pos, dtype=torch.int64)) % TOY_TEXT[0]
        for variant, (factor, attend) in variants.items():
            full, changed = (
                networks._replace(tokens=tokens).at(factor, attend) for tokens in (same, others)
            )
            change = (full.logits - changed.logits).abs().amax(dim=-1)
            moved = change / full.logits.abs().flatten(1).amax(dim=-1)[:, None, None]
            leaks = [head_statistics(b.pattern, visible).leak for b in changed.blocks]
            found = {
                "before": moved[:, is_before].amax(dim=-1),
                "at": moved.diagonal(dim1=1, dim2=2).amin(dim=-1),
                "leak": torch.stack(leaks, dim=1).flatten(1).amax(dim=-1),
            }
            for name, values in found.items():
                for seed, value in zip(SEEDS, values.tolist(), strict=True):
                    readings[name][f"{variant}/{placement}/{seed}"] = value
    return readings
