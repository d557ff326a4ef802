"""What ``grok measure --series`` found, as tables. Imports no torch.

Takes the object that ``--json`` prints.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from grok.report.terminal import console, print_rows

_COLUMNS = {
    "norm": "norm/theta",
    "‖δ‖": "norm/delta",
    "cos to last": "dir/cos_prev",
    "cos(θ, δ)": "align/theta_delta",
    "pyth. ratio": "norm/pyth_ratio",
    "misaligned": "norm/misaligned_share",
}
_MAIN = ("encoder", "chosen", "all")
"""The set whose curve is printed is the first of these that there is."""


def print_series(found: Mapping[str, Any]) -> None:
    """The curve of one set, then fits by set and layer, then models of the dynamics."""
    sets = found["sets"]
    main = next(name for name in _MAIN if name in sets)
    for name, value in (
        ("series", found["series"]),
        ("layout", found["layout"]),
        (
            "steps",
            f"{found['steps'][0]:,} to {found['steps'][-1]:,}, {len(found['steps'])} of them",
        ),
        ("set", f"{main}, {sets[main]['n_weights']:,} weights; δ is between checkpoints"),
    ):
        print(f"{name:<10}{value}")
    print_rows(console(), _curve(found, sets[main]["readings"]))
    print()
    if sets[main]["law"] is None:
        print("no law of growth is fitted: it takes three checkpoints or more, with norms above 0")
        return
    print_rows(console(), [_growth(name, each) for name, each in sets.items() if each["law"]])
    print()
    if not sets[main]["dynamics"]:
        print("no model of the dynamics is fitted: the last step is too large")
        return
    print_rows(console(), _dynamics(sets[main]["dynamics"]))


def _curve(found: Mapping[str, Any], readings: Mapping[str, Sequence[Any]]) -> list[dict[str, str]]:
    return [
        {"revision": name, "step": f"{step}"}
        | {title: _text(readings[key][i]) for title, key in _COLUMNS.items()}
        for i, (name, step) in enumerate(zip(found["revisions"], found["steps"], strict=True))
    ]


def _growth(name: str, found: Mapping[str, Any]) -> dict[str, str]:
    """First and last norm of a set, and how well each law describes the way."""
    law, norms = found["law"], found["readings"]["norm/theta"]
    power = law["power"]
    error = "" if power["p_se"] is None else f" ± {power['p_se']:.1g}"
    fits = {f"R² {title}": _text(law["affine"][key]["r2"]) for title, key in _LAWS.items()}
    return {
        "set": name,
        "weights": f"{found['n_weights']}",
        "first": _text(norms[0]),
        "last": _text(norms[-1]),
        "growth": _text(norms[-1] / norms[0]),
        **fits,
        "R² of n0² + at": _text(law["square"]["r2"]),
        "slope √t": _text(law["affine"]["sqrt"]["slope"]),
        "power of t": _text(power["p"]) + error,
        "log-log": _text(law["log_slope"]),
    }


_LAWS = {"√t": "sqrt", "t": "linear", "t^¼": "fourth_root", "log t": "log"}


def _dynamics(models: Mapping[str, Mapping[str, Any]]) -> list[dict[str, str]]:
    return [
        {
            "dynamics": name,
            "κ": _text(fit["kappa"]),
            "R²": _text(fit["r2"]),
            "κ, log norm": _text(fit["kappa_log"]),
            "R², log norm": _text(fit["r2_log"]),
        }
        for name, fit in models.items()
    ]


def _text(value: float | None) -> str:
    return "" if value is None else f"{value:.5g}"
