"""Which runs share a tensor program."""

from typing import Any

import pytest

from grok.config import RunConfig, TrackingConfig
from grok.models.config import norm_config
from grok.training import check_stackable
from tests.builders import tiny

MAY_DIFFER: dict[str, Any] = {
    "init_seed": 1,
    "split_seed": 1,
    "order_seed": 1,
    "table_seed": 1,
    "readout_scale": 2.0,
    "temperature": 2.0,
    "init_scale": 0.5,
    "lr": 0.1,
    "lr_rule": "inverse_square_readout",
    "betas": (0.5, 0.5),
    "weight_decay": 0.0,
    "hold": "eta_lambda",
    "reference_lr": 0.1,
    "tracking": TrackingConfig(group="other"),
}
MAY_NOT: list[tuple[dict[str, Any], str]] = [
    ({"p": 11}, "data.p"),
    ({"train_fraction": 0.5}, "data.train_fraction"),
    ({"batch_size": 4}, "data.batch_size"),
    ({"d_model": 32}, "model.d_model"),
    ({"norm": norm_config("mlp")}, "model.norm.mlp"),
    ({"norm": norm_config("none", eps=0.0)}, "model.norm.eps"),
    ({"subtract_initial": True}, "model.subtract_initial"),
    ({"init": "kaiming"}, "model.init"),
    ({"kind": "sgd"}, "optim.kind"),
    ({"eps": 0.0}, "optim.eps"),
    ({"warmup": 3}, "optim.warmup"),
    ({"l1": 1.0}, "optim.l1"),
    ({"loss": "mse"}, "optim.loss"),
    ({"decay_exempt": ("bias",)}, "optim.decay_exempt"),
    ({"dtype": "float32"}, "dtype"),
    ({"n_steps": 3}, "n_steps"),
]


@pytest.mark.parametrize("name", MAY_DIFFER)
def test_runs_of_a_stack_may_differ_in_what_is_a_number_per_run(name: str) -> None:
    other = tiny(**{name: MAY_DIFFER[name]})
    assert other != tiny()
    check_stackable([tiny(), other])


@pytest.mark.parametrize(("fields", "name"), MAY_NOT, ids=lambda x: str(x))
def test_any_other_difference_is_refused_by_name(fields: dict[str, Any], name: str) -> None:
    with pytest.raises(ValueError, match=f"^runs of one stack may not differ in {name}$"):
        check_stackable([tiny(), tiny(), tiny(**fields)])


def test_a_run_can_be_stacked_with_itself() -> None:
    check_stackable([RunConfig()])
    check_stackable([RunConfig(), RunConfig()])
