"""How far features compress (figures 6, 9)."""

from matplotlib.figure import Figure

from grok.claims.inductive_bias.arms import DECAYS, weight_decay
from grok.report.figures.base import Source, figure
from grok.report.figures.draw import legend_below
from grok.report.figures.inductive_bias import published
from grok.report.figures.inductive_bias.panels import (
    N_STEPS,
    against,
    curves,
    placements,
    reached,
    scatter,
    settled,
    stored,
)
from grok.report.figures.inductive_bias.placement import FOUR, of_both

_RANK, _ALPHA = "compress/effective_rank/test", "compress/alpha/test"


@figure(
    name="6",
    title="Compression of features by placement of the LayerNorm, and when it comes",
    source=(
        "Figure 6; means of 5 seeds and their range, test pairs, as drawn there (the text says"
        " training pairs). b: published is the minimum over seeds, the lower edge of the band"
        " here, with fits to the spectrum in float32. c: first reading within a tenth of the"
        " minimum against mean test accuracy 0.995"
    ),
    size=(7.2, 5.4),
)
def placement(canvas: Figure, source: Source) -> None:
    """Curves on the left, onsets on the right."""
    axes = canvas.subplots(2, 2)
    drawn = stored(source, placements(*FOUR))
    rows = (
        (_RANK, "effective rank", published.EFFECTIVE_RANK, published.RANK_TIMES),
        (_ALPHA, "exponent of the spectrum", published.ALPHA, published.ALPHA_TIMES),
    )
    for (left, right), (key, name, points, known) in zip(axes, rows, strict=True):
        curves(left, source, drawn, key, points)
        left.set(ylabel=name)
        pairs = against(
            drawn,
            lambda arm: reached(source, arm, "acc/test", 0.995),
            lambda arm, key=key: settled(source, arm, key),
        )
        scatter(right, pairs, of_both(published.ACCURACY_TIMES, known))
        right.set(xlabel="step of test accuracy 0.995", ylabel="step within 10 % of minimum")
    for letter, each in zip(("a", "c, effective rank", "b", "c, exponent"), axes.flat, strict=True):
        each.set_title(letter)
    legend_below(canvas, [*axes[:, 0]], 5)


@figure(
    name="9",
    title="Compression of features by weight decay",
    source=(
        "Figure 9, appendix; means of 5 seeds and their range, test pairs; diamonds are published"
        " means at 10,000. Ranks and fits are of float64 spectra, the authors' of float32"
    ),
    size=(8.4, 3.2),
)
def decay(canvas: Figure, source: Source) -> None:
    """Effective rank, numerical rank and exponent."""
    axes = canvas.subplots(1, 3)
    drawn = stored(source, {name: weight_decay(name, N_STEPS) for name in DECAYS}, "λ = {}")
    panels = (
        (_RANK, "effective rank", published.DECAY_EFFECTIVE_RANK),
        ("compress/rank/test", "numerical rank", published.DECAY_RANK),
        (_ALPHA, "exponent of the spectrum", published.DECAY_ALPHA),
    )
    for each, (key, name, points) in zip(axes, panels, strict=True):
        curves(each, source, drawn, key, points)
        each.set(ylabel=name)
    legend_below(canvas, [*axes], 7)
