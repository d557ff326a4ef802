"""Initial parameters, drawn by one generator per run, named as in the papers.

Everything is drawn in float64 on the CPU and then cast, so a float32 run starts at the rounded
parameters of the float64 run with the same seed, on every device.
"""

import math

import torch
from torch import Tensor

from grok.models.config import TransformerConfig
from grok.models.transformer import Transformer

_LINEAR = ("W_O", "W_in", "W_gate", "W_out")


def initial_parameters(model: Transformer, seed: int) -> dict[str, Tensor]:
    """Parameters of one run at step 0, float64, without the ``run`` axis.

    Biases are 0 (those of ``torch`` are drawn), norm gains 1; matrices follow
    ``model.config.init``. Everything is multiplied by ``init_scale``, norms included.
    """
    generator = torch.Generator().manual_seed(seed)
    draw = _SCHEMES[model.config.init]
    parameters = {}
    for name, shape in model.shapes().items():
        last = name.rpartition(".")[2]
        if last.startswith("W_") or (last.startswith("b_") and model.config.init == "torch"):
            value = draw(last, shape, generator, model.config)
        else:
            value = torch.full(shape, 1.0 if last == "w" else 0.0, dtype=torch.float64)
        parameters[name] = model.config.init_scale * value
    return parameters


def _normal(shape: tuple[int, ...], std: float, generator: torch.Generator) -> Tensor:
    return std * torch.randn(shape, dtype=torch.float64, generator=generator)


def _lecun(
    name: str, shape: tuple[int, ...], generator: torch.Generator, config: TransformerConfig
) -> Tensor:
    r"""Singh et al. 2026, appendix C and their code.

    Linear weights: normal with :math:`\sigma = 1/\sqrt{\text{fan in}}` cut at
    :math:`\pm 2\sigma` (the variance is not corrected); queries, keys and values: the packed
    Xavier-uniform of torch, bound :math:`\sqrt{6 / 4d}`, because their routine never visits
    them; embedding and unembedding :math:`1/\sqrt d`; positions 0.02.
    """
    if name in _LINEAR:
        std = 1 / math.sqrt(shape[-1])
        weight = torch.empty(shape, dtype=torch.float64)
        return torch.nn.init.trunc_normal_(
            weight, std=std, a=-2 * std, b=2 * std, generator=generator
        )
    return _not_linear(name, shape, generator, config)


def _kaiming(
    name: str, shape: tuple[int, ...], generator: torch.Generator, config: TransformerConfig
) -> Tensor:
    r"""As ``lecun``, but linear weights normal with :math:`\sigma = \sqrt{2/\text{fan in}}`."""
    if name in _LINEAR:
        return _normal(shape, math.sqrt(2 / shape[-1]), generator)
    return _not_linear(name, shape, generator, config)


def _not_linear(
    name: str, shape: tuple[int, ...], generator: torch.Generator, config: TransformerConfig
) -> Tensor:
    """Attention projections, embeddings and positions of ``lecun`` and ``kaiming``."""
    if name in ("W_Q", "W_K", "W_V"):
        bound = math.sqrt(6 / (4 * config.d_model))
        uniform = torch.rand(shape, dtype=torch.float64, generator=generator)
        return bound * (2 * uniform - 1)
    return _normal(shape, 0.02 if name == "W_pos" else config.d_model**-0.5, generator)


def _nanda(
    name: str, shape: tuple[int, ...], generator: torch.Generator, config: TransformerConfig
) -> Tensor:
    r"""Nanda et al. 2023, their code.

    Normal, :math:`\sigma = 1/\sqrt d` (for W_out too), in the unembedding
    :math:`1/\sqrt{\text{classes}}`.
    """
    fan = shape[0] if name == "W_U" else config.d_model
    return _normal(shape, fan**-0.5, generator)


def _transformer_lens(
    name: str, shape: tuple[int, ...], generator: torch.Generator, config: TransformerConfig
) -> Tensor:
    r"""TransformerLens' default: :math:`\sigma = 0.8/\sqrt d` for every matrix."""
    return _normal(shape, 0.8 / math.sqrt(config.d_model), generator)


def _torch(
    name: str, shape: tuple[int, ...], generator: torch.Generator, config: TransformerConfig
) -> Tensor:
    r"""The distributions of torch's ``Embedding`` and ``Linear``; the draws are ours.

    Embedding and positions standard normal; weights and biases of a linear map uniform within
    :math:`\pm 1/\sqrt{\text{fan in}}`.

    Reference:
        Merrill et al. 2021, appendix A.
    """
    if name in ("W_E", "W_pos"):
        return _normal(shape, 1.0, generator)
    fan_in = config.d_mlp if name in ("W_out", "b_out") else config.d_model
    uniform = torch.rand(shape, dtype=torch.float64, generator=generator)
    return (2 * uniform - 1) / math.sqrt(fan_in)


_SCHEMES = {
    "lecun": _lecun,
    "kaiming": _kaiming,
    "nanda": _nanda,
    "transformer_lens": _transformer_lens,
    "torch": _torch,
}
