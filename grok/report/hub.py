"""What ``grok measure hf:...`` found, as tables. Imports no torch.

Takes the object that ``--json`` prints.
"""

from collections.abc import Mapping
from statistics import fmean
from typing import Any

from grok.report.terminal import console, print_rows


def print_model(found: Mapping[str, Any]) -> None:
    """What was read, then a table of layers for each stack."""
    weights = "random initial weights" if found["random_init"] else "stored weights"
    revision = f", revision {found['revision']}" if found["revision"] else ""
    for name, value in (
        ("model", f"{found['model']}{revision}, {found['class']}, {weights}"),
        (
            "tokens",
            f"{found['tokens']}: {found['n_texts']} texts, {found['n_positions']} positions",
        ),
        ("cosine", f"to all parameters times {found['factor']:g}, in {found['dtype']}"),
    ):
        print(f"{name:<10}{value}")
    for name, stack in found["stacks"].items():
        print()
        if len(found["stacks"]) > 1:
            print(name)
        print_rows(console(), [_row(layer, stack["heads"]) for layer in stack["layers"]])
        if stack["convergence"] is not None:
            print(f"cosine of the last layer at c and 10 c: {stack['convergence']:.6f}")
    if any(layer["mean"] is None for s in found["stacks"].values() for layer in s["layers"]):
        print("\na blank is a number that is not finite: --dtype=float64, or a smaller --factor")


def _row(layer: Mapping[str, Any], heads: list[Mapping[str, Any]]) -> dict[str, str]:
    """A layer's cosines, and the means over its heads."""
    i = layer["layer"]
    row = {
        "layer": f"{i}" if i else "0 (embeddings)",
        **{title: _text(layer[key]) for title, key in _COLUMNS.items()},
    }
    of_layer = [head for head in heads if head["layer"] == i]
    for title, key in _OF_HEADS.items():
        values = [head[key] for head in of_layer if head[key] is not None]
        row[title] = f"{fmean(values):.3g}" if values else ""
    kinds = [head["class"] for head in of_layer]
    names = ("argmax", "mean", "mixed")
    row["argmax/mean/mixed"] = "/".join(f"{kinds.count(n)}" for n in names) if kinds else ""
    return row


_COLUMNS = {"cosine": "mean", "std": "std", "centred": "centred", "variance": "variance"}
_OF_HEADS = {
    "attended": "n_mean",
    "share": "frac",
    "split": "split",
    "distance": "distance",
    "effective": "eff",
    "TV": "tv",
}


def _text(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"
