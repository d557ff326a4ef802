"""How far the tangent kernel has moved, and its alignment with the labels."""

from grok.measures.snapshot import Readings, Snapshot
from grok.metrics.kernel import (
    centred_label_alignment,
    kernel_cosine_distance,
    kernel_distance,
    kernel_norm,
    label_alignment,
)


def kernel_drift(snapshot: Snapshot) -> Readings:
    """Distance of the tangent kernels from those at step 0, and alignment with each split.

    The ``sum`` kernel is the published one, along the direction in logits that cross-entropy
    does not see; the ``trace`` kernel is that of the logits centred over classes.
    """
    kernels = snapshot.kernels
    readings: Readings = {}
    for name in ("sum", "trace"):
        K, K_0 = getattr(kernels.now, name), getattr(kernels.initial, name)
        readings[f"kernel/{name}_drift"] = kernel_distance(K, K_0)
        readings[f"kernel/{name}_one_minus_cosine"] = kernel_cosine_distance(K, K_0)
        readings[f"kernel/{name}_init_norm"] = kernel_norm(K_0)
    start = 0
    for split, labels in kernels.labels.items():
        pairs = slice(start, start := start + labels.shape[1])
        K = kernels.now.trace[:, pairs, pairs]
        readings[f"kernel/alignment/{split}"] = label_alignment(K, labels)
        readings[f"kernel/centred_alignment/{split}"] = centred_label_alignment(K, labels)
    return readings
