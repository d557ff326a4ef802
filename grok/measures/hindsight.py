"""Progress measures of a whole run under the key frequencies that it ends with."""

from jaxtyping import Bool
from torch import Tensor

from grok.measures.circuit import analyse
from grok.measures.progress import losses_under
from grok.measures.snapshot import Readings, Snapshot


def hindsight(snapshot: Snapshot, is_key: Bool[Tensor, "run freq"] | None = None) -> Readings:
    """Restricted and excluded losses under one key set for all steps.

    A network has its key frequencies only late; those that a rule finds before then are others.
    The curves of Nanda et al. 2023 are under the final set, so they can be read only afterwards.

    Args:
        snapshot: One that has a circuit.
        is_key: Key frequencies of the run's end; by default those of the snapshot itself.
    """
    found = analyse(snapshot)
    if is_key is not None:
        found = found._replace(is_key=is_key)
    losses, _ = losses_under(snapshot.circuit, found)
    readings = {"n_keys": found.is_key.double().sum(dim=-1)} | losses
    return {f"hindsight/{name}": x for name, x in readings.items()}
