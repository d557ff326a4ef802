"""Small configs, data, stacks and parameters that several tests need."""

import itertools
from collections.abc import Sequence
from dataclasses import fields, replace
from typing import Any

import torch
from torch import Tensor

from grok.config import RunConfig
from grok.data.config import DataConfig
from grok.data.pairs import PairData, pair_data
from grok.data.sequence_config import ProblemName, SequenceConfig
from grok.models.config import NormConfig, TransformerConfig
from grok.models.forms import Form
from grok.models.transformer import Transformer
from grok.training import PairProblem, Stack
from grok.training.captured import CapturedUpdate

TINY = RunConfig(
    data=DataConfig(p=7, train_fraction=0.6),
    model=TransformerConfig(d_model=16, n_heads=2, d_mlp=32),
    dtype="float64",
)
"""A run whose update takes about a millisecond."""

PAPER = RunConfig(data=DataConfig(split="python_shuffle_test_floor"))
"""The run of Singh et al. 2026 without LayerNorm, on its 3831 training pairs."""


def changed(config: RunConfig, **overrides: Any) -> RunConfig:
    """The run with some fields replaced; a field of a part by its own name, ``lr`` or ``act``."""

    def of(part: Any) -> dict[str, Any]:
        return {f.name: overrides.pop(f.name) for f in fields(part) if f.name in overrides}

    return replace(
        config,
        data=replace(config.data, **of(config.data)),
        model=replace(config.model, **of(config.model)),
        optim=replace(config.optim, **of(config.optim)),
        **overrides,
    )


def tiny(**overrides: Any) -> RunConfig:
    """:data:`TINY` with some fields replaced."""
    return changed(TINY, **overrides)


def paper(**overrides: Any) -> RunConfig:
    """:data:`PAPER` with some fields replaced, ``seed`` standing for split and weights."""
    seed = overrides.pop("seed", 0)
    return changed(PAPER, **({"split_seed": seed, "init_seed": seed} | overrides))


def data_of(configs: Sequence[RunConfig]) -> list[PairData]:
    """The pairs of each run."""
    return [pair_data(config.data) for config in configs]


def make_stack(
    *configs: RunConfig, form: Form | None = None, device: str = "cpu"
) -> Stack[PairProblem]:
    """A stack of these runs."""
    return Stack(PairProblem(configs, data_of(configs), device, form=form))


def captured(stack: Stack) -> Stack:
    """The stack as on a CUDA device, its program called instead of replayed."""
    stack.captured = CapturedUpdate(stack)
    return stack


def transformer(n: int = 5, norm: NormConfig | None = None, **fields: Any) -> Transformer:
    """A network small enough to be compared element by element."""
    sizes: dict[str, Any] = {"d_model": 8, "n_heads": 2, "d_mlp": 12} | fields
    return Transformer(TransformerConfig(norm=norm or NormConfig(), **sizes), n)


def random_parameters(model: Transformer, n_runs: int, seed: int = 0) -> dict[str, Tensor]:
    """Gaussian parameters for all names, biases and norms included, so that none is neutral."""
    generator = torch.Generator().manual_seed(seed)
    parameters = {}
    for name, shape in model.shapes().items():
        noise = torch.randn(n_runs, *shape, dtype=torch.float64, generator=generator)
        parameters[name] = 0.4 * noise + (1.0 if name.endswith(".w") else 0.0)
    return parameters


def random_pairs(n_runs: int, n_batch: int, n: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Arguments a and b of some pairs for each run; pairs may repeat."""
    generator = torch.Generator().manual_seed(seed)
    a, b = torch.randint(n, (2, n_runs, n_batch), generator=generator)
    return a, b


READS = list(itertools.product([False, True], repeat=4))
"""Every choice of the flags q, k, v and mlp."""

_BRANCHES: list[dict[str, Any]] = [
    {},
    {"peri": True},
    {"post": True},
    {"final": True},
    {"qk_proj": True},
    {"peri": True, "post": True, "final": True, "qk_proj": True},
]
EVERY_PLACEMENT = [
    NormConfig(q=q, k=k, v=v, mlp=mlp, **branches, eps=1e-3)
    for (q, k, v, mlp), branches in itertools.product(READS, _BRANCHES)
]
EVERY_NORM: dict[str, Any] = dict.fromkeys(
    ("q", "k", "v", "mlp", "peri", "post", "final", "qk_proj"), True
)
VARIANTS: dict[str, dict[str, Any]] = {
    "all biases": {"bias_qkv": True, "bias_out": True, "bias_mlp": True, "bias_unembed": True},
    "no bias": {"bias_mlp": False},
    "causal": {"causal": True},
    "tied": {"tied": True},
    "tied without =": {"tied": True, "output_equals": False},
    "= is no class": {"output_equals": False, "bias_unembed": True},
    "relu": {"act": "relu"},
    "glu": {"act": "glu"},
    "glu without bias": {"act": "glu", "bias_mlp": False},
    "one head": {"n_heads": 1},
    "depth 3": {"n_layers": 3},
    "causal depth 3": {"n_layers": 3, "causal": True, "act": "glu", "bias_qkv": True},
}
NORM_KINDS: dict[str, NormConfig] = {
    f"{kind} {affine}": NormConfig(**EVERY_NORM, kind=kind, affine=affine, eps=1e-3)
    for kind in ("layer", "rms", "l2", "centre")
    for affine in ("trained", "frozen", "none")
}


_SMALL = SequenceConfig(
    n_test=32, batch_size=8, n_digits=2, length=22, vocab=9, subseq_len=4, n_tosses=9, longer=(14,)
)


def sequences(problem: ProblemName, **overrides: Any) -> RunConfig:
    """A tiny run on sequences with some fields replaced."""
    model = {"causal": True, "init": "nanda"} | (
        {} if problem == "digit_addition" else {"attn_only": True, "n_layers": 2}
    )
    config = changed(replace(TINY, data=DataConfig()), **model)
    names = {f.name for f in fields(SequenceConfig)}
    own = {name: overrides.pop(name) for name in list(overrides) if name in names}
    config = replace(config, problem=problem, sequence=replace(_SMALL, **own))
    return changed(config, **overrides)
