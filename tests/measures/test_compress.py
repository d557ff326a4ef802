"""Rank of what attention adds to the stream."""

from typing import Any

import pytest
import torch
from torch import Tensor

from grok.measures import MEASURES, Snapshot, compressibility
from grok.models.config import norm_config
from tests.builders import data_of, make_stack, paper, tiny
from tests.plain import PlainTransformer


def attention_of(plain: PlainTransformer, tokens: Tensor) -> list[Tensor]:
    """What the attention of each layer adds to the stream at the last position."""
    added: list[Tensor] = []

    def keep(_: Any, __: Any, out: Tensor) -> None:
        added.append(out[:, -1])

    for block in plain.blocks:
        # The norm of peri, or the identity in its place.
        block.get_submodule("ln1_peri").register_forward_hook(keep)
    plain(tokens)
    return added


@pytest.mark.parametrize(
    "fields",
    [{}, {"n_layers": 2}, {"norm": norm_config("peri")}, {"norm": norm_config("post")}],
    ids=str,
)
def test_rank_of_attention_is_that_of_what_plain_torch_adds_to_the_stream(
    fields: dict[str, Any],
) -> None:
    configs = [tiny(init_seed=s, split_seed=s, **fields) for s in range(2)]
    stack = make_stack(*configs)
    stack.advance(3)
    readings = MEASURES["compress"](stack.snapshot())
    for run, data in enumerate(data_of(configs)):
        plain = PlainTransformer(configs[run].model, data.n)
        plain.load({name: x[run] for name, x in stack.named(stack.theta).items()})
        added = attention_of(plain, data.tokens)
        for split, rows in (("train", data.train), ("test", data.test)):
            for layer, out in enumerate(added):
                share = torch.linalg.svdvals(out[rows]).square()
                share = share / share.sum()
                expected = torch.special.entr(share).sum().exp()
                ours = readings[f"compress/attn_effective_rank/{layer}/{split}"][run]
                torch.testing.assert_close(ours, expected.detach())


def test_without_attention_the_pre_logits_are_read_alone() -> None:
    snapshot = Snapshot(0, {}, pre_logits=lambda: {"test": torch.eye(4).unsqueeze(0)})
    readings = compressibility(snapshot)
    assert "compress/effective_rank/test" in readings
    assert not any("attn" in key for key in readings)


# Mean of five seeds at step 1 in the authors' logs (attn_ln_analysis.csv); ours scatter by about 2.
PUBLISHED = {"No LN": 20.4, "A^v": 23.1, "M": 19.9}


@pytest.mark.slow
@pytest.mark.parametrize(("name", "expected"), PUBLISHED.items(), ids=PUBLISHED.keys())
def test_rank_of_attention_starts_about_as_published(name: str, expected: float) -> None:
    norm = norm_config(name, eps=0.0)
    stack = make_stack(*(paper(seed=seed, norm=norm) for seed in (456, 789, 111)))
    stack.advance(1)
    attention = stack.snapshot().attn_out
    readings = compressibility(Snapshot(1, {}, pre_logits=dict, attn_out=lambda: attention))
    ours = readings["compress/attn_effective_rank/0/test"].mean().item()
    assert ours == pytest.approx(expected, abs=3)
