"""Readings with which the claims of Merrill et al. 2021 on models of Hugging Face hold."""

from typing import Any

from tests.claims.store import Readings

PUBLISHED: dict[str, Readings] = {}
BROKEN: dict[str, Any] = {}
"""No run is needed."""

PILE, PYTHIA = "EleutherAI/pile-t5-base", "EleutherAI/pythia-14m"
LAYERS = {f"base/{i}": 1.005 for i in range(12)} | {f"small/{i}": 1.02 for i in range(6)}

UNIT: dict[str, dict[str, dict[str, float]]] = {
    "NG-A12": {
        "encoder": {"base": 1.002, "small": 0.998, "tiny": 0.98},
        "layer": LAYERS | {"tiny/0": 0.97, "tiny/1": 1.03},
    },
    # Figure 2, where it has a number.
    "NG-D1": {
        "final": {
            "t5-base/decoder": 0.915,
            "t5-base/encoder": 0.8,
            "roberta-base/encoder": 0.652,
            "bert-base-cased/encoder": 0.113,
        },
        "penultimate": {"roberta-base/encoder": 0.940},
        "random": {
            "t5-base/decoder": 0.5,
            "roberta-base/encoder": 0.01,
            "bert-base-cased/encoder": 0.01,
        },
        "shown": {"t5-small/decoder": 0.9, "gpt2/encoder": 0.3},
    },
    "NG-D2": {
        "n": {PILE: 20.0, PYTHIA: 154.0},
        "r2_sqrt": {PILE: 0.99, PYTHIA: 0.7},
        "p": {PILE: 0.5, PYTHIA: 0.4},
        "alignment": {PILE: 0.02, PYTHIA: 0.03},
    },
    "NG-D3": {"norm": {"t5-base": 2222.5}, "layer": {"layer.0": 520.0}},
}
"""Readings with which each claim holds."""

SHOWN = {
    "NG-D1": ("final/t5-base/encoder", "shown/"),
    "NG-D2": (f"n/{PYTHIA}", f"r2_sqrt/{PYTHIA}", "p/", "alignment/"),
    "NG-D3": ("layer/",),
}
"""Beginnings of the readings that enter no criterion."""
