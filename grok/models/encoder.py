"""Encoder blocks on two embeddings, and a linear layer, as functions of a stack of parameters.

Decisions:

- Two positions, the embeddings of a and b; no token ``=``, no positions, no mask, so that only the
  last layer tells (a, b) from (b, a).
- Norms before attention and feed-forward part, none after the last block.
- Biases everywhere; dropout in the four places of torch's layer: attention weights, what attention
  adds, hidden units, what the feed-forward part adds.

Shapes: ``run`` - runs trained together; ``batch`` - pairs; ``pos`` - a, b; ``query``, ``key`` - the
same as attention reads them; ``head``; ``d_model`` = head * d_head - numbers of an embedding;
``read`` = pos * d_model; ``d_mlp``; ``out`` - numbers that it writes.
"""

import math
from collections.abc import Mapping

import torch
from einops import rearrange, reduce
from jaxtyping import Float
from torch import Tensor

from grok.models.activations import Dropout
from grok.models.config import NormConfig
from grok.models.layers import attention_scale, linear, normalise, split_heads
from grok.models.mlp import ACTIVATIONS, drawn_linear

NORM = NormConfig(eps=1e-5)
"""LayerNorm as torch has it by default."""


class Encoder:
    """The network, without its parameters: those of ``blocks.0.``, ..., then ``W_U``, ``b_U``.

    ::

        x ---+-- ln1 --> Q, K, V --> pattern * V --> W_O --+
             +---------------------------------------------+--> resid_mid
        resid_mid ---+-- ln2 --> W_in, act, W_out --+
                     +------------------------------+--> next x
        both positions of the last x, side by side --> W_U --> out

    Args:
        d_model: Numbers of an embedding.
        n_heads: Attention heads; divides ``d_model``.
        d_mlp: Hidden width of the feed-forward parts.
        depth: Blocks.
        act: Name of the feed-forward parts' activation.
        n_out: Numbers that it writes.

    Reference:
        Liu et al. 2022, section 4.2 and released code, where it is called a decoder: torch's
        ``TransformerEncoderLayer``, norms first.
    """

    def __init__(
        self, d_model: int, n_heads: int, d_mlp: int, depth: int, act: str, n_out: int
    ) -> None:
        self.d_model, self.n_heads, self.d_mlp, self.n_out = d_model, n_heads, d_mlp, n_out
        self.act = ACTIVATIONS[act]
        self.prefixes = [f"blocks.{layer}." for layer in range(depth)]

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Name and shape of every parameter, without the ``run`` axis; weights (out, in)."""
        d, m = self.d_model, self.d_mlp
        block: dict[str, tuple[int, ...]] = {"ln1.w": (d,), "ln1.b": (d,)}
        for name in "QKVO":
            block |= {f"W_{name}": (d, d), f"b_{name}": (d,)}
        block |= {"ln2.w": (d,), "ln2.b": (d,)}
        block |= {"W_in": (m, d), "b_in": (m,), "W_out": (d, m), "b_out": (d,)}
        shapes = {prefix + name: shape for prefix in self.prefixes for name, shape in block.items()}
        return shapes | {"W_U": (self.n_out, 2 * d), "b_U": (self.n_out,)}

    def is_trained(self, name: str) -> bool:
        """Whether the parameter ever gets a gradient: all do, ``b_K`` that of rounding."""
        del name
        return True

    def __call__(
        self,
        params: Mapping[str, Tensor],
        x: Float[Tensor, "run batch read"],
        drop: Dropout | None = None,
    ) -> Float[Tensor, "run batch out"]:
        """What it writes.

        Args:
            params: Stacked parameters, as named by :meth:`shapes`.
            x: Embeddings of a and b side by side.
            drop: Dropout of an update; None in evaluation.
        """
        stream = rearrange(x, "run batch (pos d_model) -> run batch pos d_model", pos=2)
        for prefix in self.prefixes:
            stream = self._block(params, prefix, stream, drop or _nothing)
        both = rearrange(stream, "run batch pos d_model -> run batch (pos d_model)")
        return _linear(params, "", "U", both)

    def _block(
        self,
        params: Mapping[str, Tensor],
        prefix: str,
        x: Float[Tensor, "run batch pos d_model"],
        drop: Dropout,
    ) -> Float[Tensor, "run batch pos d_model"]:
        """The stream after one block."""
        resid_mid = x + drop(self._attention(params, prefix, x, drop))
        hidden = self.act(_linear(params, prefix, "in", _norm(params, prefix + "ln2", resid_mid)))
        return resid_mid + drop(_linear(params, prefix, "out", drop(hidden)))

    def _attention(
        self,
        params: Mapping[str, Tensor],
        prefix: str,
        x: Float[Tensor, "run batch pos d_model"],
        drop: Dropout,
    ) -> Float[Tensor, "run batch pos d_model"]:
        """What attention adds to the stream, before dropout.

        Products of two positions are sums of elementwise ones: as matrices they are too thin for
        the library, which rounds them by where they lie in memory.
        """
        normed = _norm(params, prefix + "ln1", x)
        q, k, v = (split_heads(_linear(params, prefix, n, normed), self.n_heads) for n in "QKV")
        products = q.unsqueeze(3) * k.unsqueeze(2)
        scores = reduce(products, "run batch query key head d -> run batch query key head", "sum")
        pattern = drop((attention_scale(q.shape[-1]) * scores).softmax(dim=3))
        mixed = (pattern.unsqueeze(-1) * v.unsqueeze(2)).sum(dim=3)
        z = rearrange(mixed, "run batch query head d -> run batch query (head d)")
        return _linear(params, prefix, "O", z)

    def initial(self, generator: torch.Generator, scale: float) -> dict[str, Tensor]:
        """Parameters of one run at step 0, float64, without the ``run`` axis.

        Drawn in float32 as torch draws them, block by block. Norms start at gain 1 and bias 0, and
        everything is multiplied by ``scale``.
        """
        parameters = {}
        for prefix in self.prefixes:
            drawn = _drawn_block(self.d_model, self.d_mlp, generator)
            parameters |= {prefix + name: value for name, value in drawn.items()}
        parameters["W_U"], parameters["b_U"] = drawn_linear(2 * self.d_model, self.n_out, generator)
        return {name: scale * parameters[name].double() for name in self.shapes()}


def _nothing(x: Tensor) -> Tensor:
    return x


def _norm(params: Mapping[str, Tensor], name: str, x: Tensor) -> Tensor:
    return normalise(x, NORM, params[f"{name}.w"], params[f"{name}.b"])


def _linear(params: Mapping[str, Tensor], prefix: str, name: str, x: Tensor) -> Tensor:
    return linear(x, params[f"{prefix}W_{name}"], params[f"{prefix}b_{name}"])


def _drawn_block(d: int, m: int, generator: torch.Generator) -> dict[str, Tensor]:
    """A block bit for bit as torch's ``TransformerEncoderLayer`` draws it, float32.

    The output projection is drawn before the packed queries, keys and values, and its bias, once
    drawn, is set to 0.
    """
    W_O, _ = drawn_linear(d, d, generator)
    bound = math.sqrt(6 / (3 * d + d))
    packed = torch.empty(3 * d, d).uniform_(-bound, bound, generator=generator)
    values = dict(zip(("W_Q", "W_K", "W_V"), packed.chunk(3), strict=True)) | {"W_O": W_O}
    values["W_in"], values["b_in"] = drawn_linear(d, m, generator)
    values["W_out"], values["b_out"] = drawn_linear(m, d, generator)
    zeros = ("b_Q", "b_K", "b_V", "b_O", "ln1.b", "ln2.b")
    values |= {name: torch.zeros(d) for name in zeros}
    return values | {name: torch.ones(d) for name in ("ln1.w", "ln2.w")}
