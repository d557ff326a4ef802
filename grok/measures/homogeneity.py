"""How a network's outputs grow when all of its parameters grow along one ray."""

from collections.abc import Mapping

from torch import Tensor

from grok.measures.snapshot import Readings, Snapshot
from grok.metrics.homogeneity import (
    Parameters,
    cosine_on_ray,
    euler_degree,
    local_degree,
    ray_error,
)

LIMIT = 1000.0
"""Factor of the parameters whose network stands for the saturated one."""


def degrees_of_homogeneity(snapshot: Snapshot) -> Readings:
    """Degrees of all outputs here and at 1000 times the parameters; of the logits along the ray.

    The error at a scale is that from the degree at 1000 times the parameters, which of a network
    without norms is its leading one.
    """
    f, params = snapshot.network, snapshot.params
    readings: Readings = {}
    found = {
        "euler_degree": _named(euler_degree(f, params)),
        "leading_degree": _named(local_degree(f, params, LIMIT)),
    }
    for name, outputs in found.items():
        for output, value in outputs.items():
            where = "" if output == "logits" else f"/{output}"
            readings[f"homog/{name}{where}"] = value

    def logits(params: Parameters) -> Tensor:
        return _named(f(params))["logits"]

    scales, k = snapshot.measures.homogeneity.scales, found["leading_degree"]["logits"]
    cosines = cosine_on_ray(logits, params, scales, LIMIT)
    for i, scale in enumerate(scales):
        readings |= {
            f"homog/local_degree/{scale:g}": local_degree(logits, params, scale),
            f"homog/rel_err/{scale:g}": ray_error(logits, params, k, scale),
            f"homog/cos_to_sat/{scale:g}": cosines[..., i],
        }
    return readings


def _named(outputs: Tensor | Mapping[str, Tensor]) -> Mapping[str, Tensor]:
    return {"logits": outputs} if isinstance(outputs, Tensor) else outputs
