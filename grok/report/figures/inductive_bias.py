"""Figures of Singh et al. 2026 (arXiv 2602.06702)."""

from matplotlib.figure import Figure

from grok.report.figures.base import Arm, Source, figure, with_runs
from grok.report.figures.draw import draw_seeds, log_steps, say_missing

_ALPHAS = ("0.5", "0.75", "1.0", "1.25", "1.5")


@figure(
    name="5",
    title="Test loss and size of updates by readout scale, learning rate rescaled and not",
    source="Figure 5; 5 seeds; the authors' band is a quarter of the range, ours is the range",
    size=(7.2, 5.0),
)
def _readout_scale(canvas: Figure, source: Source) -> None:
    axes = canvas.subplots(2, 2, sharex=True)
    rules = (("inverse_square_readout", "η = η₀/α²"), ("constant", "η = η₀"))
    for column, (rule, title) in enumerate(rules):
        arms = [
            Arm(
                f"α = {alpha}",
                "inductive_bias/readout_scale",
                (
                    f"--model.readout_scale={alpha}",
                    f"--optim.lr_rule={rule}",
                    "--optim.hold=lambda",
                ),
            )
            for alpha in _ALPHAS
        ]
        for at, (arm, evidence) in enumerate(with_runs(source, arms)):
            draw_seeds(axes[0, column], evidence, "loss/test", at, arm.label, source)
            draw_seeds(axes[1, column], evidence, "norm/delta/all", at, arm.label, source)
        axes[0, column].set(title=title, yscale="log", ylabel="test loss")
        axes[1, column].set(yscale="log", ylabel="norm of the update")
        log_steps(axes[1, column])
        for each in axes[:, column]:
            if not each.lines:
                say_missing(each)
    if axes[0, 0].lines:
        axes[0, 0].legend()


FIGURES = [_readout_scale]
