"""The panels of the project: which readings are drawn together, said once for all that draw them.

:mod:`grok.tracking.dashboard` makes a W&B workspace of the list.
"""

from grok.inputs import find_paper
from grok.tracking.panel import Panel, Section

PAPERS = {
    "inductive-bias": "Singh et al. 2026",
    "progress-measures": "Nanda et al. 2023",
    "effective-theory": "Liu et al. 2022",
    "norm-growth": "Merrill et al. 2021",
}
"""Papers, under the names they have on the command line, and what their section is called."""


def _splits(name: str) -> tuple[str, str]:
    """Keys of both splits."""
    return f"{name}/train", f"{name}/test"


IB, PM, ET, NG = PAPERS

CURVES = Section(
    "Loss and accuracy",
    (
        Panel("Loss", _splits("loss"), log_y=True),
        Panel("Accuracy", _splits("acc")),
        Panel(
            "First step with accuracy 0.99",
            ("onset/train_acc_99", "onset/test_acc_99"),
            kind="scalar",
        ),
    ),
)
"""What every run has."""

FAMILIES = (
    Section(
        "Parts of the task",
        (
            Panel("Accuracy on mirrored pairs", ("acc/test_mirrored", "acc/test_unmirrored")),
            Panel(
                "Test loss by digit, occurrence or length",
                ("loss/digit/<i>/test", "loss/occurrence/<i>/test", "loss/tosses/<i>/test"),
                log_y=True,
                papers=(PM,),
            ),
        ),
    ),
    Section(
        "Norms",
        (
            Panel("Norm of the parameters", ("norm/theta/all",), log_y=True, papers=(IB, PM, NG)),
            Panel(
                "Norm of each tensor, and of sets",
                ("norm/theta/<parameter>",),
                log_y=True,
                papers=(NG,),
            ),
            Panel(
                "Norm of gradient and update",
                ("norm/grad/all", "norm/delta/all"),
                log_y=True,
                papers=(IB, NG),
            ),
        ),
    ),
    Section(
        "Attention",
        (
            Panel("Entropy of attention, nats", ("attn/entropy/<layer>",), papers=(IB,)),
            Panel("Distance to saturated attention", ("sat/attn_tv/<layer>",), papers=(NG,)),
        ),
    ),
    Section(
        "Fourier components of the embedding",
        (
            Panel("C_Fourier", ("fourier/c",), papers=(IB,)),
            Panel(
                "Power in each frequency",
                ("fourier/power/<frequency>",),
                kind="heatmap",
                papers=(PM,),
                is_on_wandb=False,
            ),
        ),
    ),
    Section(
        "Compressibility",
        (
            Panel("Effective rank of pre-logits", _splits("compress/effective_rank"), papers=(IB,)),
            Panel("Tail exponent of pre-logits", _splits("compress/alpha"), papers=(IB,)),
        ),
    ),
    Section(
        "Scale shortcut",
        (
            Panel(
                "Training loss without the scale of the MLP's input",
                tuple(f"shortcut/loss/{mode}/train" for mode in ("legacy", "strict", "matched")),
                papers=(IB,),
            ),
        ),
    ),
    Section(
        "Weight matrices",
        (Panel("Effective rank of each matrix", ("compress/weight_effective_rank/<parameter>",)),),
    ),
    Section(
        "Tangent kernel",
        (Panel("Drift", ("kernel/sum_drift", "kernel/trace_drift"), papers=(IB,)),),
    ),
    Section(
        "Curvature of the loss",
        (Panel("Top eigenvalues", ("hessian/max", "hessian/mean", "hessian/min")),),
    ),
    Section(
        "Fourier circuit",
        (
            Panel(
                "Restricted, excluded and test loss",
                ("progress/restricted/sum/all", "progress/excluded/sum/train", "loss/test"),
                log_y=True,
                papers=(PM,),
            ),
            Panel(
                "The same under the key frequencies of the end",
                ("hindsight/restricted/sum/all", "hindsight/excluded/sum/train"),
                log_y=True,
                papers=(PM,),
                is_on_wandb=False,
            ),
            Panel("Gini coefficient", ("progress/gini/W_E", "progress/gini/W_L"), papers=(PM,)),
            Panel(
                "Share in key frequencies",
                ("progress/power_in_keys", "progress/fve/row_centred"),
                papers=(PM,),
            ),
            Panel(
                "Coefficient of each cosine",
                ("progress/alpha/<k>",),
                kind="heatmap",
                papers=(PM,),
                is_on_wandb=False,
            ),
            Panel(
                "Loss with a part replaced",
                tuple(f"ablation/A{i}" for i in ("1", "2", "5", "6", "7/mean", "8", "9")),
                log_y=True,
                papers=(PM,),
            ),
        ),
    ),
    Section(
        "Representations of a group",
        (
            Panel(
                "Restricted and excluded loss",
                ("irrep/restricted/all", "irrep/excluded/train"),
                log_y=True,
            ),
            Panel(
                "Share in key representations",
                ("irrep/power_in_keys/<matrix>", "irrep/logit_power_in_keys", "irrep/fve_in_keys"),
            ),
        ),
    ),
    Section(
        "Structure of the embedding",
        (
            Panel(
                "RQI and the accuracy it predicts",
                ("repr/rqi", "repr/predicted_acc", "repr/acc"),
                papers=(ET,),
            ),
            Panel("Effective dimension", ("repr/effective_dim",), papers=(ET,)),
        ),
    ),
    Section(
        "Norm dynamics",
        (
            Panel(
                "Direction: cosine to the earlier parameters and of the update",
                ("dir/cos_prev/<set>", "align/theta_delta/<set>"),
                papers=(NG,),
            ),
            Panel("Share of growth at right angles", ("norm/misaligned_share/<set>",)),
        ),
    ),
    Section(
        "Saturation",
        (
            Panel(
                "Cosine to the saturated network", ("sat/layer/<layer>", "sat/final"), papers=(NG,)
            ),
            Panel(
                "Test accuracy of the saturated network",
                ("acc/test", "sat/acc/limit/test", "sat/acc/hard/test"),
            ),
        ),
    ),
    Section(
        "Homogeneity",
        (
            Panel(
                "Degree of the logits", ("homog/euler_degree", "homog/leading_degree"), papers=(NG,)
            ),
            Panel("Cosine to the limit at c θ", ("homog/cos_to_sat/<c>",), papers=(NG,)),
        ),
    ),
    Section(
        "Saturated heads",
        (Panel("Positions attended to", ("attn/n_mean/<layer>/<head>",), papers=(NG,)),),
    ),
)
"""One section a measure family, or a few that belong together."""


def spectra() -> tuple[Panel, ...]:
    """The heat maps that W&B has no chart of; their readings are tables there."""
    panels = (panel for section in FAMILIES for panel in section.panels)
    return tuple(panel for panel in panels if panel.kind == "heatmap")


def sections(paper: str | None = None) -> tuple[Section, ...]:
    """The sections of a page, what every run has first.

    Args:
        paper: One of :data:`PAPERS`, with ``-`` or ``_``: of the others only the panels that its
            figures or tables show, as one section. None for all, by measure family.

    Raises:
        InputError: If there is no such paper; lists those there are.
    """
    if paper is None:
        return CURVES, *FAMILIES
    name = find_paper(paper, PAPERS, "panels")
    shown = (panel for section in FAMILIES for panel in section.panels if name in panel.papers)
    return CURVES, Section(PAPERS[name], tuple(shown))
