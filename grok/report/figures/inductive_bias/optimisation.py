"""Learning rate, weight decay and readout scale, all without LayerNorm (figures 4, 5)."""

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from grok.claims.inductive_bias.arms import (
    ALPHAS,
    DECAYS,
    INVERSE,
    RATES,
    learning_rate,
    readout,
    weight_decay,
)
from grok.report.figures.base import Source, figure
from grok.report.figures.inductive_bias import published
from grok.report.figures.inductive_bias.panels import (
    N_STEPS,
    Drawn,
    Points,
    curves,
    losses,
    stored,
)


@figure(
    name="4",
    title="Test loss and size of updates by learning rate and by weight decay",
    source=(
        "Figure 4; means of 5 seeds and their range (the authors' band a quarter of it). The"
        " product of learning rate and weight decay is held at 1e-3 in a and b. Diamonds are"
        " published: test loss 0.01, the first update and that at 2,000; d is read off the plot"
    ),
    size=(7.2, 5.0),
)
def rate_and_decay(canvas: Figure, source: Source) -> None:
    """A column each."""
    axes = canvas.subplots(2, 2)
    rates = stored(source, {name: learning_rate(name, N_STEPS) for name in RATES}, "η = {}")
    _column([*axes[:, 0]], source, rates, published.RATE_TIMES, published.RATE_UPDATES)
    decays = stored(source, {name: weight_decay(name, N_STEPS) for name in DECAYS}, "λ = {}")
    _column([*axes[:, 1]], source, decays, published.DECAY_TIMES, published.DECAY_UPDATES)
    for letter, each in zip("abcd", axes.T.flat, strict=True):
        each.set_title(letter)


@figure(
    name="5",
    title="Test loss and size of updates by readout scale, learning rate rescaled and not",
    source=(
        "Figure 5; means of 5 seeds and their range (the authors' band a quarter of it). Diamonds"
        " are published: test loss 0.01, in c also that at 2,000 to 6,000, and the first update"
    ),
    size=(7.2, 5.0),
)
def readout_scale(canvas: Figure, source: Source) -> None:
    """A column for each rule of the learning rate."""
    axes = canvas.subplots(2, 2)
    rules = (
        (INVERSE, "η = η₀/α²", published.INVERSE_TIMES, published.INVERSE_UPDATES, None),
        (
            "constant",
            "η = η₀",
            published.CONSTANT_TIMES,
            published.CONSTANT_UPDATES,
            published.CONSTANT_LOSS,
        ),
    )
    for at, (rule, title, times, updates, loss) in enumerate(rules):
        arms = {alpha: readout(alpha, rule, N_STEPS) for alpha in ALPHAS}
        _column([*axes[:, at]], source, stored(source, arms, "α = {}"), times, updates, loss)
        axes[0, at].set_title(f"{'ac'[at]}: {title}")
        axes[1, at].set_title("bd"[at])


def _column(
    axes: Sequence[Axes],
    source: Source,
    drawn: Sequence[Drawn],
    times: Mapping[str, int],
    updates: Points,
    loss: Points | None = None,
) -> None:
    """Test loss above the norm of the update."""
    losses(axes[0], source, drawn, times, published=loss)
    curves(axes[1], source, drawn, "norm/delta/all", updates, first=1)
    axes[1].set(ylabel="norm of the update")
    if axes[1].lines:
        axes[1].set_yscale("log")
        axes[1].legend(loc="lower left")
