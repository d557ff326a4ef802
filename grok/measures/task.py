"""Loss and accuracy."""

from collections.abc import Mapping

from jaxtyping import Bool, Float64
from torch import Tensor

from grok.measures.snapshot import Readings, Snapshot
from grok.metrics.loss import accuracy, is_right


def task(snapshot: Snapshot) -> Readings:
    """Loss and accuracy of each split, with the parameters after ``step`` updates.

    Of a commutative operation also the accuracy on the test pairs whose mirror is trained on
    and on the others: NaN where there are none. A network that has learned no more than that
    ab = ba is right on the former alone. Of sequences also loss and accuracy by place: of each
    digit, of each occurrence of a subsequence, or of strings longer than those that train. Of
    language also what frequencies alone would give, a model whose loss is no smaller having
    collapsed, and the perplexity: exp of the mean loss of all tokens. The released code of Merrill
    et al. 2021 has a mean over sentences of 2 to the loss in nats.
    """
    readings = loss_and_accuracy(snapshot, snapshot.predictions)
    if snapshot.has("mirrored"):
        right, mirrored = is_right(*snapshot.predictions["test"]), snapshot.mirrored
        readings["acc/test_mirrored"] = _share(right, mirrored)
        readings["acc/test_unmirrored"] = _share(right, ~mirrored)
    if snapshot.has("unigram"):
        for split, unigram in snapshot.unigram.items():
            readings[f"loss/unigram/{split}"] = unigram
            readings[f"loss/perplexity/{split}"] = readings[f"loss/{split}"].exp()
    if snapshot.has("places"):
        for place, predictions in snapshot.places.items():
            by_split = {f"{place}/{split}": each for split, each in predictions.items()}
            readings |= loss_and_accuracy(snapshot, by_split)
    return readings


def loss_and_accuracy(
    snapshot: Snapshot, predictions: Mapping[str, tuple[Tensor, Tensor]], prefix: str = ""
) -> Readings:
    """Loss (where the snapshot has one) and accuracy of logits and labels, by name."""
    readings: Readings = {}
    for name, (logits, labels) in predictions.items():
        if snapshot.loss is not None:
            readings[f"{prefix}loss/{name}"] = snapshot.loss(logits, labels)
        readings[f"{prefix}acc/{name}"] = accuracy(logits, labels)
    return readings


def _share(
    which: Bool[Tensor, "run batch"], among: Bool[Tensor, "run batch"]
) -> Float64[Tensor, " run"]:
    return (which & among).double().sum(dim=-1) / among.sum(dim=-1)
