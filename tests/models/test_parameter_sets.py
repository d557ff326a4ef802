import pytest

from grok.config import RunConfig
from grok.keys import find_key
from grok.models.config import norm_config
from grok.models.parameter_sets import (
    INCLUDED,
    SET_KINDS,
    included,
    parameter_group,
    parameter_sets,
)
from grok.training import problem_of
from tests.builders import sequences, tiny
from tests.images import digits_run, needs_digits
from tests.toys import ENCODER, toy

NETWORKS = {
    "transformer": tiny(n_layers=2, norm=norm_config("pre"), bias_qkv=True, bias_unembed=True),
    "glu": tiny(act="glu"),
    "sequences": sequences("repeated_subsequence"),
    "perceptron": toy(),
    "encoder": toy(**ENCODER),
    "images": digits_run(),
}


def names(config: RunConfig) -> list[str]:
    return list(problem_of([config]).model.shapes())


def test_sets_of_a_transformer() -> None:
    config = tiny(n_layers=2, norm=norm_config("pre"), bias_qkv=True, bias_unembed=True)
    sets = parameter_sets(names(config), SET_KINDS)
    every, outside = names(config), {"W_E", "W_pos", "W_U", "b_U"}
    assert sets["all"] == every
    assert sets["encoder"] == [name for name in every if name not in outside]
    assert sets["layer.1"] == [name for name in every if name.startswith("blocks.1.")]
    assert sets["attn.qk"] == [f"blocks.{i}.W_{x}" for i in (0, 1) for x in "QK"]
    assert sets["attn.ov"] == [f"blocks.{i}.W_{x}" for i in (0, 1) for x in "VO"]
    assert sets["embed"] + sets["pos"] + sets["unembed"] == ["W_E", "W_pos", "W_U"]
    assert "blocks.0.ln1.b" in sets["ln"]
    assert {"blocks.0.b_Q", "b_U"} <= set(sets["bias"])


def test_layers_of_a_perceptron_are_its_hidden_ones() -> None:
    sets = parameter_sets(names(toy()), ("layers", "encoder"))
    assert sets == {
        "layer.0": ["W_0", "b_0"],
        "layer.1": ["W_1", "b_1"],
        "encoder": ["W_0", "b_0", "W_1", "b_1"],
    }


@pytest.mark.parametrize("network", [
    pytest.param(n, marks=needs_digits) if n == "images" else n for n in NETWORKS
])  # fmt: skip
def test_groups_part_the_parameters_and_no_parameter_is_named_like_a_set(network: str) -> None:
    every = names(NETWORKS[network])
    groups = parameter_sets(every, ("groups",))
    assert sorted(name for members in groups.values() for name in members) == sorted(every)
    sets = parameter_sets(every, SET_KINDS)
    assert not set(every) & set(sets)
    for name, family in [*((n, "norm") for n in every), *((n, "dynamics") for n in sets)]:
        row = find_key(f"norm/theta/{name}")
        assert row is not None
        assert row.family == ("norm" if name == "all" else family)


def test_sets_that_are_not_asked_for_or_have_no_member_are_not_there() -> None:
    assert parameter_sets(["W_E"], ("encoder", "layers")) == {}
    assert parameter_sets(["W_E"], ("all",)) == {"all": ["W_E"]}


def test_the_gain_of_a_final_norm_is_of_the_encoder_and_of_no_layer() -> None:
    sets = parameter_sets(["ln_final.w"], SET_KINDS)
    assert set(sets) == {"all", "encoder", "ln"}
    assert parameter_group("ln_final.b") == "ln"


def test_what_a_saturated_network_scales() -> None:
    every = ["W_E", "W_pos", "blocks.0.ln1.w", "blocks.0.W_K", "blocks.0.b_K", "blocks.0.b_O"]
    every += ["blocks.0.W_in", "blocks.0.b_in", "ln_final.b", "W_U", "b_U"]
    assert included(every, "all") == every
    matrices = ["W_E", "W_pos", "blocks.0.W_K", "blocks.0.W_in", "W_U"]
    assert included(every, "weights_only") == matrices
    assert included(every, "attn_only") == ["blocks.0.W_K", "blocks.0.b_K", "blocks.0.b_O"]
    assert included(every, "no_embed") == every[2:]
    assert INCLUDED == ("all", "weights_only", "attn_only", "no_embed")
    with pytest.raises(KeyError):
        included(every, "some")
