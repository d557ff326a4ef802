"""Stacks of random transformers for the checks of Merrill et al. 2021.

`Effects of Parameter Norm Growth During Transformer Training
<https://arxiv.org/abs/2010.09697>`_. Our own transformer with torch's distributions of initial
parameters, in float64, on random tokens. ``pre_ln`` is the field's pre-LN with a norm before the
unembedding; ``sublayer_ln`` is what the paper calls pre-norm. *Without biases* is the same network
with those of its linear maps at 0. *Encodings* are what the unembedding reads.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import product
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
    """Networks at their start, one per run of a stack, and what each reads."""

    model: Transformer
    params: Mapping[str, Tensor]
    tokens: Int[Tensor, "run batch pos"]

    def at(self, factor: float, attend: Attend | None = None) -> Activations:
        """What they compute with all parameters times a factor."""
        return self.model.forward(scaled(self.params, factor), self.tokens, attend=attend)

    def encodings(self, attend: Attend | None = None) -> Network:
        """All encodings of each as one vector, a function of the parameters."""
        forward = self.model.forward
        return lambda p: forward(p, self.tokens, attend=attend).pre_logits.flatten(1)

    def unmasked(self) -> "Random":
        """The same networks without a mask."""
        model = self.model
        reads = Tokens(model.vocab, model.n_ctx, model.n_classes)
        return self._replace(model=Transformer(replace(model.config, causal=False), reads))


def random_networks(
    placement: str,
    seeds: Sequence[int],
    biases: Sequence[bool],
    *,
    sizes: Mapping[str, int] = TOY,
    text: tuple[int, int, int] = TOY_TEXT,
) -> Random:
    """Causal ReLU networks with torch's initial parameters, and sentences of random tokens.

    Args:
        placement: A name of :data:`NORMS`.
        seeds: Of parameters and tokens.
        biases: Whether linear maps have some. The runs are the seeds without or with biases, then
            the same with the next of these; networks of a seed differ in nothing else.
        sizes: Layers, widths and heads.
        text: Tokens there are, positions, and sentences.
    """
    has_each = dict.fromkeys(("bias_qkv", "bias_out", "bias_mlp"), True)
    norm = norm_config(NORMS[placement])
    config = TransformerConfig(
        **sizes, **has_each, act="relu", norm=norm, causal=True, init="torch"
    )
    vocab, n_pos, _ = text
    model = Transformer(config, Tokens(vocab, n_pos, vocab))
    drawn = {seed: initial_parameters(model, seed) for seed in seeds}
    runs = list(product(biases, seeds))
    params = {
        name: torch.stack(
            [_given(name, drawn[seed][name], has_biases) for has_biases, seed in runs]
        )
        for name in model.shapes()
    }
    tokens = torch.stack([_text(text, seed) for _, seed in runs])
    return Random(model, params, tokens)


def _given(name: str, x: Tensor, has_biases: bool) -> Tensor:
    return torch.zeros_like(x) if ".b_" in name and not has_biases else x


def _text(text: tuple[int, int, int], seed: int) -> Int[Tensor, "batch pos"]:
    vocab, n_pos, n_sentences = text
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(vocab, (n_sentences, n_pos), generator=generator)
