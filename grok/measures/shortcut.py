"""How far a fit relies on the scale of what the MLP reads."""

from grok.measures.snapshot import Readings, Snapshot
from grok.measures.task import loss_and_accuracy


def scale_shortcut(snapshot: Snapshot) -> Readings:
    """Loss and accuracy of each split with the scale of every MLP's input u taken away.

    ``strict`` has u / ||u|| in place of u, ``matched`` u with the mean length that it has over
    the split; ``legacy`` is ``strict`` on the network without its norms on attention and MLP,
    which is what the released code of Singh et al. 2026 computes. Their SR-train is
    ``shortcut/loss/legacy/train``.
    """
    predictions = {
        f"{mode}/{split}": outputs
        for mode, splits in snapshot.shortcut.items()
        for split, outputs in splits.items()
    }
    return loss_and_accuracy(snapshot, predictions, prefix="shortcut/")
