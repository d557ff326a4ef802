"""Figures 1, 4d and 17: embeddings, from checkpoints.

Shapes: ``symbol`` - rows of an embedding; ``dim`` - its numbers.
"""

from collections.abc import Sequence
from dataclasses import replace
from itertools import permutations

import numpy as np
from jaxtyping import Float64
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from grok.claims.evidence import ArmEvidence
from grok.report.figures.base import Arm, Source, figure
from grok.report.figures.draw import say_missing
from grok.report.figures.effective_theory.panels import at_step, grouped
from grok.report.figures.effective_theory.theory import embedding_curves
from grok.runs import Run

# torch takes seconds to import, which figures of readings need not wait for: so do checkpoints

_SNAPSHOTS = ((0, "at first"), (1000, "overfit"), (20_000, "at the end"))
_CIRCLE = Arm("encoder", "effective_theory/encoder_dimension", n_steps=20_000)
_LINE = Arm(
    "addition",
    "effective_theory/addition_regression_rates",
    (
        *("--optim.embed_lr=0.001", "--optim.lr=0.0001"),
        *("--stop.when=never", "--checkpoint.every=50"),
    ),
    n_steps=4000,
)
_FEWEST = 3
"""Checkpoints that make a curve."""
_GROUP = "effective_theory/permutation_size"
_GROUP_FLAGS = ("--toy.n_train=24",)


def embedding_at(run: Run, step: int) -> Float64[np.ndarray, "symbol dim"]:
    """W_E of a checkpoint.

    Raises:
        ValueError: If there is no such checkpoint or it cannot be read.
    """
    from grok.checkpoints import checkpoint_path, load_checkpoint

    return load_checkpoint(checkpoint_path(run, step)).parameters["W_E"].double().numpy()


def stored_steps(run: Run) -> list[int]:
    """Steps of the checkpoints of a run, ascending."""
    from grok.checkpoints import checkpoint_steps

    return checkpoint_steps(run)


def draw_symbols(
    axes: Axes,
    plane: Float64[np.ndarray, "symbol 2"],
    names: Sequence[str],
    colour: str | None = None,
) -> None:
    """Symbols at their places, each by its name; coloured around a circle if no colour is given."""
    import matplotlib as mpl

    colours = 0.7 * mpl.colormaps["hsv"](np.arange(len(names)) / len(names))[:, :3]
    size = 5.5 if len(names) > 20 else 7
    axes.plot(*plane.T, ls="none")
    for place, name, each in zip(plane, names, colours, strict=True):
        shade = colour or tuple(each)
        axes.annotate(name, place, ha="center", va="center", fontsize=size, color=shade)
    axes.margins(0.12)
    axes.set_aspect("equal")
    axes.grid(visible=False)


def draw_components(
    axes: Axes, embedding: Float64[np.ndarray, "symbol dim"], names: Sequence[str], second: int = 2
) -> None:
    """Symbols in two principal components of their embedding, the first and another.

    Args:
        axes: Where.
        embedding: With two different rows at least.
        names: Of the symbols.
        second: Number of the other component, counted from 1.
    """
    import torch

    from grok.metrics.components import explained_variance, on_components

    rows = torch.from_numpy(embedding)
    plane = on_components(rows, rows, second)[:, [0, second - 1]].numpy()
    share = explained_variance(rows)
    draw_symbols(axes, plane, names)
    axes.set(xlabel=f"PC 1 ({share[0]:.0%})", ylabel=f"PC {second} ({share[second - 1]:.0%})")


def _one_run(source: Source, arm: Arm, seed: int) -> tuple[Source, ArmEvidence | None]:
    """The run of the published seed, or of the first that was asked for, and what asks for it."""
    alone = replace(source, seeds=(source.seeds or (seed,))[:1])
    return alone, alone.arm(arm)


@figure(
    name="1",
    title="The transformer's embedding: no structure when it overfits, a circle in the end",
    source="Figure 1; addition mod 59, seed 1, principal components of the rows, each standardised "
    "over its numbers; checkpoints every 1,000 steps. Published is a picture",
    size=(7.4, 3.0),
)
def circle(canvas: Figure, source: Source) -> None:
    """At first, when the training set is fitted, and at the end."""
    alone, evidence = _one_run(source, _CIRCLE, 1)
    for axes, (step, words) in zip(canvas.subplots(1, 3), _SNAPSHOTS, strict=True):
        axes.set(title=f"{words}, step {step:,}")
        if evidence is None:
            say_missing(axes)
            continue
        (run,) = evidence.runs.values()
        try:
            rows = embedding_at(run, step)
        except ValueError:
            say_missing(axes, "no checkpoint")
            if run.status()["step"] >= step:
                again = f"grok rm {run.key}; {alone.command(_CIRCLE)} --checkpoint.every=1000"
                source.lacks(f"the checkpoint of step {step:,}", again)
            continue
        rows = (rows - rows.mean(axis=1, keepdims=True)) / rows.std(axis=1, keepdims=True)
        draw_components(axes, rows, [str(k) for k in range(len(rows))])
        accuracy = at_step(source, evidence, "acc/test", step).values()
        text = "".join(f"\ntest accuracy {x:.2f}" for x in accuracy)
        axes.set(title=f"{words}, step {step:,}{text}")


@figure(
    name="4d",
    title="Embeddings of the network",
    source="Figure 4d; seed 9 in the notebooks' draw, standardised; its rates are not recorded, "
    "ours are 1e-3 and 1e-4, so the steps are others. Checkpoints every 50 steps. Published is a "
    "picture; its end is the theory's (figure 4c)",
    size=(4.4, 3.2),
)
def trajectory(canvas: Figure, source: Source) -> None:
    """One line a symbol, as the theory has it in figure 4c."""
    axes = canvas.subplots()
    alone, evidence = _one_run(source, _LINE, 9)
    if evidence is None:
        say_missing(axes)
        return
    (run,) = evidence.runs.values()
    steps = [step for step in stored_steps(run) if step <= _LINE.n_steps]
    if len(steps) < _FEWEST:
        say_missing(axes, "no checkpoints")
        if run.status()["step"] >= _LINE.n_steps:
            source.lacks("checkpoints on the way", f"grok rm {run.key}; {alone.command(_LINE)}")
        return
    rows = np.array([embedding_at(run, step)[:, 0] for step in steps])
    centred = rows - rows.mean(axis=1, keepdims=True)
    embedding_curves(axes, np.array(steps), centred / centred.std(axis=1, ddof=1, keepdims=True))


@figure(
    name="17",
    title="S3: the six matrices in their principal components",
    source="Figure 17; 24 training pairs, the seed with the largest RQI; the published picture is "
    "a hexagon in components 1 and 3",
    size=(6.0, 3.2),
)
def hexagon(canvas: Figure, source: Source) -> None:
    """Components 1 and 2, and 1 and 3."""
    panels = list(canvas.subplots(1, 2))
    (evidence,) = grouped(source, _GROUP, lambda x: x.toy.n_train, _GROUP_FLAGS).values() or (None,)
    best = _best(source, evidence) if evidence is not None else None
    if best is None:
        for axes in panels:
            say_missing(axes, "not run" if evidence is None else "no checkpoint")
        return
    run, quality = best
    names = ["".join(map(str, x)) for x in permutations(range(3))]
    for axes, second in zip(panels, (2, 3), strict=True):
        draw_components(axes, embedding_at(run, stored_steps(run)[-1]), names, second)
    canvas.suptitle(f"seed {run.config.model.init_seed}, RQI {quality:.2f}", size=8.5)


def _best(source: Source, evidence: ArmEvidence) -> tuple[Run, float] | None:
    """The run with the largest RQI at the end among those with a checkpoint there, and its RQI."""
    quality = at_step(source, evidence, "repr/rqi", evidence.n_steps)
    last = {seed: stored_steps(run)[-1:] for seed, run in evidence.runs.items()}
    kept = {seed: x for seed, x in quality.items() if last[seed] == [evidence.n_steps]}
    if lost := quality.keys() - kept.keys():
        keys = " ".join(evidence.runs[seed].key for seed in quality if seed in lost)
        what = f"checkpoints of {len(lost)} of {len(quality)} runs"
        source.lacks(what, f"grok rm {keys}; grok sweep run {_GROUP} {' '.join(_GROUP_FLAGS)}")
    if not kept:
        return None
    seed = max(kept, key=kept.__getitem__)
    return evidence.runs[seed], kept[seed]
