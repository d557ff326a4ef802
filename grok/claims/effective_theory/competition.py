"""ET-C1 to C4, C7 and C9: embeddings against decoder, in cells of the published diagrams."""

import math
from collections.abc import Iterator, Mapping

import numpy as np

from grok.claims.claim import Part, above, at_least, at_most, claim, equal, every, ordered, within
from grok.claims.effective_theory.arms import (
    BOTH,
    DIAGRAM_SEED,
    classes,
    decay,
    letters,
    rates,
    slope,
    t_acc,
)
from grok.claims.evidence import ArmEvidence, Evidence
from grok.claims.sample import Sample

Cell = tuple[float, float]

EMBED_RATES = tuple(10 ** (k / 2) for k in range(-8, -3))
DECODER_RATES = tuple(10 ** (k / 2) for k in range(-8, -4))
CELLS: dict[str, Cell] = {f"{x:.2g}/{y:.2g}": (x, y) for x in EMBED_RATES for y in DECODER_RATES}
"""Rates of embeddings and decoder, by name."""


def _letter(arm: ArmEvidence) -> str:
    (letter,) = letters(arm).values()
    return letter


def _share_of(letter: str, holds: bool) -> float:
    """1 or 0; NaN where the phase is not known, so that no such cell counts for a claim."""
    return math.nan if letter == "U" else float(holds)


def _published(cell: Cell, is_tolerant: bool) -> set[str]:
    """Letters of figure 6a at a cell, and at its four neighbours if a grid step is tolerated."""
    from grok.claims.effective_theory.published import published_table
    from grok.metrics.learning_phases import Phase, learning_phase

    panel = published_table("fig6a")
    phases = learning_phase(panel.T_tr, panel.T_va)
    row, column = (
        int(np.abs(np.log(np.asarray(axis) / x)).argmin())
        for axis, x in zip((panel.rows, panel.columns), cell, strict=True)
    )
    steps = [(0, 0), (1, 0), (-1, 0), (0, 1), (0, -1)] if is_tolerant else [(0, 0)]
    near = [(row + i, column + j) for i, j in steps]
    n_rows, n_columns = phases.shape
    return {
        Phase(int(phases[i, j])).letter for i, j in near if 0 <= i < n_rows and 0 <= j < n_columns
    }


@claim(
    id="ET-C1",
    tier="S",
    seeds=DIAGRAM_SEED,
    statement="A network generalises where its embeddings learn fast enough for its decoder",
    source="section 4.1, figure 6a; released arrays",
    published="from a ratio of 3.2 to 5.6 of the rates on",
    arms={name: rates(*cell) for name, cell in CELLS.items()},
)
def competition(e: Evidence) -> Iterator[Part]:
    """ET-C1; between ratios 1 and 20 a neighbour on the published grid will do."""
    found = {name: _letter(e[name]) for name in CELLS}
    ratio = {name: embed / decoder for name, (embed, decoder) in CELLS.items()}

    def of(names: list[str]) -> Sample:
        return Sample({name: _share_of(found[name], found[name] in "CG") for name in names})

    high = [name for name in CELLS if ratio[name] >= 20]
    low = [name for name in CELLS if ratio[name] <= 1 + 1e-9]
    yield equal("generalises, ratio 20 and more", of(high), 1)
    yield equal("generalises, ratio 1 and less", of(low), 0)
    agree = {
        name: _share_of(found[name], found[name] in _published(cell, name not in high + low))
        for name, cell in CELLS.items()
    }
    part = at_least("cells that agree with the map", sum(agree.values()) / len(agree), 0.85)
    yield part._replace(seeds=agree)


SLOW_TO_FAST = tuple(10 ** (k / 4) for k in range(-18, -11))


@claim(
    id="ET-C2",
    tier="S",
    seeds=DIAGRAM_SEED,
    statement="With fast embeddings the time to generalise is inverse in the decoder's rate",
    source="figure 6a; released arrays",
    published="slope -0.96 to -0.84",
    arms={f"{lr:.2g}": rates(1e-2, lr) for lr in SLOW_TO_FAST},
)
def inverse(e: Evidence) -> Iterator[Part]:
    """ET-C2."""
    t = {name: t_acc(arm, "test") for name, arm in e.arms.items()}
    found = slope(np.array(SLOW_TO_FAST), np.array([x.median for x in t.values()]))
    part = within("slope of ln step against ln rate", found, -1.2, -0.7)
    yield part._replace(seeds={name: x.median for name, x in t.items()})


def _slower(t: Mapping[str, Sample]) -> Iterator[Part]:
    yield ordered("step of test accuracy 0.9", t)
    first, *_, last = (sample.median for sample in t.values())
    yield above("the last over the first", last / first, 2)


@claim(
    id="ET-C3a",
    tier="S",
    seeds=DIAGRAM_SEED,
    statement="Weight decay of the decoder slows the addition model (regression)",
    source="figure 6b; released arrays",
    published="2,076; 2,571; 3,906; 9,455",
    arms={f"decay {x:g}": decay(x, 1e-4, 20_000) for x in (0.0, 2.0, 4.0, 6.0)},
)
def slower_regression(e: Evidence) -> Iterator[Part]:
    """ET-C3, regression."""
    yield from _slower({name: t_acc(arm, "test") for name, arm in e.arms.items()})


@claim(
    id="ET-C3b",
    tier="S",
    seeds=(6,),
    statement="Weight decay of the decoder slows the addition model (classification)",
    source="figure 6c; released arrays",
    published="1,307; 2,244; 10,334",
    arms={f"decay {x:g}": classes(x, 1e-4, 20_000) for x in (0.0, 4.0, 8.0)},
)
def slower_classification(e: Evidence) -> Iterator[Part]:
    """ET-C3, classification, on the seed to which the notebook is set."""
    yield from _slower({name: t_acc(arm, "test") for name, arm in e.arms.items()})


SIX = tuple(10 ** (k / 5) for k in range(-20, -14))


@claim(
    id="ET-C4",
    tier="S",
    seeds=BOTH,
    statement="Classification generalises at a larger rate of the decoder than regression",
    source="figure 6b, c; released arrays",
    published="6.3e-4 against 2.5e-4",
    arms={
        f"{kind} {lr:.2g}": make(0.0, lr)
        for kind, make in (("regression", decay), ("classification", classes))
        for lr in SIX
    },
)
def tolerance(e: Evidence) -> Iterator[Part]:
    """ET-C4; of a seed that generalises at none the least rate counts, which favours neither."""
    largest = {}
    for kind in ("regression", "classification"):
        t = {lr: t_acc(e[f"{kind} {lr:.2g}"], "test").values for lr in SIX}
        seeds = next(iter(t.values()))
        largest[kind] = Sample({s: _largest({lr: t[lr][s] for lr in SIX}) for s in seeds})
    ratio = largest["classification"].median / largest["regression"].median
    yield at_least("ratio of the largest rates that generalise", ratio, 2)
    for kind, sample in largest.items():
        yield Part(f"largest rate, {kind}", sample.text(), "", None, dict(sample.values))


def _largest(t: Mapping[float, float]) -> float:
    """Largest rate at which a seed generalises; NaN if that is not known at one of them."""
    if any(math.isnan(step) for step in t.values()):
        return math.nan
    return max((lr for lr, step in t.items() if math.isfinite(step)), default=SIX[0])


@claim(
    id="ET-C7",
    tier="S",
    seeds=DIAGRAM_SEED,
    statement="Representation quality tells generalising cells from memorizing ones",
    source="released arrays",
    published="mean 0.99 and 1.0 against 0.50",
    arms={name: rates(*cell) for name, cell in CELLS.items()},
)
def quality(e: Evidence) -> Iterator[Part]:
    """ET-C7, at the end of the budget."""
    found: dict[str, dict[str, float]] = {"CG": {}, "M": {}}
    for name in CELLS:
        letter = _letter(e[name])
        for kind, values in found.items():
            if letter == "U":  # it may belong to either
                values[name] = math.nan
            elif letter in kind:
                values[name] = e[name].last("repr/rqi").median
    for what, kind, bound in (("generalising", "CG", at_least), ("memorizing", "M", at_most)):
        sample = Sample(found[kind] or {"none": math.nan})
        yield bound(f"final RQI, {what} cells", sample, 0.95 if kind == "CG" else 0.7)


MAP_RATES = tuple(10 ** (k / 5) for k in range(-20, -9, 2))


@claim(
    id="ET-C9",
    tier="S",
    seeds=DIAGRAM_SEED,
    statement="Without decay fast decoders memorize; a fast decayed one is confused",
    source="figure 6b; released arrays",
    published="CCMMMM; X at 1e-2, decay 6; 3,984 and 9,455 at 1e-4, decay 6",
    arms={f"{lr:.2g}, decay {x:g}": decay(x, lr) for x in (0.0, 3.0, 6.0) for lr in MAP_RATES},
)
def shape(e: Evidence) -> Iterator[Part]:
    """ET-C9."""
    row = "".join(_letter(e[f"{lr:.2g}, decay 0"]) for lr in MAP_RATES)
    kinds = "".join("m" if letter == "M" else "g" if letter in "CG" else "?" for letter in row)
    is_one_change = kinds.rstrip("m").strip("g") == "" and {"g", "m"} == set(kinds)
    yield Part("row of decay 0", row, "C or G, then M", is_one_change)
    corner = _letter(e[f"{MAP_RATES[-1]:.2g}, decay 6"])
    yield Part("rate 1e-2, decay 6", corner, "X", corner == "X")
    slow = e[f"{MAP_RATES[0]:.2g}, decay 6"]
    train, test = t_acc(slow, "train").median, t_acc(slow, "test").median
    yield above("rate 1e-4, decay 6: steps of test over train", _ratio(test, train), 2)
    yield every("rate 1e-4, decay 6: step of test", t_acc(slow, "test"), "reached", math.isfinite)


def _ratio(test: float, train: float) -> float:
    """Of steps that were reached; NaN otherwise."""
    return test / train if math.isfinite(test) and math.isfinite(train) else math.nan
