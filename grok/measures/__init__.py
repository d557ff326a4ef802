"""Snapshots, and the named measures that read them: one file per family."""

from grok.measures.ablation import ablations as ablations
from grok.measures.attention import attention_saturation as attention_saturation
from grok.measures.compress import compressibility as compressibility
from grok.measures.dynamics import norm_dynamics as norm_dynamics
from grok.measures.fourier import fourier_components as fourier_components
from grok.measures.heads import head_kinds as head_kinds
from grok.measures.hessian import loss_curvature as loss_curvature
from grok.measures.hindsight import hindsight as hindsight
from grok.measures.homogeneity import degrees_of_homogeneity as degrees_of_homogeneity
from grok.measures.irrep import irrep_measures as irrep_measures
from grok.measures.kernel import kernel_drift as kernel_drift
from grok.measures.norm import norm_growth as norm_growth
from grok.measures.progress import progress_measures as progress_measures
from grok.measures.representation import representation_quality as representation_quality
from grok.measures.saturated import Representations as Representations
from grok.measures.saturated import Saturated as Saturated
from grok.measures.saturation import network_saturation as network_saturation
from grok.measures.shortcut import scale_shortcut as scale_shortcut
from grok.measures.snapshot import Ablated as Ablated
from grok.measures.snapshot import Circuit as Circuit
from grok.measures.snapshot import Composition as Composition
from grok.measures.snapshot import Dynamics as Dynamics
from grok.measures.snapshot import Measure as Measure
from grok.measures.snapshot import MissingPart as MissingPart
from grok.measures.snapshot import Readings as Readings
from grok.measures.snapshot import Snapshot as Snapshot
from grok.measures.snapshot import Symbols as Symbols
from grok.measures.task import task as task
from grok.measures.weights import weight_spectra as weight_spectra

MEASURES: dict[str, Measure] = {
    "task": task,
    "norm": norm_growth,
    "attention": attention_saturation,
    "fourier": fourier_components,
    "compress": compressibility,
    "shortcut": scale_shortcut,
    "weights": weight_spectra,
    "kernel": kernel_drift,
    "hessian": loss_curvature,
    "progress": progress_measures,
    "hindsight": hindsight,
    "ablation": ablations,
    "irrep": irrep_measures,
    "repr": representation_quality,
    "dynamics": norm_dynamics,
    "saturation": network_saturation,
    "homogeneity": degrees_of_homogeneity,
    "heads": head_kinds,
}
"""Measure of each family, under the family's name in the config."""
