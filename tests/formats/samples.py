"""Small models in the published layouts, and what they compute by those layouts' own formulas."""

import itertools
from typing import Any

import torch
from torch import Tensor

from grok.formats import Published
from grok.models.config import TransformerConfig
from grok.models.transformer import Transformer

State = dict[str, Tensor]


def gaussian(*shape: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, dtype=torch.float64, generator=generator)


def published(n: int = 7, **fields: Any) -> Published:
    """A model of ours with random parameters, biases included."""
    sizes: dict[str, Any] = {"d_model": 8, "n_heads": 4, "d_mlp": 12, "act": "relu", "causal": True}
    config = TransformerConfig(**(sizes | fields))
    shapes = Transformer(config, n).shapes()
    parameters = {name: gaussian(*s, seed=i) for i, (name, s) in enumerate(shapes.items())}
    return Published("grok", config, n, parameters, 400)


def pairs(n: int) -> Tensor:
    """Tokens ``a b =`` of all pairs."""
    return torch.tensor([(a, b, n) for a, b in itertools.product(range(n), repeat=2)])


def logits(model: Published) -> Tensor:
    """What our transformer makes of all pairs, at every position."""
    stacked = {name: x.unsqueeze(0) for name, x in model.parameters.items()}
    tokens = pairs(model.n).unsqueeze(0)
    return Transformer(model.config, model.n).forward(stacked, tokens).logits[0]


def state_of(shapes: dict[str, tuple[int, ...]]) -> State:
    return {name: gaussian(*shape, seed=i) for i, (name, shape) in enumerate(shapes.items())}


def progress_measures(
    p: int, n_layers: int = 1, n_heads: int = 4, d: int = 8, m: int = 12, n_out: int | None = None
) -> State:
    """A state dict of the progress-measures code, shapes as in its modules."""
    shapes: dict[str, tuple[int, ...]] = {"embed.W_E": (d, p + 1), "pos_embed.W_pos": (3, d)}
    for i in range(n_layers):
        for name in "KQV":
            shapes[f"blocks.{i}.attn.W_{name}"] = (n_heads, d // n_heads, d)
        shapes[f"blocks.{i}.attn.W_O"] = (d, d)
        shapes |= {f"blocks.{i}.mlp.W_in": (m, d), f"blocks.{i}.mlp.b_in": (m,)}
        shapes |= {f"blocks.{i}.mlp.W_out": (d, m), f"blocks.{i}.mlp.b_out": (d,)}
    shapes["unembed.W_U"] = (d, n_out or p + 1)
    masks = {f"blocks.{i}.attn.mask": torch.ones(3, 3).tril() for i in range(n_layers)}
    return state_of(shapes) | masks


def progress_measures_logits(state: State, tokens: Tensor) -> Tensor:
    """Section 1.2 of PM, with the axes of the released code."""
    x = torch.einsum("dbp->bpd", state["embed.W_E"][:, tokens]) + state["pos_embed.W_pos"]
    for i in range(sum(name.endswith("W_O") for name in state)):
        w = {name.rpartition(".")[2]: v for name, v in state.items() if f"blocks.{i}." in name}
        q, k, v = (torch.einsum("ihd,bpd->biph", w[f"W_{name}"], x) for name in "QKV")
        scores = torch.einsum("biqh,bikh->biqk", q, k) / w["W_Q"].shape[1] ** 0.5
        pattern = scores.masked_fill(w["mask"] == 0, -torch.inf).softmax(dim=-1)
        z = torch.einsum("biqk,bikh->bqih", pattern, v).flatten(2)
        x = x + z @ w["W_O"].T
        x = x + (x @ w["W_in"].T + w["b_in"]).clamp(min=0) @ w["W_out"].T + w["b_out"]
    return x @ state["unembed.W_U"]


def transformer_lens(
    p: int, n_layers: int = 1, n_heads: int = 4, d: int = 8, m: int = 12, n_out: int | None = None
) -> State:
    """A state dict of TransformerLens, shapes as in its components."""
    h, e, out = n_heads, d // n_heads, n_out or p
    shapes: dict[str, tuple[int, ...]] = {"embed.W_E": (p + 1, d), "pos_embed.W_pos": (3, d)}
    for i in range(n_layers):
        a, b = f"blocks.{i}.attn.", f"blocks.{i}.mlp."
        shapes |= {f"{a}W_{name}": (h, d, e) for name in "QKV"} | {f"{a}W_O": (h, e, d)}
        shapes |= {f"{a}b_{name}": (h, e) for name in "QKV"} | {f"{a}b_O": (d,)}
        shapes |= {f"{b}W_in": (d, m), f"{b}b_in": (m,), f"{b}W_out": (m, d), f"{b}b_out": (d,)}
    shapes |= {"unembed.W_U": (d, out), "unembed.b_U": (out,)}
    state = state_of(shapes)
    for i in range(n_layers):
        state[f"blocks.{i}.attn.mask"] = torch.ones(3, 3).tril().bool()
        state[f"blocks.{i}.attn.IGNORE"] = torch.tensor(-torch.inf)
    return state


def transformer_lens_logits(state: State, tokens: Tensor) -> Tensor:
    """The forward pass of TransformerLens without normalisation, causal, relu."""
    x = state["embed.W_E"][tokens] + state["pos_embed.W_pos"]
    for i in range(sum(name.endswith("W_O") for name in state)):
        w = {name.rpartition(".")[2]: v for name, v in state.items() if f"blocks.{i}." in name}
        q, k, v = (
            torch.einsum("bpd,hde->bphe", x, w[f"W_{name}"]) + w[f"b_{name}"] for name in "QKV"
        )
        scores = torch.einsum("bqhe,bkhe->bhqk", q, k) / w["W_Q"].shape[2] ** 0.5
        pattern = torch.where(w["mask"], scores, w["IGNORE"].double()).softmax(dim=-1)
        z = torch.einsum("bhqk,bkhe->bqhe", pattern, v)
        x = x + torch.einsum("bqhe,hed->bqd", z, w["W_O"]) + w["b_O"]
        x = x + (x @ w["W_in"] + w["b_in"]).clamp(min=0) @ w["W_out"] + w["b_out"]
    return x @ state["unembed.W_U"] + state["unembed.b_U"]
