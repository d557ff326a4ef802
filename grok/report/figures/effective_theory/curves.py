"""Figures 7a, 7b, 8a, 12 and 20: transformer, images and four symbols, from readings."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from grok.claims.effective_theory.images import SIXTY
from grok.claims.evidence import ArmEvidence
from grok.report.figures.base import Arm, Source, figure
from grok.report.figures.draw import (
    draw_seeds,
    legend_below,
    log_steps,
    mark_published,
    say_missing,
    style_of,
)
from grok.report.figures.effective_theory.panels import (
    MARKERS,
    at_step,
    first_step,
    grouped,
    passages,
)
from grok.report.figures.effective_theory.published import replicated_steps

_N_PARALLELOGRAMS = 3
_SHADES = ("#DEEBF7", "#9ECAE1", "#4292C6", "#08519C")
"""Of no parallelogram to all three."""
_MNIST = "needs the files of MNIST in $GROK_DATA/mnist"


@figure(
    name="7a",
    title="Effective dimension of the transformer's embedding",
    source="Figure 7, left; 100 seeds, addition mod 59; published is a picture without numbers: "
    "exp(S) rises until the run generalises, then falls",
    size=(4.6, 4.2),
)
def dimension(canvas: Figure, source: Source) -> None:
    """exp(S) of every seed, and the accuracy below it."""
    top, bottom = canvas.subplots(2, 1, sharex=True)
    evidence = source.arm(Arm("encoder", "effective_theory/encoder_dimension", (), 20_000))
    bottom.set(xlabel="step", ylabel="accuracy")
    top.set(ylabel="effective dimension exp(S)")
    if evidence is None:
        say_missing(top)
        say_missing(bottom)
        return
    draw_seeds(top, evidence, "repr/effective_dim", 2, "mean of the seeds", source)
    draw_seeds(bottom, evidence, "acc/train", 1, "training", source)
    draw_seeds(bottom, evidence, "acc/test", 0, "test", source)
    bottom.set(ylim=(-0.03, 1.05))
    for axes in (top, bottom):
        axes.legend()


@figure(
    name="7b",
    title="Steps to accuracy 0.99 by dropout, transformer",
    source="Figure 7, centre; 3 seeds, addition mod 59; published is a picture without numbers: "
    "with strong dropout both come within 1,000 steps (dotted)",
    size=(4.4, 3.0),
)
def dropout(canvas: Figure, source: Source) -> None:
    """Of training and test, each seed and their median."""
    axes = canvas.subplots()
    runs = grouped(source, "effective_theory/encoder_dropout", lambda x: x.toy.dropout)
    if not runs:
        say_missing(axes)
        return
    axes.set(xlabel="dropout", ylabel="step of accuracy 0.99", yscale="log")
    for at, split in ((1, "train"), (0, "test")):
        found = {x: first_step(source, e, f"acc/{split}", 0.99) for x, e in runs.items()}
        label = "training" if split == "train" else "test"
        draw_medians(axes, found, at, label)
    axes.axhline(1000, color="#7F7F7F", ls=":", lw=0.8)
    legend_below(canvas, [axes], 2)


def draw_medians(axes: Axes, found: dict[float, list[float]], at: int, label: str) -> None:
    """Each run a point, never at the top; medians joined where they are finite."""
    x = [value for value, steps in found.items() for _ in steps]
    passages(axes, x, [step for steps in found.values() for step in steps], at, label="_")
    middle = [float(np.median(steps)) if steps else np.nan for steps in found.values()]
    finite = np.where(np.isfinite(middle), middle, np.nan)
    axes.plot(
        list(found), finite, marker=MARKERS[at % len(MARKERS)], ms=4, label=label, **style_of(at)
    )


@figure(
    name="8a",
    title="Accuracy on MNIST by weight decay",
    source=f"Figure 8a; {_MNIST}; 4 seeds, the first 1,000 images; published: steps of accuracy "
    "60 % of the replication (Shabalin et al. 2022), whose last layer has rate 4.6e-4 in place "
    "of 1e-3",
    size=(7.2, 3.2),
)
def images(canvas: Figure, source: Source) -> None:
    """Training and test."""
    axes = list(canvas.subplots(1, 2, sharey=True))
    decays = grouped(source, "effective_theory/mnist_decay", lambda x: x.optim.weight_decay)
    for column, (each, split) in enumerate(zip(axes, ("train", "test"), strict=True)):
        each.set(title={"train": "training", "test": "test"}[split], ylim=(0, 1.05))
        for at, (decay, evidence) in enumerate(decays.items()):
            draw_seeds(each, evidence, f"acc/{split}", at, f"decay {decay:g}", source)
            theirs = replicated_steps(decay)
            if theirs is not None:
                mark_published(each, [theirs[column]], [SIXTY], f"replication, {decay:g}", at)
        log_steps(each)
        each.axhline(SIXTY, color="#7F7F7F", ls=":", lw=0.8)
        if not decays:
            say_missing(each)
    axes[0].set(ylabel="accuracy" if decays else "")
    legend_below(canvas, axes, 4)


@figure(
    name="12",
    title="Parallelograms of four symbols that are closed, by learning rates",
    source="Figure 12, appendix E; step 5,000, 10 seeds; published is that embeddings at 1e-2 "
    "with a decoder at 1e-3 close more than the other way round",
    size=(4.8, 3.0),
)
def four_symbols(canvas: Figure, source: Source) -> None:
    """Seeds by the number that they close, which stands in each part of a bar."""
    axes = canvas.subplots()
    runs = grouped(
        source, "effective_theory/addition_four_rates", lambda x: (x.optim.embed_lr, x.optim.lr)
    )
    if not runs:
        say_missing(axes)
        return
    for x, evidence in enumerate(runs.values()):
        closed, below = _closed(source, evidence), 0
        for k in range(_N_PARALLELOGRAMS + 1):
            height = closed.count(k)
            axes.bar(x, height, bottom=below, color=_SHADES[k], edgecolor="white", width=0.7)
            if height:
                colour = "white" if k > 1 else "black"
                axes.text(x, below + height / 2, str(k), ha="center", va="center", color=colour)
            below += height
    names = [f"emb. {embed:g}\ndec. {lr:g}" for embed, lr in runs]
    axes.set_xticks(range(len(names)), names)
    axes.set(
        xlabel="learning rates of embeddings and decoder", ylabel="seeds, by closed parallelograms"
    )
    axes.grid(visible=False)


def _closed(source: Source, evidence: ArmEvidence) -> list[int]:
    found = at_step(source, evidence, "repr/rqi", evidence.n_steps)
    return [round(_N_PARALLELOGRAMS * x) for x in found.values()]


@figure(
    name="20",
    title="Steps to accuracy 60 % on MNIST by number of training images",
    source=f"Figure 20; {_MNIST}; 3 seeds, medians; batches of 128 in place of 200; published is "
    "a picture without numbers: with few images the time grows sharply",
    size=(7.2, 3.6),
)
def image_count(canvas: Figure, source: Source) -> None:
    """Training and test, a line for each decay."""
    axes = list(canvas.subplots(1, 2, sharey=True))
    runs = grouped(
        source,
        "effective_theory/mnist_size",
        lambda x: (x.optim.weight_decay, x.images.n_train),
    )
    for each, split in zip(axes, ("train", "test"), strict=True):
        each.set(title={"train": "training", "test": "test"}[split])
        if not runs:
            say_missing(each)
            continue
        each.set(xscale="log", yscale="log", xlabel="training images")
        for at, decay in enumerate(sorted({decay for decay, _ in runs})):
            found = {
                float(n): first_step(source, evidence, f"acc/{split}", SIXTY)
                for (of, n), evidence in runs.items()
                if of == decay
            }
            draw_medians(each, found, at, f"decay {decay:.2g}")
    axes[0].set(ylabel="step of accuracy 0.6" if runs else "")
    legend_below(canvas, axes, 5)
