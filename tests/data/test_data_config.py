"""A data section that no run can have is refused in one line."""

from typing import Any

import pytest

from grok.data.config import DataConfig, SplitMethod, n_train_rows


def test_the_default_is_the_setting_of_progress_measures() -> None:
    config = DataConfig()
    assert (config.n_elements, config.n_pairs) == (113, 12769)
    assert (config.n_train, config.n_test) == (3830, 8939)


def test_inductive_bias_rounds_the_test_set_down() -> None:
    config = DataConfig(split="python_shuffle_test_floor")
    assert (config.n_train, config.n_test) == (3831, 8938)


@pytest.mark.parametrize(
    ("method", "of_100", "of_11"),
    [
        # In binary 0.29 * 100 is 28.999999999999996 and (1 - 0.29) * 100 is 71.
        ("python_shuffle", 28, 3),
        ("torch_randperm", 28, 3),
        ("python_shuffle_test_floor", 29, 4),
        ("numpy_choice", 29, 3),
    ],
)
def test_the_size_of_the_training_set_is_rounded_as_the_programs_do(
    method: SplitMethod, of_100: int, of_11: int
) -> None:
    assert n_train_rows(method, 100, 0.29) == of_100
    assert n_train_rows(method, 11, 0.3) == of_11


def test_division_has_no_pairs_with_a_zero_divisor() -> None:
    config = DataConfig(operation="div", p=97)
    assert (config.n_elements, config.n_pairs) == (97, 97 * 96)


def test_the_group_gives_the_number_of_elements_of_a_composition() -> None:
    config = DataConfig(operation="compose", group="S3xC5")
    assert (config.n_elements, config.n_pairs) == (30, 900)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"operation": "div", "p": 96}, "data.p=96: .*'div' needs a prime p, such as 89 and 97"),
        ({"p": 1}, "data.p=1: allowed are 2 to 2000"),
        ({"p": 2001}, "data.p=2001: allowed are 2 to 2000"),
        ({"operation": "compose"}, "data.group='': .*'compose' needs one"),
        ({"group": "S3"}, "data.group='S3': allowed only with data.operation='compose'"),
        ({"operation": "compose", "group": "S9"}, "data.group: unknown group 'S9'; allowed: C<n>"),
        ({"operation": "compose", "group": "S6xS6"}, "data.group: .*518400 elements; .*2000"),
        (
            {"operation": "compose", "group": "S3", "p": 6},
            "data.p=6: not used by .*leave it at 113",
        ),
        ({"train_fraction": 0.0}, "data.train_fraction=0.0: .*between 0 and 1"),
        ({"train_fraction": 1.0}, "data.train_fraction=1.0: .*between 0 and 1"),
        ({"train_fraction": float("nan")}, "data.train_fraction=nan: .*between 0 and 1"),
        ({"p": 2, "train_fraction": 0.2}, "data.train_fraction=0.2 leaves 0 training and 4 test"),
        ({"batch_size": -1}, "data.batch_size=-1: allowed are 1 to 3830"),
        ({"batch_size": 3831}, "data.batch_size=3831: allowed are 1 to 3830"),
        ({"table_seed": -1}, "data.table_seed=-1: allowed are 0 to 4294967295"),
        ({"split_seed": 2**32}, "data.split_seed=4294967296: allowed are 0 to 4294967295"),
        ({"order_seed": -1}, "data.order_seed=-1: allowed are 0 to 4294967295"),
    ],
    ids=str,
)
def test_an_impossible_value_is_refused_by_key_value_and_what_is_allowed(
    fields: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message) as refusal:
        DataConfig(**fields)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("key", "allowed"), [("operation", "add, sub, mul"), ("split", "python_shuffle, ")]
)
def test_an_unknown_choice_is_refused_by_naming_the_known_ones(key: str, allowed: str) -> None:
    config = DataConfig()
    object.__setattr__(config, key, "plus")  # the constructor's types are checked in tests
    with pytest.raises(ValueError, match=f"data.{key}='plus': allowed are {allowed}"):
        config.__post_init__()


@pytest.mark.parametrize("split", ["python_shuffle_test_floor", "numpy_choice"])
def test_a_training_set_rounded_up_to_every_pair_is_refused(split: SplitMethod) -> None:
    with pytest.raises(ValueError, match="leaves 4 training and 0 test pairs"):
        DataConfig(p=2, train_fraction=0.9, split=split)


def test_the_largest_values_are_allowed() -> None:
    config = DataConfig(p=1999, operation="div", batch_size=1, split_seed=2**32 - 1)
    assert config.n_pairs == 1999 * 1998
    assert DataConfig(batch_size=3830).n_train == 3830
