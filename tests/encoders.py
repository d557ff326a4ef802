"""The encoder of the toy problem in plain torch, for one run."""

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from grok.data.toy_config import ToyConfig

SMALL = ToyConfig(
    operation="add_mod",
    p=7,
    pairs="ordered",
    n_train=30,
    combine="concat",
    decoder="encoder",
    dim=12,
    width=20,
    act="relu",
    embed_init="normal",
)


class Plain(nn.Module):
    """Torch's layers as one would put them together; dropout 0."""

    def __init__(self, toy: ToyConfig) -> None:
        super().__init__()
        self.embedding = nn.Embedding(toy.p, toy.dim)
        act = {"relu": torch.relu, "tanh": torch.tanh}[toy.act]
        layers = [
            nn.TransformerEncoderLayer(
                toy.dim, toy.n_heads, toy.width, 0.0, act, batch_first=True, norm_first=True
            )
            for _ in range(toy.depth)
        ]
        self.blocks = nn.Sequential(*layers)
        self.last = nn.Linear(2 * toy.dim, toy.p)

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        return self.last(self.blocks(self.embedding(torch.stack([a, b], dim=1))).flatten(1))


def parts(plain: Plain, of_gradient: bool = False) -> Iterator[tuple[str, Tensor]]:
    """Torch's parameters, or their gradients, under our names."""

    def read(parameter: Tensor) -> Tensor:
        return (parameter.grad if of_gradient else parameter.data).clone()  # type: ignore[union-attr]

    yield "W_E", read(plain.embedding.weight)
    for layer, block in enumerate(plain.blocks):
        named = {name: read(x) for name, x in block.named_parameters()}
        prefix = f"blocks.{layer}."
        for kind, theirs in (("W", "weight"), ("b", "bias")):
            packed = named[f"self_attn.in_proj_{theirs}"].chunk(3)
            yield from ((f"{prefix}{kind}_{n}", x) for n, x in zip("QKV", packed, strict=True))
            yield f"{prefix}{kind}_O", named[f"self_attn.out_proj.{theirs}"]
            yield f"{prefix}{kind}_in", named[f"linear1.{theirs}"]
            yield f"{prefix}{kind}_out", named[f"linear2.{theirs}"]
        for norm in ("1", "2"):
            yield f"{prefix}ln{norm}.w", named[f"norm{norm}.weight"]
            yield f"{prefix}ln{norm}.b", named[f"norm{norm}.bias"]
    yield "W_U", read(plain.last.weight)
    yield "b_U", read(plain.last.bias)
