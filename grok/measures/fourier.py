"""The embedding in the Fourier basis of Z_p."""

from grok.measures.snapshot import MissingPart, Readings, Snapshot
from grok.metrics.fourier import (
    fourier_concentration,
    fourier_f_statistic,
    fourier_power,
    top_share,
)

TOP_K = (1, 5, 10)
"""Numbers of frequencies whose share of the power is read."""


def fourier_components(snapshot: Snapshot) -> Readings:
    """Power of the embedding per frequency, and how concentrated it is.

    Raises:
        MissingPart: If its rows are in no order of the numbers mod p.
    """
    if not snapshot.is_cyclic:
        raise MissingPart("Fourier components are those of numbers mod p")
    embedding = snapshot.embedding
    power = fourier_power(embedding)
    readings = {"fourier/c": fourier_concentration(embedding)}
    if embedding.shape[1] >= 5 and embedding.shape[2] >= 2:  # fewer have no degrees of freedom
        readings["fourier/f_statistic"] = fourier_f_statistic(embedding)
    readings |= {
        f"fourier/top_share/{k}": top_share(power, k) for k in TOP_K if k < power.shape[-1]
    }
    return readings | {f"fourier/power/{k}": power[:, k] for k in range(power.shape[-1])}
