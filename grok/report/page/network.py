"""Plots of a run's last checkpoint: its embedding, and what its heads attend to."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from grok.checkpoints import checkpoint_steps
from grok.report.page.plot import Plot, Trace, heat, packed
from grok.report.snapshot import stored_snapshot
from grok.runs import Run

if TYPE_CHECKING:
    from grok.measures import Snapshot

MOST_CIRCLES = 6
"""Key frequencies whose circles are shown."""
MOST_HEADS = 8
"""Heads whose attention is shown, all layers together."""
_LABELLED = 24
"""Symbols up to which each point of an embedding has its name beside it."""


def network_plots(run: Run, frequencies: Sequence[int]) -> tuple[list[Plot], list[Plot]]:
    """Of the embedding, and of attention; both empty if no checkpoint is stored.

    Args:
        run: The run.
        frequencies: Key frequencies of its embedding.

    Raises:
        ValueError: If the checkpoint cannot be read; one line.
    """
    steps = checkpoint_steps(run)
    if not steps or run.config.problem not in ("pairs", "toy"):
        return [], []
    snapshot = stored_snapshot(run, steps[-1])
    W_E = _embedding(run, snapshot)
    if W_E is None:
        return [], []
    circles = [_circle(W_E, k, steps[-1]) for k in list(frequencies)[:MOST_CIRCLES]]
    components = _components(W_E, steps[-1])
    embedding = [*circles, *([components] if components else [])]
    return embedding, _attention(run, snapshot) if snapshot.has("scores") else []


def _embedding(run: Run, snapshot: "Snapshot") -> np.ndarray | None:
    """W_E of the symbols, ``[symbol, d_model]`` in float64; None where it is not flat."""
    if run.config.problem == "toy":
        W_E = snapshot.symbols.W_E[0] if snapshot.has("symbols") else None
    else:
        W_E = snapshot.embedding[0] if snapshot.has("embedding") else None
    return None if W_E is None or W_E.ndim != 2 else W_E.double().numpy()


def _circle(W_E: np.ndarray, k: int, step: int) -> Plot:
    """The embedding in the plane of one frequency: a circle where it is a circle's."""
    p = len(W_E)
    angle = 2 * np.pi * k * np.arange(p) / p
    plane = np.stack([np.cos(angle), np.sin(angle)]) @ W_E  # directions of cos and sin
    plane /= np.linalg.norm(plane, axis=1, keepdims=True)
    plane[1] -= (plane[1] @ plane[0]) * plane[0]
    plane[1] /= max(np.linalg.norm(plane[1]), 1e-30)
    x, y = plane @ (W_E - W_E.mean(axis=0)).T
    order = np.argsort(angle % (2 * np.pi), kind="stable")
    data = [_points(x, y, order)]
    note = (
        f"<p>W_E at step {step:,} along its cosine and sine part of frequency {k}. Numbers that "
        f"follow each other on the circle are joined.</p>"
    )
    title = f"Embedding in the plane of frequency {k}"
    return Plot(f"circle-{k}", title, data, _square("cos part", "sin part"), note)


def _points(x: np.ndarray, y: np.ndarray, order: np.ndarray | None = None) -> Trace:
    """The symbols in a plane, coloured by number, joined in an order if there is one."""
    order = np.arange(len(x)) if order is None else order
    names = [str(a) for a in order]
    is_named = len(x) <= _LABELLED
    mode = "lines+markers+text" if is_named else "lines+markers"
    trace = {"type": "scatter", "mode": mode, "x": packed(x[order]), "y": packed(y[order])}
    trace |= {"text": names, "textposition": "top center", "showlegend": False}
    trace |= {"line": {"width": 0.6, "color": "#9AA0A6"}}
    trace |= {"marker": {"size": 7, "color": packed(order), "colorscale": "Viridis"}}
    # dark marks show on a dark page, and names at the rim are not cut off
    trace["marker"]["line"] = {"width": 0.7, "color": "#9AA0A6"}
    trace["cliponaxis"] = False
    return trace | {"hovertemplate": "%{text}: (%{x:.3g}, %{y:.3g})<extra></extra>"}


def _components(W_E: np.ndarray, step: int) -> Plot | None:
    """The embedding in its first two principal components."""
    if min(W_E.shape) < 2 or not np.isfinite(W_E).all():
        return None
    centred = W_E - W_E.mean(axis=0)
    _, s, Vh = np.linalg.svd(centred, full_matrices=False)
    share = s**2 / max(float((s**2).sum()), 1e-30)
    x, y = Vh[:2] @ centred.T
    layout = _square(f"PC 1 ({share[0]:.1%})", f"PC 2 ({share[1]:.1%})")
    note = f"<p>W_E at step {step:,}, centred; the share of its variance is in brackets.</p>"
    data = [_points(x, y) | {"mode": "markers+text" if len(x) <= _LABELLED else "markers"}]
    return Plot("components", "Embedding in its principal components", data, layout, note)


def _square(x: str, y: str) -> dict[str, object]:
    return {"xaxis": {"title": {"text": x}}, "yaxis": {"title": {"text": y}, "scaleanchor": "x"}}


def _attention(run: Run, snapshot: "Snapshot") -> list[Plot]:
    """What `=` attends to: for each head the weight on a, over all pairs (a, b)."""
    if run.config.problem != "pairs":
        return []
    plots = []
    for layer, scores in enumerate(snapshot.scores):
        pattern = scores[0, :, :, -1].double().softmax(dim=-1)  # pair head key
        n = round(len(pattern) ** 0.5)
        to_a = pattern[:, :, 0].reshape(n, n, -1).numpy()
        for head in range(to_a.shape[-1]):
            plots.append(_head(layer, head, to_a[..., head]))
    return plots[:MOST_HEADS]


def _head(layer: int, head: int, to_a: np.ndarray) -> Plot:
    n = np.arange(len(to_a))
    hover = "a = %{y}, b = %{x}: %{z:.3f}<extra></extra>"
    data = [heat(n, n, to_a, "", "Cividis", zmin=0, zmax=1, hovertemplate=hover)]
    y = {"title": {"text": "a"}, "autorange": "reversed", "scaleanchor": "x"}
    layout = {"xaxis": {"title": {"text": "b"}}, "yaxis": y}
    note = "<p>Weight of the last position, =, on a; 0 to 1. What is left goes to b and =.</p>"
    return Plot(
        f"head-{layer}-{head}", f"Layer {layer}, head {head}: attention to a", data, layout, note
    )
