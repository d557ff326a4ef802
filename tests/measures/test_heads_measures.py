"""Statistics of heads as readings: of all rows, of the last one, and of kinds."""

import math

import pytest
import torch
from torch import Tensor

from grok.config.measures import HeadsConfig, MeasuresConfig
from grok.measures import MEASURES, Readings, Snapshot
from tests.builders import make_stack, tiny

L = 6
INF = math.inf


def causal_scores() -> Tensor:
    """A mean head, one on the first position, and one on ties of two where it sees two."""
    scores = torch.zeros(1, 3, 3, L, L, dtype=torch.float64)
    scores[:, :, 1, :, 0] = 9.0
    scores[:, :, 2, :, :2] = 5.0
    return scores.masked_fill(torch.ones(L, L, dtype=torch.bool).triu(1), -INF)


def read(scores: Tensor, config: HeadsConfig | None = None) -> Readings:
    measures = MeasuresConfig(heads=config or HeadsConfig())
    return MEASURES["heads"](Snapshot(0, {}, scores=lambda: [scores], measures=measures))


def test_heads_that_are_known_have_their_statistics_and_kinds() -> None:
    readings = read(causal_scores())

    def row(name: str) -> list[float]:
        return [float(readings[f"{name}/0/{head}"]) for head in range(3)]

    two = (1 + 2 * (L - 1)) / L
    assert row("attn/n_mean") == pytest.approx([(L + 1) / 2, 1, two])
    assert float(readings["attn/n_mean/0"]) == pytest.approx(((L + 1) / 2 + 1 + two) / 3)
    assert row("attn/split") == pytest.approx([(L - 1) / L, 0, (L - 1) / L])
    assert row("attn/split_of_many") == pytest.approx([1, 0, 1])
    assert row("attn/leak") == [0, 0, 0]
    assert row("attn/frac")[0] == 1
    assert row("attn/eff")[0] == pytest.approx((L + 1) / 2)
    assert row("attn/entropy_share")[0] == pytest.approx(1)
    assert row("sat/attn_kl")[0] == pytest.approx(0, abs=1e-12)
    assert row("attn/dist")[1] == pytest.approx((L - 1) / 2)
    assert row("attn/reldist")[:2] == pytest.approx([1, 2])
    assert [float(readings[f"attn/num_{kind}/0"]) for kind in ("argmax", "mean", "mixed")] == [
        2,
        1,
        0,
    ]


def test_the_last_row_is_read_by_itself() -> None:
    readings = read(causal_scores())
    found = [float(readings[f"attn/n_mean_last/0/{head}"]) for head in range(3)]
    assert found == [L, 1, 2]
    assert float(readings["attn/frac_last/0/2"]) == pytest.approx(2 / L)
    assert float(readings["attn/n_std_last/0/0"]) == 0
    a, b = math.exp(5.0), 1.0
    p = torch.tensor([a, a, *[b] * (L - 2)], dtype=torch.float64) / (2 * a + (L - 2) * b)
    assert float(readings["attn/eff_last/0/2"]) == pytest.approx(
        float(torch.special.entr(p).sum().exp())
    )
    expected = math.log(0.5 / float(p[0]))
    assert float(readings["sat/attn_kl_last/0/2"]) == pytest.approx(expected)


def test_settings_come_from_the_config() -> None:
    near = causal_scores()
    near[:, :, 1, :, 1:] += 8.95  # within 0.05 of the first position
    near = near.masked_fill(torch.ones(L, L, dtype=torch.bool).triu(1), -INF)
    assert float(read(near)["attn/n_mean_last/0/1"]) == 1
    assert float(read(near, HeadsConfig(tol=0.1))["attn/n_mean_last/0/1"]) == L
    strict = read(causal_scores(), HeadsConfig(argmax_below=1.5))
    assert float(strict["attn/num_argmax/0"]) == 1
    assert float(strict["attn/num_mixed/0"]) == 1
    assert (
        float(
            read(causal_scores(), HeadsConfig(argmax_below=1.5, mean_from=0.3))["attn/num_mean/0"]
        )
        == 2
    )


def test_rows_of_padding_are_left_out() -> None:
    scores = causal_scores()
    padded = torch.full((1, 3, 3, L + 2, L + 2), -INF, dtype=torch.float64)
    padded[..., :L, :L] = scores
    ours, theirs = read(padded), read(scores)
    for key, value in theirs.items():
        if "_last" not in key:
            torch.testing.assert_close(ours[key], value, msg=key)


def test_a_stack_on_pairs_sees_all_three_positions() -> None:
    readings = MEASURES["heads"](make_stack(tiny(), tiny(init_seed=1)).snapshot())
    assert readings["attn/n_mean/0"].shape == (2,)
    kinds = [readings[f"attn/num_{kind}_last/0"] for kind in ("argmax", "mean", "mixed")]
    assert torch.stack(kinds).sum(dim=0).tolist() == [2, 2]  # every head has one
    frac = readings["attn/n_mean_last/0/0"] / 3
    torch.testing.assert_close(readings["attn/frac_last/0/0"], frac)
