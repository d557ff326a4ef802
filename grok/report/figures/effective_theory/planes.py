"""Figure 2: embeddings of two dimensions, and what the decoder makes of every point.

Shapes: ``point`` - points of the plane.
"""

import numpy as np
from jaxtyping import Float64, Int64
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from grok.config import parse_run, run_key
from grok.report.figures.base import Source, figure
from grok.report.figures.draw import say_missing
from grok.report.figures.effective_theory.published import PLANE_ACCURACY
from grok.report.figures.effective_theory.weights import draw_symbols, embedding_at, stored_steps
from grok.runs import Run

_PLANES = {
    "plane_addition": "addition, ordered",
    "plane_addition_memorized": "addition, memorized",
    "plane_modular_memorized": "addition mod 11, memorized",
}
_RESOLUTION = 160
"""Points of the plane along a side."""


@figure(
    name="2",
    title="Embeddings in a plane, and what the decoder makes of it",
    source="Figure 2; three of its four runs, the settings of the circle are not recorded; "
    "published are pictures, and the test accuracies of the memorized ones",
    size=(7.4, 3.2),
)
def planes(canvas: Figure, source: Source) -> None:
    """The class of every midpoint as a shade, symbols over it."""
    for axes, (name, title) in zip(canvas.subplots(1, 3), _PLANES.items(), strict=True):
        axes.set(title=title)
        run = _run_of(source, name)
        steps = stored_steps(run)
        if not steps:
            say_missing(axes)
            continue
        plane = embedding_at(run, steps[-1])
        draw_symbols(axes, plane, [str(k) for k in range(len(plane))], "black")
        _draw_classes(axes, run, steps[-1])
        axes.set(title=f"{title}\n{_accuracy(source, run, name)}")
        axes.set(xlabel="first number", ylabel="second number")


def _run_of(source: Source, name: str) -> Run:
    """The run of an experiment, stored or not; notes it as missing unless it is whole."""
    config = parse_run(f"effective_theory/{name}", [])
    run = Run(source.runs_dir / run_key(config))
    if stored_steps(run)[-1:] != [config.n_steps]:
        again = " --retrain" if run.status()["step"] >= config.n_steps else ""
        what = f"{name}: a run of {config.n_steps:,} steps with its last checkpoint"
        source.lacks(what, f"grok train effective_theory/{name}{again}")
    return run


def _accuracy(source: Source, run: Run, name: str) -> str:
    """The last test accuracy that was read, and the published one."""
    try:
        read = f"test accuracy {run.series('acc/test')[1][-1]:.2f}"
    except ValueError as error:
        source.lacks(f"{name}: acc/test", str(error))
        read = "test accuracy not read"
    theirs = PLANE_ACCURACY.get(name)
    return read if theirs is None else f"{read}, published {theirs:.2f}"


def _draw_classes(axes: Axes, run: Run, step: int) -> None:
    """The class that the decoder gives to each point of the plane, with borders."""
    (left, right), (low, high) = axes.get_xlim(), axes.get_ylim()
    sides = np.linspace(left, right, _RESOLUTION), np.linspace(low, high, _RESOLUTION)
    x, y = np.meshgrid(*sides)
    found = classes(run, step, np.stack([x.ravel(), y.ravel()], axis=-1)).reshape(x.shape)
    axes.pcolormesh(x, y, found, cmap="viridis", alpha=0.35, rasterized=True, zorder=0)
    borders = np.arange(found.min() + 0.5, found.max())
    if borders.size:
        axes.contour(x, y, found, borders, colors="white", linewidths=0.5)
    axes.set(xlim=(left, right), ylim=(low, high))


def classes(run: Run, step: int, at: Float64[np.ndarray, "point 2"]) -> Int64[np.ndarray, " point"]:
    """The class that the decoder of a checkpoint gives to points: its largest output, in float64.

    Raises:
        ValueError: If there is no such checkpoint or it cannot be read.
    """
    import torch

    from grok.checkpoints import checkpoint_path, load_checkpoint
    from grok.models.toy import ToyNetwork

    config = run.config
    parameters = load_checkpoint(checkpoint_path(run, step)).parameters
    network = ToyNetwork(config.toy, config.toy.outputs(config.optim.loss))
    stacked = {name: x.double()[None] for name, x in parameters.items()}
    with torch.no_grad():
        outputs = network.decode(stacked, torch.from_numpy(at)[None])
    return outputs[0].argmax(dim=-1).numpy()
