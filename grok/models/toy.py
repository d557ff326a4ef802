"""Embeddings and a decoder of their combination, as functions of a stack of parameters.

A pair (a, b) is read as the sum, the mean, the concatenation or the matrix product of the
embeddings of its symbols; the decoder is a multi-layer perceptron with biases, or an encoder that
reads the two embeddings as two positions.

Shapes: ``run`` - runs trained together; ``batch`` - pairs; ``symbol``; ``dim`` - numbers of an
embedding; ``read`` - numbers that the decoder reads; ``out`` - numbers that it writes.
"""

import math
from collections.abc import Mapping

import torch
from einops import rearrange
from jaxtyping import Float, Int
from torch import Tensor

from grok.data.toy_config import ToyConfig
from grok.models.activations import Dropout
from grok.models.encoder import Encoder
from grok.models.mlp import Mlp, drawn_linear


class ToyNetwork:
    """The network, without its parameters: ``W_E``, then those of the decoder.

    Args:
        config: Sizes, decoder and activation.
        n_out: Numbers that the decoder writes.
    """

    def __init__(self, config: ToyConfig, n_out: int) -> None:
        self.config, self.n_out = config, n_out
        if config.decoder == "encoder":
            self.decoder = Encoder(
                config.dim, config.n_heads, config.width, config.depth, config.act, n_out
            )
            return
        sizes = (config.n_read, *[config.width] * config.depth, n_out)
        self.decoder = Mlp(sizes, config.act)

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Name and shape of every parameter, without the ``run`` axis; weights (out, in)."""
        config = self.config
        return {"W_E": (config.n_symbols, config.dim), **self.decoder.shapes()}

    def is_trained(self, name: str) -> bool:
        """Whether the parameter ever gets a gradient: all do."""
        del name
        return True

    def read(
        self,
        W_E: Float[Tensor, "run symbol dim"],
        a: Int[Tensor, "run batch"],
        b: Int[Tensor, "run batch"],
    ) -> Float[Tensor, "run batch read"]:
        """What the decoder reads of pairs (a, b)."""
        combine = self.config.combine
        left, right = (W_E.take_along_dim(x.unsqueeze(-1), dim=1) for x in (a, b))
        if combine in ("sum", "mean"):
            both = left + right
            return both / 2 if combine == "mean" else both
        if combine == "concat":
            return torch.cat([left, right], dim=-1)
        side = math.isqrt(self.config.dim)
        left, right = (rearrange(x, "... (i j) -> ... i j", i=side) for x in (left, right))
        return rearrange(left @ right, "... i j -> ... (i j)")

    def decode(
        self,
        params: Mapping[str, Tensor],
        x: Float[Tensor, "run batch read"],
        drop: Dropout | None = None,
    ) -> Float[Tensor, "run batch out"]:
        """What the decoder makes of it; only an encoder has dropout."""
        if isinstance(self.decoder, Encoder):
            return self.decoder(params, x, drop)
        return self.decoder(params, x)


def toy_parameters(network: ToyNetwork, seed: int) -> dict[str, Tensor]:
    """Parameters of one run at step 0, float64, without the ``run`` axis.

    Drawn in float32 from one generator in the order of ``toy.draw``, so that they are the authors'
    bit for bit: embeddings before the decoder (``train_add``), or an unused encoder of 10-number
    inputs, the decoder, then the embeddings (``published``).

    Reference:
        Liu et al. 2022, appendix G and released code. Weights and biases of a layer are those of
        torch's ``Linear``: uniform within one over the root of the fan-in; those of an encoder are
        those of torch's ``TransformerEncoderLayer``.
    """
    config, generator = network.config, torch.Generator().manual_seed(seed)
    shapes = network.shapes()
    parameters: dict[str, Tensor] = {}

    def embeddings() -> None:
        draw = torch.rand if config.embed_init == "uniform" else torch.randn
        shift = 0.5 if config.embed_init == "uniform" else 0.0
        W_E = draw(shapes["W_E"], generator=generator) - shift
        parameters["W_E"] = config.embed_scale * W_E.double()

    if config.draw == "train_add":
        embeddings()
    else:
        for n_in, n_out in ((10, config.width), (config.width, config.width), (config.width, 1)):
            drawn_linear(n_in, n_out, generator)
    parameters |= network.decoder.initial(generator, config.decoder_scale)
    if config.draw == "published":
        embeddings()
    return {name: parameters[name] for name in shapes}
