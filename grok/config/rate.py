"""How the learning rate changes during a run. Imports no torch."""

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from grok.config.schema import OptimConfig

_USED = {
    "constant": (),
    "inverse_sqrt": ("flat_steps",),
    "linear": ("flat_steps", "horizon", "final_rate"),
    "cosine": ("flat_steps", "horizon", "final_rate"),
}
"""Fields that a schedule has beside warmup."""


def rate_factor(optim: "OptimConfig", t: int) -> float:
    r"""Share of the learning rate that an update uses.

    With :math:`t_0` for ``flat_steps``, T for ``horizon``, f for ``final_rate`` and
    :math:`u = (t - t_0) / (T - t_0)` cut to [0, 1]: 1 (``constant``);
    :math:`\sqrt{s / \max(t + 1, s)}` with :math:`s = \max(t_0, 1)` (``inverse_sqrt``);
    :math:`1 - (1 - f) u` (``linear``); :math:`f + (1 - f)(1 + \cos \pi u) / 2` (``cosine``).
    Warm-up multiplies it by :math:`\min(t / \text{warmup}, 1)`.

    Args:
        optim: Schedule and warm-up.
        t: The update, from 0.

    Returns:
        0 to 1.

    Reference:
        ``inverse_sqrt`` with lr 0.01 and flat_steps 10,000 is the rate 1 / sqrt(max(t, 10^4)) of T5
        (Raffel et al. 2020, section 3.1.2) and the relative step min(0.01, 1 / sqrt(t)) of Shazeer
        and Stern 2018, algorithm 5, both of which count from 1; with 1,000 and ``linear`` with a
        final rate of 0.1 it has the schedules of Merrill et al. 2021, released code.
    """
    warm = min(t / optim.warmup, 1.0) if optim.warmup else 1.0
    if optim.schedule == "constant":
        return warm
    if optim.schedule == "inverse_sqrt":
        start = max(optim.flat_steps, 1)
        return warm * math.sqrt(start / max(t + 1, start))
    done = (t - optim.flat_steps) / (optim.horizon - optim.flat_steps)
    done = min(max(done, 0.0), 1.0)
    left = 1 - done if optim.schedule == "linear" else (1 + math.cos(math.pi * done)) / 2
    return warm * (optim.final_rate + (1 - optim.final_rate) * left)


def check_schedule(optim: "OptimConfig") -> None:
    """Refuse a schedule that never ends, and fields that the chosen one does not have.

    Raises:
        ValueError: In one line that names the key, its value and what is allowed.
    """
    used = _USED[optim.schedule]
    for name in _USED["linear"]:
        if name not in used and getattr(optim, name):
            having = " and ".join(kind for kind, fields in _USED.items() if name in fields)
            raise ValueError(
                f"optim.{name}={getattr(optim, name)} has no effect with "
                f"optim.schedule={optim.schedule}; it is of {having}"
            )
    if not 0 <= optim.final_rate <= 1:
        raise ValueError(f"optim.final_rate={optim.final_rate} is not in [0, 1]")
    if optim.flat_steps < 0:
        raise ValueError(f"optim.flat_steps={optim.flat_steps} is negative")
    if "horizon" in used and optim.horizon <= optim.flat_steps:
        raise ValueError(
            f"optim.horizon={optim.horizon}: optim.schedule={optim.schedule} needs more than "
            f"{optim.flat_steps} (flat_steps), such as the number of steps"
        )
