"""Random transformers for the checks of Merrill et al. 2021.

`Effects of Parameter Norm Growth During Transformer Training
<https://arxiv.org/abs/2010.09697>`_. Our own transformer with torch's distributions of initial
parameters, in float64, on random tokens. ``pre_ln`` is the field's pre-LN with a norm before the
unembedding; ``sublayer_ln`` is what the paper calls pre-norm. *Without biases* is the same network
with those of its linear maps at 0. *Encodings* are what the unembedding reads.
"""

from collections.abc import Mapping
from typing import NamedTuple

import torch
from jaxtyping import Int
from torch import Tensor

from grok.metrics.homogeneity import Network, scaled
from grok.models.activations import Activations, Attend
from grok.models.config import TransformerConfig, norm_config
from grok.models.init import initial_parameters
from grok.models.shapes import Tokens
from grok.models.transformer import Transformer

SEEDS = (456, 789, 111, 222, 333, 444, 555, 666, 777)
NORMS = {
    "sublayer_ln": "sublayer_ln",
    "pre_ln": "pre_ln_final",
    "post_ln": "post_ln",
    "no_ln": "none",
}
"""Name of each placement in the config, by that of the claims."""
LIMIT = 1000.0
"""Factor of the saturated network."""
TOY = {"n_layers": 3, "d_model": 48, "n_heads": 4, "d_mlp": 64}
TOY_TEXT = (20, 12, 8)
"""Tokens there are, positions, and sentences."""
PAPER = {"n_layers": 12, "d_model": 768, "n_heads": 12, "d_mlp": 512}
PAPER_TEXT = (10, 10, 10)


class Random(NamedTuple):
    """A network at its start and what it reads."""

    model: Transformer
    params: Mapping[str, Tensor]
    tokens: Int[Tensor, "run batch pos"]

    def at(self, factor: float, attend: Attend | None = None) -> Activations:
        """What it computes with all parameters times a factor."""
        return self.model.forward(scaled(self.params, factor), self.tokens, attend=attend)

    def encodings(self, attend: Attend | None = None) -> Network:
        """All encodings as one vector, a function of the parameters."""
        forward = self.model.forward
        return lambda p: forward(p, self.tokens, attend=attend).pre_logits.flatten(1)


def random_network(
    placement: str,
    seed: int,
    has_biases: bool,
    *,
    sizes: Mapping[str, int] = TOY,
    text: tuple[int, int, int] = TOY_TEXT,
    causal: bool = True,
) -> Random:
    """A ReLU network with torch's initial parameters, and sentences of random tokens."""
    biases = dict.fromkeys(("bias_qkv", "bias_out", "bias_mlp"), True)
    norm = norm_config(NORMS[placement])
    config = TransformerConfig(
        **sizes, **biases, act="relu", norm=norm, causal=causal, init="torch"
    )
    vocab, n_pos, n_sentences = text
    model = Transformer(config, Tokens(vocab, n_pos, vocab))
    params = {name: x.unsqueeze(0) for name, x in initial_parameters(model, seed).items()}
    if not has_biases:
        params = {n: torch.zeros_like(x) if ".b_" in n else x for n, x in params.items()}
    generator = torch.Generator().manual_seed(seed)
    return Random(model, params, torch.randint(vocab, (1, n_sentences, n_pos), generator=generator))
