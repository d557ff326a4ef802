"""What a stack predicts with the scale of every MLP's input taken away.

Shapes as in :mod:`grok.training.pair_problem`; ``query`` - positions at which a block's MLP is
read.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from grok.models.config import FLAGS, has_tables
from grok.models.forms import pair_tokens, token_forward
from grok.models.transformer import MlpRead, Transformer

if TYPE_CHECKING:
    from grok.training.pair_problem import PairProblem
    from grok.training.stack import Stack

ByMode = dict[str, dict[str, tuple[Tensor, Tensor]]]


def shortcut_predictions(
    stack: "Stack[PairProblem]",
    lengths: Mapping[str, Sequence[Float[Tensor, "run batch query"]]],
    chunk: int,
) -> ByMode:
    r"""Logits, ready for the loss, and labels of each split without the scale of MLP inputs.

    Every MLP's input u, at each position, becomes

    - ``strict``: :math:`u/\lVert u\rVert`, u being what the MLP receives, after its norm if there
      is one;
    - ``matched``: :math:`c\,u/\lVert u\rVert`, c the mean of :math:`\lVert u\rVert` in the network
      as trained over the pairs of the split, for each block and position: only the differences of
      scale between pairs are gone;
    - ``legacy``: as ``strict``, in the network without its norms on q, k, v and MLP, on branches,
      on the stream and on projected queries and keys; a final norm stays.

    The direction of u = 0 does not exist; it stays 0. In a deeper network u of a later block is
    what the changed blocks before it give. The initial prediction subtracted, if any, is that of
    the network as trained.

    Args:
        stack: Networks and pairs.
        lengths: By split and layer, :math:`\lVert u\rVert` in the networks as trained.
        chunk: Pairs in one forward pass.

    Returns:
        By mode and split, logits ``[run, batch, class]`` and labels ``[run, batch]``.

    Reference:
        Singh et al., `Explaining Grokking in Transformers through the Lens of Inductive Bias
        <https://arxiv.org/abs/2602.06702>`_, section 2.4. Their text describes ``strict``; their
        code runs ``legacy``, so that at initialisation all placements give the loss of the network
        without norms. ``matched`` is ours.
    """
    pairs = stack.problem
    bare = _without_norms(pairs.model)
    found: ByMode = {"legacy": {}, "strict": {}, "matched": {}}
    for split, rows in (("train", pairs.train), ("test", pairs.test)):
        labels = pairs.c.gather(1, rows)
        networks = {
            "strict": (pairs.model, _unit),
            "matched": (pairs.model, _matched(lengths[split])),
        }
        if bare.config != pairs.model.config:  # without a norm to leave out it is strict
            networks["legacy"] = (bare, _unit)
        for mode, (model, read) in networks.items():
            f = _logits(stack, model, rows, read, chunk)
            found[mode][split] = (pairs.readout(f, rows), labels)
    return found | {"legacy": found["legacy"] or found["strict"]}


def _without_norms(model: Transformer) -> Transformer:
    """The network whose blocks leave out every norm; the parameters of these are not read."""
    off = {flag: False for flag in FLAGS if flag != "final"}
    return Transformer(replace(model.config, norm=replace(model.config.norm, **off)), model.n)


def _unit(_: str, u: Tensor) -> Tensor:
    return F.normalize(u, dim=-1)


def _matched(lengths: Sequence[Float[Tensor, "run batch query"]]) -> MlpRead:
    """Puts every input of a block on the mean length of the inputs."""
    means = [x.mean(dim=1, keepdim=True).unsqueeze(-1) for x in lengths]
    by_block = {f"blocks.{layer}.": mean for layer, mean in enumerate(means)}

    def read(prefix: str, u: Tensor) -> Tensor:
        # The last block is asked for its last position only.
        return by_block[prefix][:, :, -u.shape[2] :] * F.normalize(u, dim=-1)

    return read


def _logits(
    stack: "Stack[PairProblem]",
    model: Transformer,
    rows: Int[Tensor, "run batch"],
    read: MlpRead,
    chunk: int,
) -> Float[Tensor, "run batch cls"]:
    """Logits at ``=``, in chunks."""
    logits = []
    for part in rows.split(chunk, dim=1):
        a, b = stack.problem.a.gather(1, part), stack.problem.b.gather(1, part)
        if has_tables(model.config):
            full = token_forward(model, stack.params, a, b, read)
        else:
            tokens = pair_tokens(model, a, b)
            full = model.forward(stack.params, tokens, read="last", mlp_read=read)
        logits.append(full.logits[:, :, -1])
    return torch.cat(logits, dim=1)
