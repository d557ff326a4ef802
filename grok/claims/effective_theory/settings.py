"""ET-C8, C10 and C11: activation, initial scale and batch size."""

import math
from collections.abc import Iterator

from grok.claims.claim import Part, above, at_least, claim, equal, every, shown
from grok.claims.effective_theory.arms import BUDGET, WHOLE, n_reached, rates, script, t_acc
from grok.claims.evidence import Evidence

ORDER = (58, 9, 25)
"""Seeds that the authors looked at, in the notebooks' draw."""

EIGHT = WHOLE[:8]


@claim(
    id="ET-C8",
    tier="S",
    seeds=ORDER,
    statement="The addition model needs tanh: with ReLU it memorizes",
    source="released code; Shabalin et al. 2022",
    published="2,076 steps with tanh; never with ReLU",
    arms={act: rates(1e-3, 1e-4, BUDGET, f"--toy.act={act}") for act in ("tanh", "relu")},
)
def activation(e: Evidence) -> Iterator[Part]:
    """ET-C8."""
    yield every("tanh: step of test", t_acc(e["tanh"], "test"), "< 5,000", lambda t: t < 5000)
    yield every("relu: step of train", t_acc(e["relu"], "train"), "reached", math.isfinite)
    yield every("relu: step of test", t_acc(e["relu"], "test"), "never", math.isinf)
    yield equal("relu: training accuracy at the end", e["relu"].last("acc/train"), 1)


@claim(
    id="ET-C10",
    tier="S",
    seeds=EIGHT,
    statement="Small initial embeddings generalise at least as often as large ones",
    source="figure 14",
    published="a map",
    arms={
        f"scale {s}": script(BUDGET, "--optim.lr=0.0003", f"--toy.embed_scale={s}")
        for s in (0.1, 3.0)
    },
)
def scale(e: Evidence) -> Iterator[Part]:
    """ET-C10."""
    n = {name: n_reached(t_acc(arm, "test")) for name, arm in e.arms.items()}
    yield at_least(
        "seeds that generalise at 0.1, less those at 3", n["scale 0.1"] - n["scale 3.0"], 0
    )
    for name, arm in e.arms.items():
        yield shown(f"{name}: step of test", t_acc(arm, "test"))


@claim(
    id="ET-C11",
    tier="S",
    seeds=EIGHT,
    statement="Small batches are later to generalise",
    source="figure 13",
    published="a map",
    arms={f"batch {n}": script(BUDGET, f"--toy.batch_size={n}") for n in (5, 45)},
)
def batches(e: Evidence) -> Iterator[Part]:
    """ET-C11."""
    small, full = (t_acc(e[f"batch {n}"], "test") for n in (5, 45))
    yield above("median step, batch 5 less batch 45", small.median - full.median, 0)
    yield shown("batch 5: step of test", small)
    yield shown("batch 45: step of test", full)
