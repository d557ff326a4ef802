"""Which callbacks a run has."""

from typing import Any

from grok.config import RunConfig
from grok.config.measures import readable_on
from grok.lit.callbacks import (
    Ablations,
    AttentionSaturation,
    AttentionStats,
    Compressibility,
    FourierComponents,
    Homogeneity,
    IrrepMeasures,
    KernelDrift,
    LossCurvature,
    NormDynamics,
    NormGrowth,
    ProgressInHindsight,
    ProgressMeasures,
    RepresentationQuality,
    Saturation,
    ScaleShortcut,
    TaskReadings,
    WeightSpectra,
)
from grok.lit.reading import MeasureCallback

FAMILY_CALLBACKS: dict[str, type[Any]] = {
    "task": TaskReadings,
    "norm": NormGrowth,
    "attention": AttentionSaturation,
    "fourier": FourierComponents,
    "compress": Compressibility,
    "shortcut": ScaleShortcut,
    "weights": WeightSpectra,
    "kernel": KernelDrift,
    "hessian": LossCurvature,
    "progress": ProgressMeasures,
    "hindsight": ProgressInHindsight,
    "ablation": Ablations,
    "irrep": IrrepMeasures,
    "repr": RepresentationQuality,
    "dynamics": NormDynamics,
    "saturation": Saturation,
    "homogeneity": Homogeneity,
    "heads": AttentionStats,
}
"""Callback of each measure family, under the family's name in the config."""


def measure_callbacks(config: RunConfig) -> dict[str, MeasureCallback]:
    """By name, one callback per enabled family that can be read on this run."""
    families = {name: getattr(config.measures, name) for name in readable_on(config.problem)}
    if config.problem == "pairs" and config.data.operation == "compose":
        del families["fourier"]  # the basis is that of Z_p
    return {
        name: FAMILY_CALLBACKS[name](family.schedule)
        for name, family in families.items()
        if family.enabled
    }
