"""A run's row of numbers, and its parameters as views of it."""

import pytest
import torch

from grok.models.config import norm_config
from grok.training.flat import FlatLayout, group_of
from tests.builders import transformer

MODEL = transformer(norm=norm_config("mlp", build_unused=True), bias_unembed=True)


def rows() -> torch.Tensor:
    n = sum(torch.Size(shape).numel() for shape in MODEL.shapes().values())
    return torch.arange(2.0 * n).reshape(2, n)


def test_views_share_memory_and_cover_every_number_once() -> None:
    flat = rows()
    views = FlatLayout(MODEL).views(flat)
    assert {name: tuple(x.shape[1:]) for name, x in views.items()} == MODEL.shapes()
    numbers = torch.cat([x[1].flatten() for x in views.values()])
    assert torch.equal(numbers.sort().values, flat[1])
    for x in views.values():
        x.zero_()
    assert not flat.any()


def test_trained_parameters_come_first() -> None:
    layout = FlatLayout(MODEL)
    assert list(layout.shapes)[-2:] == ["blocks.0.ln1.w", "blocks.0.ln1.b"]
    assert layout.n_trained == rows().shape[1] - 2 * 8
    part = layout.views(rows()[:, : layout.n_trained])
    assert list(part) == layout.trained
    whole = layout.views(rows())
    assert all(torch.equal(part[name], whole[name]) for name in part)


@pytest.mark.parametrize(
    ("name", "group"),
    [
        ("W_E", "embed"),
        ("W_pos", "embed"),
        ("W_U", "unembed"),
        ("b_U", "bias"),
        ("blocks.0.W_Q", "matrix"),
        ("blocks.2.W_out", "matrix"),
        ("blocks.0.b_in", "bias"),
        ("blocks.0.ln1.w", "norm"),
        ("blocks.0.ln1.b", "norm"),
        ("blocks.1.ln2_peri.b", "norm"),
        ("blocks.0.ln_q.w", "norm"),
        ("ln_final.w", "norm"),
    ],
)
def test_every_parameter_has_a_group(name: str, group: str) -> None:
    assert group_of(name) == group


def test_exempt_groups_do_not_decay_and_all_others_do() -> None:
    layout = FlatLayout(MODEL)
    assert layout.decays(()) is None
    mask = layout.decays(("norm", "embed"))
    assert mask is not None
    views = layout.views(mask.float().unsqueeze(0))
    exempt = {"W_E", "W_pos", "blocks.0.ln2.w", "blocks.0.ln2.b"}
    assert {name for name, x in views.items() if not x.any()} == exempt
    assert {name for name, x in views.items() if x.all()} == set(layout.trained) - exempt
