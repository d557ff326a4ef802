"""Which measures are read during a run, and when."""

from dataclasses import dataclass, field
from typing import Literal

from grok.config.schedule import Schedule
from grok.inputs import check_choices
from grok.models.parameter_sets import SET_KINDS


@dataclass(frozen=True, kw_only=True)
class FamilyConfig:
    """One family of measures."""

    enabled: bool = True
    """Whether the family is read at all."""
    schedule: Schedule = field(default_factory=Schedule)
    """When it is read."""


def _task_family() -> FamilyConfig:
    return FamilyConfig(schedule=Schedule(dense=50, every=25))


@dataclass(frozen=True, kw_only=True)
class KernelConfig(FamilyConfig):
    """The tangent kernels; a reading costs as much as some four updates.

    Other settings do not read again what a run has stored: choose them before it starts.
    """

    enabled: bool = False
    n_pairs: int = 128
    """Pairs of each split on which kernels are compared: the first ones of the split."""
    n_projections: int = 4
    """Random output directions whose kernels are averaged for the centred trace kernel."""

    def __post_init__(self) -> None:
        """Refuse an empty kernel."""
        for name in ("n_pairs", "n_projections"):
            if getattr(self, name) < 1:
                raise ValueError(f"measures.kernel.{name}={getattr(self, name)} must be 1 or more")


@dataclass(frozen=True, kw_only=True)
class HessianConfig(FamilyConfig):
    """The Hessian of the training loss; a reading costs as much as 70 to 200 updates.

    As for the kernels, choose the settings before the run starts.
    """

    enabled: bool = False
    n_eigenvalues: int = 3
    """How many of the eigenvalues largest in magnitude."""

    def __post_init__(self) -> None:
        """Refuse no eigenvalue."""
        if self.n_eigenvalues < 1:
            raise ValueError(
                f"measures.hessian.n_eigenvalues={self.n_eigenvalues} must be 1 or more"
            )


@dataclass(frozen=True, kw_only=True)
class ProgressConfig(FamilyConfig):
    """Progress measures of addition or subtraction mod p.

    As for the kernels, choose the settings before the run starts.
    """

    enabled: bool = False
    keys: tuple[int, ...] = ()
    """Key frequencies, 1 to p // 2; none for those that the rule finds at each reading."""
    rule: Literal["L", "E", "N"] = "L"
    """Where key frequencies are found: in the neuron-to-logit map (L), in the embedding (E), or as
    the best frequencies of the neurons (N)."""

    def __post_init__(self) -> None:
        """Refuse an unknown rule."""
        check_choices(self, "measures.progress.")


@dataclass(frozen=True, kw_only=True)
class IrrepConfig(FamilyConfig):
    """Irreducible representations of the group of composition, or of addition mod p.

    As for the kernels, choose the settings before the run starts.
    """

    enabled: bool = False
    keys: tuple[str | int | float, ...] = ()
    """Key representations by name, such as [4.1,2.1.1.1] for S5; none for those that each reading
    finds in the neuron-to-logit map. Names that look like numbers are taken as they are written."""

    @property
    def key_names(self) -> tuple[str, ...]:
        """Names of the keys."""
        return tuple(map(str, self.keys))


@dataclass(frozen=True, kw_only=True)
class DynamicsConfig(FamilyConfig):
    """Norm dynamics: sums over every update, kept with the run's state while it is enabled.

    As for the kernels, choose the settings before the run starts. A run that had it off is replayed
    from its start, since no checkpoint tells what every update did.
    """

    enabled: bool = False
    sets: tuple[str, ...] = ("all", "encoder")
    """Sets of parameters: all; encoder (all but embeddings and read-out); groups (embed, pos,
    attn.qk, attn.ov, mlp, ln, bias, unembed); layers."""
    lag: int = 200
    """Direction cosines are with the parameters so many updates before, at multiples of it that are
    read; 0 for none."""

    def __post_init__(self) -> None:
        """Refuse unknown sets and a negative lag."""
        if wrong := [kind for kind in self.sets if kind not in SET_KINDS]:
            raise ValueError(
                f"measures.dynamics.sets has {wrong[0]}: allowed are {', '.join(SET_KINDS)}"
            )
        if self.lag < 0:
            raise ValueError(f"measures.dynamics.lag={self.lag} is negative")


@dataclass(frozen=True, kw_only=True)
class SaturationConfig(FamilyConfig):
    """The saturated network; on pairs a reading costs less than three forward passes of the probe.

    On sequences and texts it is four, less what ``n_examples`` leaves out. They are in float64. As
    for the kernels, choose the settings before the run starts.
    """

    enabled: bool = False
    factor: float = 1000.0
    """By what parameters are multiplied."""
    include: Literal["all", "weights_only", "attn_only", "no_embed"] = "all"
    """Which: all, frozen ones too; weights_only, no biases and nothing of norms; attn_only, those
    of attention; no_embed, all but embeddings of tokens and positions. What is no parameter, as
    masks are, is never multiplied."""
    tol: float = 1e-6
    """Scores within tol * max(1, largest) of the largest tie in saturated attention. On a b = the
    useful pattern is a tie of a and b, which is one up to a larger tolerance only: 0.1 or so."""
    n_examples: int = 256
    """Pairs, sequences or rows of a text of each split whose representations are compared: the
    first ones that the probe reads. Loss and accuracy are of all."""
    check_convergence: bool = False
    """Whether the network at ten times the factor is compared too."""

    def __post_init__(self) -> None:
        """Refuse a factor that does not grow and an empty comparison."""
        check_choices(self, "measures.saturation.")
        if not self.factor > 1:
            raise ValueError(f"measures.saturation.factor={self.factor} must be above 1")
        _check_tolerance("saturation", self.tol)
        _check_examples("saturation", self.n_examples)


@dataclass(frozen=True, kw_only=True)
class HomogeneityConfig(FamilyConfig):
    """Degrees of homogeneity, on a fixed part of the probe.

    As for the kernels, choose the settings before the run starts.
    """

    enabled: bool = False
    scales: tuple[float, ...] = (1.0, 2.0, 4.0, 8.0, 16.0)
    """Factors of the parameters at which local degree, error and cosine are read."""
    n_examples: int = 128
    """Pairs, sequences, rows of a text or images of each split on which outputs are computed: the
    first ones."""

    def __post_init__(self) -> None:
        """Refuse factors that are not above 0 and no examples."""
        if wrong := [x for x in self.scales if not 0 < x < float("inf")]:
            raise ValueError(f"measures.homogeneity.scales has {wrong[0]}: allowed are above 0")
        _check_examples("homogeneity", self.n_examples)


@dataclass(frozen=True, kw_only=True)
class HeadsConfig(FamilyConfig):
    """What saturated heads attend to.

    As for the kernels, choose the settings before the run starts.
    """

    enabled: bool = False
    tol: float = 1e-6
    """Tolerance of ties, as that of the saturated network."""
    argmax_below: float = 2.0
    """Most positions, in the mean, that an argmax head attends to."""
    mean_from: float = 0.9
    """Least share of the visible positions that a mean head attends to."""

    def __post_init__(self) -> None:
        """Refuse a negative tolerance."""
        _check_tolerance("heads", self.tol)


def _check_tolerance(family: str, tol: float) -> None:
    if not tol >= 0:
        raise ValueError(f"measures.{family}.tol={tol} must be 0 or more")


def _check_examples(family: str, n: int) -> None:
    if n < 1:
        raise ValueError(f"measures.{family}.n_examples={n} must be 1 or more")


@dataclass(frozen=True, kw_only=True)
class MeasuresConfig:
    """Which measures are read during the run, and when. None of them changes the training."""

    task: FamilyConfig = field(default_factory=_task_family)
    """Loss and accuracy on the training and test pairs."""
    norm: FamilyConfig = field(default_factory=FamilyConfig)
    """NormGrowth: norms of parameters, gradient and update, in total and per tensor."""
    attention: FamilyConfig = field(default_factory=FamilyConfig)
    """AttentionSaturation: entropy of the pattern and its distance to the saturated one."""
    fourier: FamilyConfig = field(default_factory=FamilyConfig)
    """FourierComponents: power of the embedding per frequency and how concentrated it is."""
    compress: FamilyConfig = field(default_factory=FamilyConfig)
    """Compressibility: ranks and tail exponent of the pre-logits, rank of attention's output."""
    shortcut: FamilyConfig = field(default_factory=FamilyConfig)
    """ScaleShortcut: loss when the scale of the MLP's input is taken away."""
    weights: FamilyConfig = field(default_factory=lambda: FamilyConfig(enabled=False))
    """WeightSpectra: ranks and tail exponent of each weight matrix of the blocks."""
    kernel: KernelConfig = field(default_factory=KernelConfig)
    """KernelDrift: how far the tangent kernel has moved, and its alignment with the task."""
    hessian: HessianConfig = field(default_factory=HessianConfig)
    """LossCurvature: top eigenvalues of the Hessian of the training loss."""
    progress: ProgressConfig = field(default_factory=ProgressConfig)
    """ProgressMeasures: restricted and excluded loss, and where the Fourier circuit lies."""
    hindsight: FamilyConfig = field(default_factory=lambda: FamilyConfig(enabled=False))
    """ProgressInHindsight: the same losses under the key frequencies of the run's end; read when
    it has ended, from its checkpoints if checkpoint.every keeps those that are due."""
    ablation: FamilyConfig = field(default_factory=lambda: FamilyConfig(enabled=False))
    """Ablations: loss with parts of a one-layer network replaced. Its key frequencies are those of
    progress.keys and progress.rule, whether or not the progress measures are read."""
    irrep: IrrepConfig = field(default_factory=IrrepConfig)
    """IrrepMeasures: the same for any finite group, by its irreducible representations."""
    repr: FamilyConfig = field(default_factory=lambda: FamilyConfig(enabled=False))
    """RepresentationQuality: principal components of the embedding, and for toy networks its
    parallelograms."""
    dynamics: DynamicsConfig = field(default_factory=DynamicsConfig)
    """NormDynamics: what every update adds to the norm of sets of parameters, alignments, and how
    fast directions turn."""
    saturation: SaturationConfig = field(default_factory=SaturationConfig)
    """Saturation: cosine to the network with all parameters times 1000, and its accuracy."""
    homogeneity: HomogeneityConfig = field(default_factory=HomogeneityConfig)
    """Homogeneity: how outputs grow with the scale of all parameters."""
    heads: HeadsConfig = field(default_factory=HeadsConfig)
    """AttentionStats: how many positions saturated heads attend to, and their kinds."""

    @property
    def reads_circuit(self) -> bool:
        """Whether a measure reads the circuit of addition mod p."""
        return self.progress.enabled or self.hindsight.enabled or self.ablation.enabled


ON_TOY = ("task", "norm", "weights", "hessian", "repr", "dynamics", "homogeneity")
"""Families that can be read on toy networks."""

ON_IMAGES = ("task", "norm", "weights", "hessian", "dynamics", "homogeneity")
"""Families that can be read on perceptrons of images."""

ON_OWN_NETWORK = {"toy": ON_TOY, "images": ON_IMAGES}
"""Families by problem, where the network is not a transformer."""

ON_ANY_PROBLEM = (
    *("task", "norm", "attention", "compress", "weights", "hessian"),
    *("dynamics", "saturation", "homogeneity", "heads"),
)
"""Families that need a transformer and no pairs (a, b)."""


def readable_on(problem: str) -> tuple[str, ...]:
    """Families that can be read on runs of a problem, whatever else is in their config."""
    return FAMILIES if problem == "pairs" else ON_OWN_NETWORK.get(problem, ON_ANY_PROBLEM)


FAMILIES: tuple[str, ...] = tuple(MeasuresConfig.__dataclass_fields__)
"""Names of the measure families."""
