"""Figures 1, 2, 4d and 17: embeddings, from checkpoints."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from grok.config import RunConfig, parse_run, run_key
from grok.report.figures.base import Arm, Source, figure
from grok.report.figures.draw import say_missing
from grok.report.figures.effective_theory.panels import at_step, grouped
from grok.report.figures.effective_theory.theory import embedding_curves
from grok.runs import Run

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
_GROUP = "effective_theory/permutation_size"
_GROUP_FLAGS = ("--toy.n_train=24",)
_PLANES = {
    "plane_addition": "addition, ordered",
    "plane_addition_memorized": "addition, memorized",
    "plane_modular_memorized": "addition mod 11, memorized",
}


def embedding_at(run: Run, step: int) -> np.ndarray:
    """W_E of a checkpoint, a row for each symbol, float64.

    Raises:
        ValueError: If there is no such checkpoint or it cannot be read.
    """
    from grok.checkpoints import checkpoint_path, load_checkpoint

    return load_checkpoint(checkpoint_path(run, step)).parameters["W_E"].double().numpy()


def stored_steps(run: Run) -> list[int]:
    """Steps of the checkpoints of a run, ascending."""
    from grok.checkpoints import checkpoint_steps

    return checkpoint_steps(run)


def components(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows in their principal components, and the share of variance of each.

    The sign of a component is that in which its largest entry is positive.
    """
    centred = rows - rows.mean(axis=0)
    left, scale, _ = np.linalg.svd(centred, full_matrices=False)
    largest = np.abs(left).argmax(axis=0)
    signs = np.sign(left[largest, range(left.shape[1])])
    total = (scale**2).sum()
    return left * scale * signs, scale**2 / (total or 1)


def draw_symbols(axes: Axes, plane: np.ndarray, names: Sequence[str], colour: str = "") -> None:
    """Symbols in a plane, each by its name; coloured around a circle if no colour is given."""
    import matplotlib as mpl

    colours = mpl.colormaps["hsv"](np.arange(len(names)) / len(names))
    axes.plot(*plane.T, ".", ms=0.1, color="white")
    for place, name, each in zip(plane, names, colours, strict=True):
        shade = colour or tuple(0.7 * each[:3])
        axes.annotate(
            name,
            place,
            ha="center",
            va="center",
            fontsize=5.5 if len(names) > 20 else 7,
            color=shade,
        )
    axes.margins(0.08)
    axes.set_aspect("equal", adjustable="datalim")
    axes.grid(visible=False)


@figure(
    name="1",
    title="The transformer's embedding: no structure when it overfits, a circle in the end",
    source="Figure 1; addition mod 59, seed 1, principal components of the rows, each standardised "
    "over its numbers; checkpoints every 1,000 steps. Published is a picture",
    size=(7.4, 3.0),
)
def circle(canvas: Figure, source: Source) -> None:
    """At first, when the training set is fitted, and at the end."""
    axes = canvas.subplots(1, 3)
    alone = replace(source, seeds=(source.seeds or (1,))[:1])
    evidence = alone.arm(_CIRCLE)
    for each, (step, words) in zip(axes, _SNAPSHOTS, strict=True):
        each.set(title=f"{words}, step {step:,}")
        if evidence is None:
            say_missing(each)
            continue
        (run,) = evidence.runs.values()
        try:
            rows = embedding_at(run, step)
        except ValueError:
            say_missing(each, "no checkpoint")
            again = f"grok rm {run.key}; {alone.command(_CIRCLE)} --checkpoint.every=1000"
            source.lacks(f"the checkpoint of step {step:,}", again)
            continue
        rows = (rows - rows.mean(axis=1, keepdims=True)) / rows.std(axis=1, keepdims=True)
        plane, share = components(rows)
        draw_symbols(each, plane[:, :2], [str(k) for k in range(len(rows))])
        found = at_step(source, evidence, "acc/test", step)
        accuracy = "".join(f"\ntest accuracy {x:.2f}" for x in found.values())
        each.set(title=f"{words}, step {step:,}{accuracy}")
        each.set(xlabel=f"PC 1 ({share[0]:.0%})", ylabel=f"PC 2 ({share[1]:.0%})")


@figure(
    name="2",
    title="Embeddings in a plane, and what the decoder makes of it",
    source="Figure 2; three of its four runs, the circle's settings are not recorded; published "
    "are pictures and test accuracies 0.06 and 0.08 of the memorized ones",
    size=(7.4, 3.0),
)
def planes(canvas: Figure, source: Source) -> None:
    """The class of every midpoint as a shade, symbols over it."""
    for axes, (name, title) in zip(canvas.subplots(1, 3), _PLANES.items(), strict=True):
        axes.set(title=title)
        config = parse_run(f"effective_theory/{name}", [])
        run = Run(source.runs_dir / run_key(config))
        steps = stored_steps(run)
        if not steps or steps[-1] < config.n_steps:
            what = f"{name}: a run of {config.n_steps:,} steps"
            source.lacks(what, f"grok train effective_theory/{name}")
        if not steps:
            say_missing(axes)
            continue
        plane = embedding_at(run, steps[-1])
        draw_symbols(axes, plane, [str(k) for k in range(len(plane))], "black")
        _draw_classes(axes, run, config, steps[-1])
        axes.set(xlabel="first number", ylabel="second number")


def _draw_classes(axes: Axes, run: Run, config: RunConfig, step: int) -> None:
    """The class that the decoder gives to each point of the plane, with borders."""
    axes.apply_aspect()
    (left, right), (low, high) = axes.get_xlim(), axes.get_ylim()
    x, y = np.meshgrid(np.linspace(left, right, 160), np.linspace(low, high, 160))
    classes = _classes(run, config, step, np.stack([x.ravel(), y.ravel()], axis=-1))
    found = classes.reshape(x.shape)
    axes.pcolormesh(x, y, found, cmap="viridis", alpha=0.35, rasterized=True, zorder=0)
    axes.contour(x, y, found, np.arange(0.5, classes.max()), colors="white", linewidths=0.5)
    axes.set_aspect("equal", adjustable="box")
    axes.set(xlim=(left, right), ylim=(low, high))


def _classes(run: Run, config: RunConfig, step: int, at: np.ndarray) -> np.ndarray:
    """Largest output of the decoder at each point."""
    import torch

    from grok.checkpoints import checkpoint_path, load_checkpoint
    from grok.models.toy import ToyNetwork

    parameters = load_checkpoint(checkpoint_path(run, step)).parameters
    network = ToyNetwork(config.toy, config.toy.outputs(config.optim.loss))
    stacked = {name: x.double()[None] for name, x in parameters.items()}
    with torch.no_grad():
        outputs = network.decode(stacked, torch.from_numpy(at)[None])
    return outputs[0].argmax(dim=-1).numpy()


@figure(
    name="4d",
    title="Embeddings of the network",
    source="Figure 4d; seed 9 in the notebooks' draw, standardised; its rates are not recorded, "
    "ours are 1e-3 and 1e-4, so the steps are others. Checkpoints every 50 steps",
    size=(4.4, 3.2),
)
def trajectory(canvas: Figure, source: Source) -> None:
    """One line a symbol, as the theory has it in figure 4c."""
    axes = canvas.subplots()
    alone = replace(source, seeds=(source.seeds or (9,))[:1])
    evidence = alone.arm(_LINE)
    runs = list(evidence.runs.values()) if evidence is not None else []
    steps = [step for run in runs for step in stored_steps(run) if step <= _LINE.n_steps]
    if runs and len(steps) < 3:
        again = f"grok rm {runs[0].key}; {alone.command(_LINE)}"
        source.lacks("checkpoints on the way", again)
    if len(steps) < 3:
        say_missing(axes, "no checkpoints" if runs else "not run")
        return
    rows = np.array([embedding_at(runs[0], step)[:, 0] for step in steps])
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
    from itertools import permutations

    axes = canvas.subplots(1, 2)
    (evidence,) = grouped(source, _GROUP, lambda x: x.toy.n_train, _GROUP_FLAGS).values() or (None,)
    if evidence is None:
        for each in axes:
            say_missing(each)
        return
    quality = at_step(source, evidence, "repr/rqi", evidence.n_steps)
    stored = {s: q for s, q in quality.items() if stored_steps(evidence.runs[s])}
    if not stored:
        for each in axes:
            say_missing(each, "no checkpoint")
        keys = " ".join(run.key for run in evidence.runs.values())
        words = ["grok sweep run", _GROUP, *_GROUP_FLAGS]
        source.lacks("checkpoints", f"grok rm {keys}; {' '.join(words)}")
        return
    run = evidence.runs[max(stored, key=stored.__getitem__)]
    plane, share = components(embedding_at(run, stored_steps(run)[-1]))
    names = ["".join(map(str, x)) for x in permutations(range(3))]
    for each, k in zip(axes, (1, 2), strict=True):
        draw_symbols(each, plane[:, [0, k]], names)
        each.set(xlabel=f"PC 1 ({share[0]:.0%})", ylabel=f"PC {k + 1} ({share[k]:.0%})")
    canvas.suptitle(f"seed {run.config.model.init_seed}, RQI {max(stored.values()):.2f}", size=8.5)
