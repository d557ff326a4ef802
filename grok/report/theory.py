"""What ``grok theory`` found: tables, plots of characters, and figures. Imports no torch.

Each function takes the object that ``--json`` prints. matplotlib is imported by the figures only.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from grok.report.terminal import console, print_rows
from grok.report.text_plot import bar, text_plot

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MARKS = "0123456789abcdefghijklmnopqrstuvwxyz"
_ROWS = 25


def print_critical(found: Mapping[str, Any]) -> None:
    """Probability by size where it rises, then the curve and where it is 1/2."""
    n_samples = found["n"][-1]
    rises = [k for k, x in enumerate(found["probability"]) if 0.001 < x < 0.999]
    shown = rises[:: -(-len(rises) // _ROWS)] if rises else range(min(n_samples, _ROWS))
    rows = [
        {
            "n": found["n"][k],
            "r": f"{found['n'][k] / n_samples:.3f}",
            "P(nullity 2)": f"{found['probability'][k]:.4f} ± {found['error'][k]:.4f}",
            "": bar(found["probability"][k]),
        }
        for k in shown
    ]
    print_rows(console(), rows)
    curve = {"*": (found["n"], found["probability"])}
    print()
    print(text_plot(curve, x_label="n, training samples", y_label="P(nullity 2)"))
    print(f"P = 1/2 at n = {found['n_half']:.2f} of {n_samples}, r = {found['r_half']:.3f}")


def print_spectrum(found: Mapping[str, Any]) -> None:
    """Eigenvalues with bars, then what the training set allows for."""
    largest = max(found["eigenvalues"]) or 1.0
    rows = [
        {"i": i, "lambda_i": f"{x:.6g}", "": bar(x / largest)}
        for i, x in enumerate(found["eigenvalues"], start=1)
    ]
    print_rows(console(), rows)
    print()
    _print_setting(found)
    for name, key in (
        ("ideal RQI", "ideal_rqi"),
        ("ideal accuracy", "ideal_accuracy"),
        ("ideal validation accuracy", "ideal_validation_accuracy"),
    ):
        value = found[key]
        print(f"{name:<27}{'no validation samples' if value is None else f'{value:.4g}'}")


def print_flow(found: Mapping[str, Any]) -> None:
    """The embedding at some steps, its curves, and the times of the theory."""
    at = found["steps"]
    shown = sorted({round(k * (len(at) - 1) / 10) for k in range(11)})
    rows = [
        {
            "step": f"{at[k]:,}",
            "l_eff": f"{found['effective_loss'][k]:.4g}",
            "RQI": f"{found['rqi'][k]:.3f}",
            "embedding" if found["p"] <= 12 else "embedding of 0 to 11": " ".join(
                f"{x:6.3f}" for x in found["embedding"][k][:12]
            ),
        }
        for k in shown
    ]
    print_rows(console(), rows)
    curves = {
        _MARKS[symbol % len(_MARKS)] + str(symbol): (
            at,
            [row[symbol] for row in found["embedding"]],
        )
        for symbol in range(found["p"])
    }
    print()
    print(text_plot(curves, x_label="step", y_label="embedding of each symbol", height=20))
    _print_setting(found)
    step = found["rqi_step"]
    reached = f"not within {at[-1]:,} steps" if step is None else f"step {step:,}"
    print(f"{'RQI > 0.95':<27}{reached}")


def _print_setting(found: Mapping[str, Any]) -> None:
    n_samples = found["p"] * (found["p"] + 1) // 2
    steps = found["predicted_steps"]
    time = "never" if steps is None else f"{steps:,.1f} at learning rate {found['eta']:g}"
    lines = {
        "training samples": f"{found['n']} of {n_samples}",
        "parallelograms": f"{found['n_parallelograms']} ({found['parallelograms']}), "
        f"{found['normalization']}, Z0 = {found['z0']:g}",
        "nullity": str(found["nullity"]),
        "lambda_3": f"{found['lambda_3']:.6g}",
        "steps 1/(lambda_3 eta)": time,
    }
    for name, text in lines.items():
        print(f"{name:<27}{text}")


def save_figure(kind: str, found: Mapping[str, Any], path: Path) -> None:
    """Write the figure of one of the three commands.

    Args:
        kind: ``critical-fraction``, ``spectrum`` or ``flow``.
        found: What it found.
        path: Its ending says the format.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5.5, 3.6), layout="constrained")
    _FIGURES[kind](figure.add_subplot(), found)
    figure.savefig(path, dpi=200)


def _draw_critical(axes: "Axes", found: Mapping[str, Any]) -> None:
    share = [n / found["n"][-1] for n in found["n"]]
    axes.errorbar(share, found["probability"], yerr=found["error"], marker=".", capsize=2)
    axes.axvline(found["r_half"], linestyle=":", color="grey")
    axes.set(
        xlabel="training fraction r",
        ylabel="P(nullity = 2)",
        title=f"p = {found['p']}: 1/2 at r = {found['r_half']:.3f}",
    )


def _draw_spectrum(axes: "Axes", found: Mapping[str, Any]) -> None:
    values = found["eigenvalues"]
    axes.bar(range(1, len(values) + 1), values)
    axes.set(
        xlabel="i",
        ylabel=f"eigenvalue of H ({found['normalization']}, Z0 = {found['z0']:g})",
        title=f"p = {found['p']}, n = {found['n']}: lambda_3 = {found['lambda_3']:.4g}",
    )


def _draw_flow(axes: "Axes", found: Mapping[str, Any]) -> None:
    for symbol in range(found["p"]):
        axes.plot(found["steps"], [row[symbol] for row in found["embedding"]], label=str(symbol))
    steps = found["predicted_steps"]
    if steps is not None and 3 * steps <= found["steps"][-1]:
        axes.axvline(3 * steps, linestyle=":", color="grey")
    axes.set(
        xlabel=f"step, learning rate {found['eta']:g}",
        ylabel="embedding",
        title=f"p = {found['p']}, n = {found['n']}, {found['normalization']}: "
        f"lambda_3 = {found['lambda_3']:.4g}",
    )
    if found["p"] <= 12:
        axes.legend(fontsize="x-small", ncols=2)


_FIGURES = {
    "critical-fraction": _draw_critical,
    "spectrum": _draw_spectrum,
    "flow": _draw_flow,
}
