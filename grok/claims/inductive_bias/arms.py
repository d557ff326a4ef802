"""Cells of the paper's sweeps that its claims ask for."""

from grok.claims.claim import Arm

PLACEMENTS = ("No LN", "A*", "M+A*", "M", "A^qk", "A^v", "M+A^v")
"""Placements of norms by the paper's names."""

ALPHAS = ("0.5", "0.75", "1.0", "1.25", "1.5")
"""Readout scales of figure 5."""

RATES = ("1.0e-3", "3.0e-3", "5.0e-3", "1.0e-2")
"""Learning rates of figure 4a."""

DECAYS = ("0.1", "0.2", "0.5", "0.75", "1.0", "1.5")
"""Weight decays of figure 4c."""

INVERSE = "inverse_square_readout"
"""The rule eta = eta_0 / alpha^2."""

DENSE_TRAIN = "--measures.task.schedule.per_decade=100"
"""Loss and accuracy some five steps apart where training pairs are learnt."""

UPDATE_NORMS = ("--measures.norm.schedule.dense=50",)
"""The norm of every update from 1 to 50."""


def layernorm(norm: str, n_steps: int, *flags: str) -> Arm:
    """Addition mod 113 with a norm placement of the paper (figures 1 to 3)."""
    return Arm(
        sweep="inductive_bias/layernorm", flags=(f"--model.norm={norm}", *flags), n_steps=n_steps
    )


def full(*names: str) -> dict[str, Arm]:
    """Runs of 10,000 updates by the paper's names, ``No LN`` standing for ``none``."""
    return {name: layernorm("none" if name == "No LN" else name, 10_000) for name in names}


def reduced(norm: str, n_steps: int, *flags: str) -> Arm:
    """The same mod 59 with half of the pairs."""
    return Arm(
        sweep="inductive_bias/layernorm_p59",
        flags=(f"--model.norm={norm}", *flags),
        n_steps=n_steps,
    )


def weight_decay(decay: str, n_steps: int) -> Arm:
    """Weight decay at learning rate 1e-3 (figures 4c, 4d, 9)."""
    return Arm(
        sweep="inductive_bias/weight_decay",
        flags=(f"--optim.weight_decay={decay}",),
        n_steps=n_steps,
    )


def learning_rate(rate: str, n_steps: int, *flags: str) -> Arm:
    """Learning rate with eta * lambda held (figures 4a, 4b)."""
    return Arm(
        sweep="inductive_bias/learning_rate",
        flags=(f"--optim.lr={rate}", "--optim.hold=eta_lambda", *flags),
        n_steps=n_steps,
    )


def readout(alpha: str, rule: str, n_steps: int, *flags: str, hold: str = "lambda") -> Arm:
    """Readout scale alpha under a rule for the learning rate (figure 5).

    Args:
        alpha: Readout scale.
        rule: ``constant`` or ``inverse_square_readout``.
        n_steps: Updates.
        flags: Further overrides.
        hold: What stays fixed when the rate changes, see ``optim.hold``.
    """
    # Kernels are for the claims that read them, which say so in their flags.
    return Arm(
        sweep="inductive_bias/readout_scale",
        flags=(*_cell(alpha, rule, hold), "--measures.kernel.enabled=false", *flags),
        n_steps=n_steps,
    )


def reduced_readout(alpha: str, rule: str, hold: str = "lambda") -> Arm:
    """The same mod 59 with half of the pairs, until 1,000 steps after generalisation at most.

    The horizon was set on seed 100, where the slowest cells need some 4,000 steps.
    """
    stop = ("--stop.when=sustained", "--stop.readings=40")
    return Arm(
        sweep="inductive_bias/readout_scale_p59",
        flags=(*_cell(alpha, rule, hold), "--measures.kernel.enabled=false", *stop),
        n_steps=6000,
    )


def _cell(alpha: str, rule: str, hold: str) -> tuple[str, ...]:
    return (
        f"--model.readout_scale={alpha}",
        f"--optim.lr_rule={rule}",
        f"--optim.hold={hold}",
    )
