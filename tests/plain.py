"""The network and its training the ordinary way: one run, ``torch.nn`` and ``torch.optim``.

The reference for stacks and forms. Nothing here is shared with the package but the configs, the
initial parameters and the rows of mini-batches.
"""

import re
from collections.abc import Callable, Mapping
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from grok.config import RunConfig
from grok.data.pairs import PairData, batch_rows
from grok.data.sequences import Sequences
from grok.models.config import NormConfig, TransformerConfig
from grok.models.init import initial_parameters
from grok.models.shapes import Tokens
from grok.models.transformer import Transformer


class PlainNorm(nn.Module):
    """LayerNorm and RMSNorm of torch; L2 and centring as in their definitions."""

    def __init__(self, d: int, config: NormConfig) -> None:
        super().__init__()
        self.kind, self.eps = config.kind, config.eps
        has_affine = config.affine != "none" and config.kind in ("layer", "rms")
        self.weight = nn.Parameter(torch.ones(d)) if has_affine else None
        self.bias = nn.Parameter(torch.zeros(d)) if has_affine and self.kind == "layer" else None
        for parameter in self.parameters():
            parameter.requires_grad_(config.affine == "trained")

    def forward(self, x: Tensor) -> Tensor:
        if self.kind == "layer":
            return F.layer_norm(x, x.shape[-1:], self.weight, self.bias, self.eps)
        if self.kind == "rms":
            return F.rms_norm(x, x.shape[-1:], self.weight, self.eps)
        if self.kind == "centre":
            return x - x.mean(-1, keepdim=True)
        return x / (torch.linalg.vector_norm(x, dim=-1, keepdim=True) ** 2 + self.eps).sqrt()


class PlainBlock(nn.Module):
    """Attention, then an MLP. Every norm that can be built is there; the flags say what is read."""

    def __init__(self, c: TransformerConfig) -> None:
        super().__init__()
        self.c = c
        d, norm = c.d_model, c.norm
        unused = norm.build_unused and norm != NormConfig(**_without_flags(norm))
        for name in "QKV":
            self.add_module(name, nn.Linear(d, d, bias=c.bias_qkv))
        self.O = nn.Linear(d, d, bias=c.bias_out)
        if not c.attn_only:
            for name in ("in", "gate") if c.act == "glu" else ("in",):
                self.add_module(name, nn.Linear(d, c.d_mlp, bias=c.bias_mlp))
            self.out = nn.Linear(c.d_mlp, d, bias=c.bias_mlp)
        built = {
            "ln1": norm.q or norm.k or norm.v or unused,
            "ln2": (norm.mlp or unused) and not c.attn_only,
            "ln1_peri": norm.peri,
            "ln2_peri": norm.peri and not c.attn_only,
            "ln1_post": norm.post,
            "ln2_post": norm.post and not c.attn_only,
        }
        for name, is_built in built.items():
            self.add_module(name, PlainNorm(d, norm) if is_built else nn.Identity())
        for name in ("ln_q", "ln_k"):
            self.add_module(name, PlainNorm(c.d_head, norm) if norm.qk_proj else nn.Identity())

    def apply_to(self, name: str, x: Tensor) -> Tensor:
        return self.get_submodule(name)(x)

    def read(self, x: Tensor, norm: str, is_normed: bool) -> Tensor:
        return self.apply_to(norm, x) if is_normed else x

    def heads(self, name: str, x: Tensor) -> Tensor:
        projected = self.apply_to(name, x).reshape(*x.shape[:2], self.c.n_heads, self.c.d_head)
        return projected.transpose(1, 2)

    def attention(self, x: Tensor) -> tuple[Tensor, Tensor]:
        norm = self.c.norm
        q = self.apply_to("ln_q", self.heads("Q", self.read(x, "ln1", norm.q)))
        k = self.apply_to("ln_k", self.heads("K", self.read(x, "ln1", norm.k)))
        v = self.heads("V", self.read(x, "ln1", norm.v))
        scores = q @ k.transpose(-1, -2) / self.c.d_head**0.5
        if self.c.causal:
            scores = scores + torch.full_like(scores, -torch.inf).triu(1)
        mixed = F.scaled_dot_product_attention(q, k, v, is_causal=self.c.causal)
        return self.O(mixed.transpose(1, 2).flatten(2)), scores.softmax(-1)

    def mlp(self, x: Tensor) -> Tensor:
        y = self.read(x, "ln2", self.c.norm.mlp)
        hidden = self.apply_to("in", y)
        if self.c.act == "glu":
            hidden = F.silu(self.apply_to("gate", y)) * hidden
        else:
            hidden = F.relu(hidden) if self.c.act == "relu" else F.gelu(hidden)
        return self.out(hidden)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        mixed, pattern = self.attention(x)
        x = self.apply_to("ln1_post", x + self.apply_to("ln1_peri", mixed))
        if not self.c.attn_only:
            x = self.apply_to("ln2_post", x + self.apply_to("ln2_peri", self.mlp(x)))
        return x, pattern


def _without_flags(norm: NormConfig) -> dict:
    kept = ("kind", "eps", "affine", "build_unused")
    return {name: getattr(norm, name) for name in kept}


class PlainOutput(NamedTuple):
    """Logits ``[batch, pos, class]`` and the pattern of each layer."""

    logits: Tensor
    patterns: list[Tensor]


class PlainTransformer(nn.Module):
    """All positions of all layers, for one run."""

    def __init__(self, c: TransformerConfig, reads: int | Tokens) -> None:
        super().__init__()
        self.c = c
        if isinstance(reads, int):
            reads = Tokens(reads + 1, 3, reads + 1 if c.output_equals else reads)
        vocab, n_ctx, self.n_classes = reads
        self.E = nn.Embedding(vocab, c.d_model)
        if c.positions == "learned":
            self.pos = nn.Embedding(n_ctx, c.d_model)
        self.blocks = nn.ModuleList(PlainBlock(c) for _ in range(c.n_layers))
        self.ln_final = PlainNorm(c.d_model, c.norm) if c.norm.final else nn.Identity()
        self.U = nn.Linear(c.d_model, self.n_classes, bias=c.bias_unembed)
        if c.tied:
            del self.U.weight
        self.double()

    def forward(self, tokens: Tensor) -> PlainOutput:
        x = self.E(tokens)
        if self.c.positions == "learned":
            x = x + self.pos(torch.arange(tokens.shape[-1]))
        patterns = []
        for block in self.blocks:
            x, pattern = block(x)
            patterns.append(pattern)
        W_U = self.E.weight[: self.n_classes] if self.c.tied else self.U.weight
        return PlainOutput(F.linear(self.ln_final(x), W_U, self.U.bias), patterns)

    def load(self, parameters: Mapping[str, Tensor]) -> "PlainTransformer":
        """Take over the parameters of one run; each must have its place, and each place one."""
        self.load_state_dict({plain_name(name): x for name, x in parameters.items()})
        return self


def plain_name(name: str) -> str:
    """Name of a parameter here: ``blocks.0.W_Q`` is ``blocks.0.Q.weight``."""
    name = re.sub(r"\bW_(\w+)$", r"\1.weight", name)
    name = re.sub(r"\bb_(\w+)$", r"\1.bias", name)
    return re.sub(r"\.w$", ".weight", re.sub(r"\.b$", ".bias", name))


def group(name: str) -> str:
    """Group of a parameter for the decay, by its name here."""
    if re.search(r"(^|\.)ln", name):
        return "norm"
    if name.endswith(".bias"):
        return "bias"
    return {"E.weight": "embed", "pos.weight": "embed", "U.weight": "unembed"}.get(name, "matrix")


def plain_optimizer(config: RunConfig, model: nn.Module) -> torch.optim.Optimizer:
    """The optimiser of torch, with an own parameter group for what does not decay."""
    o = config.optim
    lr = o.lr / config.model.readout_scale**2 if o.lr_rule != "constant" else o.lr
    decay = {
        "lambda": o.weight_decay,
        "eta_lambda": o.weight_decay * o.reference_lr / lr,
        "eta_lambda_alpha2": o.weight_decay * o.reference_lr / lr / config.model.readout_scale**2,
    }[o.hold]
    named = dict(model.named_parameters())
    groups = [
        {"params": [p for n, p in named.items() if group(n) not in o.decay_exempt]},
        {"params": [p for n, p in named.items() if group(n) in o.decay_exempt], "weight_decay": 0},
    ]
    if o.kind == "sgd":
        return torch.optim.SGD(groups, lr=lr, momentum=o.momentum, weight_decay=decay)
    kind = torch.optim.AdamW if o.kind == "adamw" else torch.optim.Adam
    return kind(groups, lr=lr, betas=o.betas, eps=o.eps, weight_decay=decay)


def train_plain(config: RunConfig, data: PairData, n_steps: int) -> dict[str, Tensor]:
    """Parameters after some updates of one run in float64, under their names here."""
    m, o = config.model, config.optim
    model = PlainTransformer(m, data.n)
    model.load(initial_parameters(Transformer(m, data.n), m.init_seed))
    optimizer = plain_optimizer(config, model)
    warmup = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda t: min(t / o.warmup, 1.0) if o.warmup else 1.0
    )
    f_0 = model(data.tokens).logits[:, -1].detach()
    for step in range(n_steps):
        rows = data.train
        if config.data.batch_size:
            rows = batch_rows(rows, config.data.batch_size, config.data.order_seed, step)
        f = model(data.tokens[rows]).logits[:, -1]
        h = m.readout_scale * (f - f_0[rows] if m.subtract_initial else f) / m.temperature
        if o.loss == "mse":
            loss = F.mse_loss(h, F.one_hot(data.c[rows], h.shape[-1]).double())
        else:
            loss = F.cross_entropy(h, data.c[rows])
        trained = [p for p in model.parameters() if p.requires_grad]
        # Norms that nothing reads get no gradient from the loss and none from the penalty.
        if o.l1:
            grads = torch.autograd.grad(loss, trained, allow_unused=True, retain_graph=True)
            read = [p for p, g in zip(trained, grads, strict=True) if g is not None]
            loss = loss + o.l1 * torch.stack([p.abs().sum() for p in read]).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        warmup.step()
    return {name: p.detach() for name, p in model.named_parameters()}


def train_plain_sequences(
    config: RunConfig, sequences: Callable[[int], Sequences], n_steps: int
) -> dict[str, Tensor]:
    """Train one run with torch.optim on what ``sequences`` gives for each step.

    Every token is read and every prediction computed; those that count are picked one by one.
    """
    sizes, m = config.sequence.sizes(config.problem), config.model
    reads = Tokens(sizes.vocab, sizes.length, sizes.n_classes)
    model = PlainTransformer(m, reads)
    model.load(initial_parameters(Transformer(m, reads), m.init_seed))
    optimizer = plain_optimizer(config, model)
    for step in range(n_steps):
        tokens, scored = sequences(step)
        h = m.readout_scale * model(tokens).logits / m.temperature
        pairs = [(i, place) for i, places in enumerate(scored.tolist()) for place in places]
        losses = [F.cross_entropy(h[i, place - 1], tokens[i, place]) for i, place in pairs]
        optimizer.zero_grad()
        torch.stack(losses).mean().backward()
        optimizer.step()
    return {name: p.detach() for name, p in model.named_parameters()}
