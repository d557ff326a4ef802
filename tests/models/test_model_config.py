"""The schema of a network: published names, refusals, parameters that exist."""

from typing import Any

import pytest

from grok.models.config import (
    NORM_NAMES,
    PER_RUN,
    PLACEMENTS,
    NormConfig,
    TransformerConfig,
    norm_config,
    norm_fields,
)
from grok.models.transformer import Transformer
from tests.builders import EVERY_PLACEMENT, transformer

# Singh et al. 2026, table 1 and the specifiers of their code: N_q, N_k, N_v, N_m.
SINGH = [
    ("No LN", "off", (False, False, False, False)),
    ("A*", "attn-pre", (True, True, True, False)),
    ("M+A*", "pre", (True, True, True, True)),
    ("M", "mlp-pre", (False, False, False, True)),
    ("A^qk", "attn-pre-qk", (True, True, False, False)),
    ("A^v", "attn-pre-v", (False, False, True, False)),
    ("M+A^v", "pre-v", (False, False, True, True)),
]


@pytest.mark.parametrize(("paper", "code", "reads"), SINGH)
def test_published_names_set_the_published_norms(
    paper: str, code: str, reads: tuple[bool, ...]
) -> None:
    assert norm_config(paper) == norm_config(code)
    norm = norm_config(paper)
    assert (norm.q, norm.k, norm.v, norm.mlp) == reads
    assert not any((norm.peri, norm.post, norm.final, norm.qk_proj))


def test_names_of_merrill_are_ours() -> None:
    assert norm_config("pre_ln") == norm_config("pre")
    assert norm_config("post_ln") == norm_config("post")
    # Their pre-norm normalises the output of a sublayer, and nothing else.
    assert norm_config("sublayer_ln") == NormConfig(peri=True)


@pytest.mark.parametrize("name", [False, "False", "false"])
def test_what_yaml_makes_of_an_unquoted_off_is_no_norm(name: Any) -> None:
    assert norm_fields(name) == norm_fields("none")


def test_every_name_is_accepted_and_every_canonical_name_is_given_back() -> None:
    assert len({norm_config(name) for name in NORM_NAMES}) == len(PLACEMENTS) + 2
    assert [norm_config(name).name for name in PLACEMENTS] == list(PLACEMENTS)


def test_a_placement_without_a_name_is_named_by_its_flags() -> None:
    assert NormConfig(q=True, final=True).name == "q+final"


def test_a_name_resets_the_flags_and_leaves_the_rest() -> None:
    assert norm_config("mlp", kind="rms", eps=0.0) == NormConfig(mlp=True, kind="rms", eps=0.0)
    assert "kind" not in norm_fields("mlp")


def test_the_probe_with_an_l2_norm_sets_its_kind_too() -> None:
    expected = NormConfig(mlp=True, kind="l2", affine="none", eps=0.0)
    assert norm_config("mlp-inpnorm") == expected


def test_an_unknown_name_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"model\.norm=layernorm is unknown; allowed: none, attn,"):
        norm_fields("layernorm")


IMPOSSIBLE: list[tuple[dict[str, Any], str]] = [
    ({"n_layers": 0}, "model.n_layers=0 must be 1 or more"),
    ({"d_model": 0}, "model.d_model=0 must be 1 or more"),
    ({"n_heads": 3}, "model.n_heads=3 does not divide model.d_model=128"),
    ({"dropout": 1.0}, "model.dropout=1.0 is not in"),
    ({"dropout": -0.1}, "model.dropout=-0.1 is not in"),
    ({"readout_scale": 0.0}, "model.readout_scale=0.0 must be above 0"),
    ({"temperature": -1.0}, "model.temperature=-1.0 must be above 0"),
    ({"readout_scale": float("nan")}, "model.readout_scale=nan must be above 0"),
    ({"init_seed": -1}, "model.init_seed=-1 is not in"),
    ({"init_seed": 2**32}, "model.init_seed=4294967296 is not in"),
]


@pytest.mark.parametrize(("fields", "message"), IMPOSSIBLE, ids=lambda x: str(x))
def test_impossible_values_are_refused_by_name(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        TransformerConfig(**fields)


def test_a_negative_epsilon_is_refused_and_0_is_not() -> None:
    assert NormConfig(eps=0.0).eps == 0
    with pytest.raises(ValueError, match=r"model\.norm\.eps=-1e-05 is negative"):
        NormConfig(eps=-1e-5)


def test_the_default_network_has_the_shapes_of_the_paper() -> None:
    assert Transformer(TransformerConfig(), 113).shapes() == {
        "W_E": (114, 128),
        "W_pos": (3, 128),
        "blocks.0.W_Q": (128, 128),
        "blocks.0.W_K": (128, 128),
        "blocks.0.W_V": (128, 128),
        "blocks.0.W_O": (128, 128),
        "blocks.0.W_in": (512, 128),
        "blocks.0.b_in": (512,),
        "blocks.0.W_out": (128, 512),
        "blocks.0.b_out": (128,),
        "W_U": (114, 128),
    }


@pytest.mark.parametrize("norm", EVERY_PLACEMENT, ids=lambda norm: norm.name)
def test_exactly_the_norms_that_are_read_are_built(norm: NormConfig) -> None:
    built = {name.split(".")[-2] for name in transformer(norm=norm).shapes() if "ln" in name}
    expected = {
        "ln1": norm.q or norm.k or norm.v,
        "ln2": norm.mlp,
        "ln1_peri": norm.peri,
        "ln2_peri": norm.peri,
        "ln1_post": norm.post,
        "ln2_post": norm.post,
        "ln_final": norm.final,
        "ln_q": norm.qk_proj,
        "ln_k": norm.qk_proj,
    }
    assert built == {name for name, is_read in expected.items() if is_read}


@pytest.mark.parametrize(
    ("kind", "affine", "suffixes"),
    [
        ("layer", "trained", {"w", "b"}),
        ("layer", "frozen", {"w", "b"}),
        ("rms", "trained", {"w"}),
        ("layer", "none", set()),
        ("l2", "trained", set()),
        ("centre", "trained", set()),
    ],
)
def test_a_norm_has_the_gain_and_bias_of_its_kind(
    kind: Any, affine: Any, suffixes: set[str]
) -> None:
    model = transformer(norm=NormConfig(mlp=True, kind=kind, affine=affine))
    assert {name[-1] for name in model.shapes() if "ln2" in name} == suffixes
    is_trained = [model.is_trained(name) for name in model.shapes() if "ln2" in name]
    assert all(trained == (affine == "trained") for trained in is_trained)


def test_a_depth_3_network_repeats_the_block_and_nothing_else() -> None:
    one, three = transformer().shapes(), transformer(n_layers=3).shapes()
    blocks = [name for name in one if name.startswith("blocks.0.")]
    assert len(three) == len(one) + 2 * len(blocks)
    assert all(three[name.replace("0", "2", 1)] == one[name] for name in blocks)


def test_fields_that_may_differ_between_runs_exist() -> None:
    assert set(PER_RUN) <= TransformerConfig.__dataclass_fields__.keys()
