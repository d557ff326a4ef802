"""The ablations of Nanda et al. 2023 written out, for one run: every pair through all positions of
a ``torch.nn`` network, and projections by least squares."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from grok.config import RunConfig
from tests.plain import PlainBlock, PlainTransformer


def waves(p: int, k: int) -> Tensor:
    """1, cos and sin of frequency k, one per row."""
    angle = 2 * math.pi * k * torch.arange(p).double() / p
    return torch.stack([torch.ones(p).double(), angle.cos(), angle.sin()])


def projected(x: Tensor, on: Tensor) -> Tensor:
    """Least squares of the columns of x by the columns of ``on``."""
    return on @ (torch.linalg.pinv(on, rtol=1e-10) @ x)


def polynomials(p: int, *keys: int) -> Tensor:
    """All products of {1, cos, sin} of a and b, of each frequency by itself, one per column."""
    columns = [
        (one[:, None] * other).flatten()
        for k in keys
        for one in waves(p, k)
        for other in waves(p, k)
    ]
    return torch.stack(columns, dim=-1)


class PlainAblation:
    """One run of addition or subtraction; ``f_0`` is what is subtracted from its outputs."""

    def __init__(self, config: RunConfig, model: PlainTransformer, f_0: Tensor | None = None):
        self.p, self.config, self.model = config.data.p, config, model
        block = model.blocks[0]
        assert isinstance(block, PlainBlock)
        self.block = block
        pair = torch.arange(self.p**2)
        self.a, self.b = pair // self.p, pair % self.p
        sign = 1 if config.data.operation == "add" else -1
        self.labels = (self.a + sign * self.b) % self.p
        self.f_0 = torch.zeros(()) if f_0 is None else f_0
        tokens = torch.stack([self.a, self.b, torch.full_like(self.a, self.p)], dim=-1)
        x = model.E(tokens) + model.pos(torch.arange(3))
        self.e = x[:, 2]
        norm = config.model.norm
        q = block.apply_to("ln_q", block.heads("Q", block.read(x, "ln1", norm.q)))[:, :, 2:]
        k = block.apply_to("ln_k", block.heads("K", block.read(x, "ln1", norm.k)))
        self.v = block.heads("V", block.read(x, "ln1", norm.v))
        self.scores = (q @ k.mT)[:, :, 0] / config.model.d_head**0.5  # pair, head, key
        self.pattern = self.scores.softmax(dim=-1)
        self.mid = self.after_attention(self.e, self.attention(self.pattern))
        self.N = self.neurons(self.mid)

    def attention(self, pattern: Tensor) -> Tensor:
        z = (pattern[:, :, None] @ self.v)[:, :, 0].flatten(1)
        return self.block.apply_to("ln1_peri", self.block.O(z))

    def after_attention(self, stream: Tensor, attention: Tensor) -> Tensor:
        return self.block.apply_to("ln1_post", stream + attention)

    def neurons(self, mid: Tensor) -> Tensor:
        c = self.config.model
        read = self.block.read(mid, "ln2", c.norm.mlp)
        pre = self.block.apply_to("in", read)
        if c.act == "glu":
            return F.silu(self.block.apply_to("gate", read)) * pre
        return F.relu(pre) if c.act == "relu" else F.gelu(pre)

    def logits(self, skip: Tensor, N: Tensor) -> Tensor:
        post = self.block.apply_to(
            "ln2_post", skip + self.block.apply_to("ln2_peri", self.block.out(N))
        )
        c, model = self.config.model, self.model
        W_U = model.E.weight[: model.n_classes] if c.tied else model.U.weight
        f = F.linear(model.ln_final(post), W_U, model.U.bias)
        return (c.readout_scale * (f - self.f_0) / c.temperature)[:, : self.p]

    def loss(self, logits: Tensor) -> Tensor:
        return F.cross_entropy(logits, self.labels)

    def from_mid(self, mid: Tensor) -> Tensor:
        return self.loss(self.logits(mid, self.neurons(mid)))

    def losses(self, keys: tuple[int, ...]) -> dict[str, Tensor]:
        """Every ablation under these key frequencies."""
        nothing, attention = torch.zeros_like(self.e), self.attention(self.pattern)
        found = self.of_logits(keys) | self.of_neurons(keys)
        found["A7/zero"] = self.loss(self.logits(nothing, self.N))
        found["A7/mean"] = self.loss(self.logits(self.mid.mean(dim=0) + nothing, self.N))
        found["A8"] = self.from_mid(self.after_attention(self.e, nothing))
        found["A9"] = self.from_mid(self.after_attention(nothing, attention))
        found["A10"] = self.from_pattern(self.without_equals())
        found["A11"] = self.from_pattern(self.linear())
        return found

    def from_pattern(self, pattern: Tensor) -> Tensor:
        return self.from_mid(self.after_attention(self.e, self.attention(pattern)))

    def without_equals(self) -> Tensor:
        pattern = self.pattern.clone()
        pattern[:, :, 2] = 0
        return pattern / pattern.sum(dim=-1, keepdim=True)

    def linear(self) -> Tensor:
        pattern = self.pattern.clone()
        for head in range(pattern.shape[1]):
            x = self.scores[:, head, 0] - self.scores[:, head, 1]
            line = torch.stack([torch.ones_like(x), x], dim=-1)
            share = projected(torch.sigmoid(x)[:, None], line)[:, 0]
            rest = 1 - self.pattern[:, head, 2]
            pattern[:, head, 0], pattern[:, head, 1] = rest * share, rest * (1 - share)
        return pattern

    def of_logits(self, keys: tuple[int, ...]) -> dict[str, Tensor]:
        p, L = self.p, self.logits(self.mid, self.N)
        sign = 1 if self.config.data.operation == "add" else -1
        s = (self.a + sign * self.b) % p
        by_sum = torch.stack([w[s] for k in keys for w in waves(p, k)], dim=-1)
        d = (s[:, None] - torch.arange(p)) % p
        cubes = torch.stack([waves(p, k)[1][d].flatten() for k in keys], dim=-1)
        return {
            "A2": self.loss(projected(L, by_sum)),
            "A3": self.loss(projected(L, polynomials(p, *keys))),
            "A12": self.loss(projected(L.flatten()[:, None], cubes).reshape(L.shape)),
        }

    def of_neurons(self, keys: tuple[int, ...]) -> dict[str, Tensor]:
        p, N = self.p, self.N
        mean = N.mean(dim=0)
        best, pure = torch.zeros(N.shape[1]).double(), N.clone()
        found = {}
        for k in range(1, p // 2 + 1):
            fit = projected(N, polynomials(p, k))
            found[f"A4/{k}"] = self.loss(self.logits(self.mid, N - (fit - mean)))
            explained = (fit - mean).square().sum(dim=0) / (N - mean).square().sum(dim=0)
            is_better = (explained > 0.85) & (explained > best)
            pure = torch.where(is_better, fit, pure)
            best = torch.maximum(best, explained.nan_to_num())
        self.n_pure = int((best > 0.85).sum())
        W_U = self.model.E.weight if self.config.model.tied else self.model.U.weight
        W_L = W_U[:p] @ self.block.out.weight
        read = torch.cat([waves(p, k)[1:] @ W_L for k in keys]).mT
        found["A1"] = self.loss(self.logits(self.mid, pure))
        found["A5"] = self.loss(self.logits(self.mid, projected(N.mT, read).mT))
        found["A6"] = self.loss(self.logits(self.mid, N - projected(N.mT, read).mT))
        return found
