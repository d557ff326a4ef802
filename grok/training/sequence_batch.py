"""Sequences as the network reads them, and the rows of its output that count.

Shapes: ``run`` - runs trained together; ``batch`` - sequences; ``pos`` - tokens that are read;
``scored`` - predicted tokens that count; ``row`` - last rows of the network's output.
"""

from typing import NamedTuple

from einops import rearrange, repeat
from jaxtyping import Int, Shaped
from torch import Tensor


class Batch(NamedTuple):
    """Sequences of every run, ready for the network."""

    inputs: Int[Tensor, "run batch pos"]
    """All tokens but the last."""
    rows: Int[Tensor, "run batch scored"]
    """Rows of the output, counted from the first one read, that predict the scored tokens."""
    labels: Int[Tensor, "run batch scored"]
    """The scored tokens."""


def predicting(
    x: Shaped[Tensor, "run batch row d"], rows: Int[Tensor, "run batch scored"]
) -> Shaped[Tensor, "run batch*scored d"]:
    """What the rows hold that predict the scored tokens, sequence by sequence."""
    index = repeat(rows, "run batch scored -> run batch scored d", d=x.shape[-1])
    return rearrange(x.gather(2, index), "run batch scored d -> run (batch scored) d")
