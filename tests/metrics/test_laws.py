"""Laws that every metric obeys: stacked runs are measured independently, arguments are kept."""

import importlib
import inspect
import pkgutil
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor
from torch.utils import _pytree as pytree

import grok.metrics
from grok.groups import group
from grok.metrics.ablation import (
    frequency_polynomials,
    key_directions,
    linear_pattern,
    on_span,
    without_equals,
)
from grok.metrics.attention import (
    attention_entropy,
    kl_divergence,
    published_entropy,
    rounded_pattern,
    saturated_pattern,
    total_variation,
)
from grok.metrics.circuit import attention_explained, outside_keys, rank_gap, read_out
from grok.metrics.collapse import class_separation, same_label_loss, within_class_share
from grok.metrics.components import (
    effective_dimension,
    explained_variance,
    from_components,
    on_components,
    variance_entropy,
)
from grok.metrics.fourier import (
    fourier_concentration,
    fourier_f_statistic,
    fourier_power,
    top_share,
)
from grok.metrics.group_fourier import (
    character_coefficients,
    irrep_basis,
    irrep_characters,
    irrep_power,
    product_means,
    restrict_to_irreps,
)
from grok.metrics.heads import head_class, head_statistics
from grok.metrics.homogeneity import mean_surplus
from grok.metrics.irrep_logits import irrep_parts, irrep_shares, losses_without
from grok.metrics.kernel import (
    centred_label_alignment,
    kernel_cosine_distance,
    kernel_distance,
    kernel_norm,
    label_alignment,
)
from grok.metrics.logit_waves import (
    cosine_coefficients,
    cosine_energy,
    cosine_logits,
    cosine_share,
    cosine_table,
    without_cosines,
)
from grok.metrics.loss import accuracy, cross_entropy, is_right, logit_margin, mse
from grok.metrics.norms import l2_norm
from grok.metrics.pair_means import on_pairs, pair_means, sum_means
from grok.metrics.pair_waves import (
    explained_by_frequency,
    keep_waves,
    wave_energy,
    wave_tables,
)
from grok.metrics.parallelograms import (
    ideal_accuracy,
    ideal_rqi,
    ideal_validation_accuracy,
    in_training,
    integer_rank,
    is_implied,
    nullity,
    reached,
)
from grok.metrics.progress import (
    cluster_frequencies,
    component_norms,
    excluded_logits,
    excluded_loss_by_frequency,
    gini,
    key_frequencies,
    restricted_logits,
)
from grok.metrics.representation import (
    defects,
    matrix_rqi,
    predicted_accuracy,
    product_defects,
    realised,
    rqi,
)
from grok.metrics.samples import addition_samples, group_samples
from grok.metrics.saturation import (
    answers_agree,
    cosine,
    masked_mean,
    saturation,
    smallest_gap,
    unit,
    unsaturated_weight,
)
from grok.metrics.spectra import (
    effective_rank,
    gram_eigenvalues,
    numerical_rank,
    power_law_fit,
    published_stable_rank,
    rank_slope,
    singular_values,
    stable_rank,
)

# None maps the tensors of one run: a constant of the group, series of readings, diagrams of runs, a
# network as a function of its parameters.
WITHOUT_RUNS = {
    "addition_samples",
    "agreement",
    "agrees",
    "block_waves",
    "censored",
    "coordinate",
    "cosine_on_ray",
    "euler_degree",
    "fourier_basis",
    "group_samples",
    "irrep_basis",
    "irrep_characters",
    "learning_phase",
    "local_degree",
    "log_delay",
    "majority_phase",
    "median_of_three",
    "modular_samples",
    "onset",
    "order_of",
    "pairs_by_product",
    "parse_map",
    "phase_counts",
    "phase_frequency",
    "phase_shares",
    "phases",
    "ray_error",
    "reaches",
    "rows_without",
    "samples_of",
    "scaled",
    "slingshots",
    "sustained_onset",
    "text_map",
    "unordered_pairs",
}
# Of masks and whole numbers alone, which no NaN can enter.
WITHOUT_NUMBERS = {
    "ideal_accuracy",
    "ideal_rqi",
    "ideal_validation_accuracy",
    "in_training",
    "integer_rank",
    "is_implied",
    "nullity",
    "predicted_accuracy",
    "reached",
}


BASIS, INDEX = irrep_basis("S3")
TABLE = torch.tensor(group("S3").table)
SUMS, PRODUCTS = addition_samples(7), group_samples("S3")


def gaussian(*shape: int) -> Callable[[], Tensor]:
    generator = torch.Generator().manual_seed(0)
    return lambda: torch.randn(shape, dtype=torch.float64, generator=generator)


def spectrum() -> Tensor:
    return gaussian(4, 20)().square()


def pattern(*shape: int) -> Callable[[], Tensor]:
    return lambda: gaussian(*shape)().softmax(dim=-1)


def labels() -> Tensor:
    return torch.randint(9, (4, 30), generator=torch.Generator().manual_seed(0))


def mask(*shape: int) -> Callable[[], Tensor]:
    generator = torch.Generator().manual_seed(1)
    return lambda: torch.rand(shape, generator=generator) > 0.5


def visible() -> Tensor:
    """Some keys of each query, always the first two."""
    return mask(4, 6, 2, 3, 5)() | (torch.arange(5) < 2)


def one_key() -> Tensor:
    return torch.arange(4) == torch.tensor([[1], [2], [3], [2]])


class Case(NamedTuple):
    """A metric and how to draw each of its arguments for a stack of four runs."""

    metric: Callable[..., Any]
    arguments: tuple[Callable[[], Tensor], ...]


CASES = {
    "cross_entropy": Case(cross_entropy, (gaussian(4, 30, 9), labels)),
    "mse": Case(mse, (gaussian(4, 30, 9), labels)),
    "is_right": Case(is_right, (gaussian(4, 30, 9), labels)),
    "logit_margin": Case(logit_margin, (gaussian(4, 30, 9), labels)),
    "accuracy": Case(accuracy, (gaussian(4, 30, 9), labels)),
    "kernel_norm": Case(kernel_norm, (gaussian(4, 30, 30),)),
    "kernel_distance": Case(kernel_distance, (gaussian(4, 8, 8), pattern(4, 8, 8))),
    "kernel_cosine_distance": Case(kernel_cosine_distance, (gaussian(4, 8, 8), pattern(4, 8, 8))),
    "label_alignment": Case(label_alignment, (gaussian(4, 30, 30), labels)),
    "centred_label_alignment": Case(centred_label_alignment, (gaussian(4, 30, 30), labels)),
    "same_label_loss": Case(partial(same_label_loss, n_classes=9), (gaussian(4, 30, 5), labels)),
    "within_class_share": Case(
        partial(within_class_share, n_classes=9), (gaussian(4, 30, 5), labels)
    ),
    "class_separation": Case(partial(class_separation, n_classes=9), (gaussian(4, 30, 5), labels)),
    "l2_norm": Case(l2_norm, (gaussian(4, 50),)),
    "attention_entropy": Case(attention_entropy, (pattern(4, 6, 2, 3, 3),)),
    "published_entropy": Case(published_entropy, (pattern(4, 6, 2, 3, 3),)),
    "saturated_pattern": Case(saturated_pattern, (gaussian(4, 6, 2, 3, 3),)),
    "total_variation": Case(total_variation, (pattern(4, 6, 3), pattern(4, 6, 3))),
    "kl_divergence": Case(kl_divergence, (pattern(4, 6, 3), pattern(4, 6, 3))),
    "rounded_pattern": Case(rounded_pattern, (pattern(4, 6, 2, 3, 3),)),
    "head_statistics": Case(head_statistics, (pattern(4, 6, 2, 3, 5), visible)),
    "head_class": Case(head_class, (spectrum, spectrum)),
    "mean_surplus": Case(mean_surplus, (gaussian(4, 30, 9), labels)),
    "unit": Case(unit, (gaussian(4, 6, 5),)),
    "cosine": Case(cosine, (gaussian(4, 6, 5), pattern(4, 6, 5))),
    "saturation": Case(saturation, (gaussian(4, 6, 3, 5), pattern(4, 6, 3, 5), mask(4, 6, 3))),
    "masked_mean": Case(masked_mean, (gaussian(4, 6, 3), mask(4, 6, 3))),
    "answers_agree": Case(answers_agree, (gaussian(4, 6, 5), pattern(4, 6, 5))),
    "unsaturated_weight": Case(unsaturated_weight, (gaussian(4, 6, 5),)),
    "smallest_gap": Case(smallest_gap, (gaussian(4, 6, 5),)),
    "frequency_polynomials": Case(frequency_polynomials, (gaussian(4, 9, 5),)),
    "key_directions": Case(key_directions, (gaussian(4, 7, 5), mask(4, 4))),
    "on_span": Case(on_span, (gaussian(4, 49, 5), gaussian(4, 3, 5))),
    "without_equals": Case(without_equals, (gaussian(4, 49, 3, 2),)),
    "linear_pattern": Case(linear_pattern, (gaussian(4, 49, 3, 2),)),
    "fourier_power": Case(fourier_power, (gaussian(4, 7, 5),)),
    "fourier_concentration": Case(fourier_concentration, (gaussian(4, 7, 5),)),
    "fourier_f_statistic": Case(fourier_f_statistic, (gaussian(4, 7, 5),)),
    "top_share": Case(partial(top_share, k=3), (spectrum,)),
    "sum_means": Case(sum_means, (gaussian(4, 49, 5),)),
    "pair_means": Case(pair_means, (gaussian(4, 49, 5),)),
    "on_pairs": Case(lambda t: on_pairs({"sum": t, "difference": 2 * t}), (gaussian(4, 7, 5),)),
    "wave_tables": Case(
        lambda t, is_key: wave_tables({"sum": t}, is_key), (gaussian(4, 7, 5), mask(4, 4, 1))
    ),
    "keep_waves": Case(partial(keep_waves, block="block3x3"), (gaussian(4, 49, 5), mask(4, 4, 1))),
    "wave_energy": Case(wave_energy, (gaussian(4, 49, 5),)),
    "explained_by_frequency": Case(explained_by_frequency, (gaussian(4, 49, 5),)),
    "key_frequencies": Case(key_frequencies, (spectrum,)),
    "cluster_frequencies": Case(cluster_frequencies, (pattern(4, 6, 9),)),
    "restricted_logits": Case(restricted_logits, (gaussian(4, 49, 7), mask(4, 4))),
    "excluded_logits": Case(excluded_logits, (gaussian(4, 49, 7), mask(4, 4))),
    "excluded_loss_by_frequency": Case(
        excluded_loss_by_frequency, (gaussian(4, 49, 7), mask(4, 49))
    ),
    "gini": Case(gini, (spectrum,)),
    "component_norms": Case(component_norms, (gaussian(4, 7, 5),)),
    "cosine_coefficients": Case(cosine_coefficients, (gaussian(4, 49, 7),)),
    "cosine_energy": Case(partial(cosine_energy, p=7), (gaussian(4, 4),)),
    "cosine_share": Case(cosine_share, (gaussian(4, 49, 7), mask(4, 4))),
    "cosine_logits": Case(partial(cosine_logits, p=7), (gaussian(4, 4), mask(4, 4))),
    "cosine_table": Case(cosine_table, (gaussian(4, 7),)),
    "without_cosines": Case(without_cosines, (gaussian(4, 49, 7), mask(4, 4))),
    "read_out": Case(read_out, (gaussian(4, 49, 7),)),
    "outside_keys": Case(outside_keys, (gaussian(4, 7, 5), mask(4, 4))),
    "rank_gap": Case(rank_gap, (gaussian(4, 7, 9), one_key)),
    "attention_explained": Case(attention_explained, (pattern(4, 49, 2),)),
    "irrep_power": Case(
        partial(irrep_power, basis=BASIS, index=INDEX, n_irreps=3), (gaussian(4, 6, 5),)
    ),
    "product_means": Case(partial(product_means, table=TABLE), (gaussian(4, 36, 6),)),
    "restrict_to_irreps": Case(
        partial(restrict_to_irreps, basis=BASIS, index=INDEX, table=TABLE),
        (gaussian(4, 36, 6), mask(4, 3)),
    ),
    "character_coefficients": Case(
        partial(character_coefficients, characters=irrep_characters("S3"), table=TABLE),
        (gaussian(4, 36, 6),),
    ),
    "irrep_parts": Case(
        partial(irrep_parts, basis=BASIS, index=INDEX, n_irreps=3, table=TABLE),
        (gaussian(4, 36, 5),),
    ),
    "irrep_shares": Case(
        partial(irrep_shares, basis=BASIS, index=INDEX, n_irreps=3, table=TABLE),
        (gaussian(4, 36, 6),),
    ),
    "losses_without": Case(
        partial(losses_without, table=TABLE), (gaussian(4, 36, 6), gaussian(4, 2, 6, 6))
    ),
    "gram_eigenvalues": Case(gram_eigenvalues, (gaussian(4, 12, 5),)),
    "singular_values": Case(singular_values, (gaussian(4, 12, 5),)),
    "effective_rank": Case(effective_rank, (spectrum,)),
    "stable_rank": Case(stable_rank, (spectrum,)),
    "published_stable_rank": Case(published_stable_rank, (spectrum,)),
    "numerical_rank": Case(numerical_rank, (spectrum,)),
    "power_law_fit": Case(power_law_fit, (spectrum,)),
    "rank_slope": Case(rank_slope, (spectrum,)),
    "explained_variance": Case(explained_variance, (gaussian(4, 7, 5),)),
    "variance_entropy": Case(variance_entropy, (gaussian(4, 7, 5),)),
    "effective_dimension": Case(effective_dimension, (gaussian(4, 7, 5),)),
    "on_components": Case(on_components, (gaussian(4, 7, 5), gaussian(4, 7, 5))),
    "from_components": Case(partial(from_components, n=2), (gaussian(4, 7, 5), gaussian(4, 7, 5))),
    "integer_rank": Case(integer_rank, (lambda: labels().unflatten(1, (10, 3)),)),
    "nullity": Case(partial(nullity, samples=SUMS), (mask(4, 28),)),
    "in_training": Case(partial(in_training, samples=SUMS), (mask(4, 28),)),
    "is_implied": Case(partial(is_implied, samples=SUMS), (mask(4, 28),)),
    "reached": Case(partial(reached, samples=SUMS), (mask(4, 22), mask(4, 28))),
    "ideal_rqi": Case(partial(ideal_rqi, samples=SUMS), (mask(4, 28),)),
    "ideal_accuracy": Case(partial(ideal_accuracy, samples=SUMS), (mask(4, 28),)),
    "ideal_validation_accuracy": Case(
        partial(ideal_validation_accuracy, samples=SUMS), (mask(4, 28),)
    ),
    "defects": Case(partial(defects, rows=SUMS.rows), (gaussian(4, 7, 5),)),
    "product_defects": Case(partial(product_defects, samples=PRODUCTS), (gaussian(4, 6, 3, 3),)),
    "realised": Case(partial(realised, threshold=0.0), (gaussian(4, 22),)),
    "rqi": Case(partial(rqi, rows=SUMS.rows, threshold=4.0), (gaussian(4, 7, 5),)),
    "matrix_rqi": Case(
        partial(matrix_rqi, samples=PRODUCTS, threshold=6.0), (gaussian(4, 6, 3, 3),)
    ),
    "predicted_accuracy": Case(
        partial(predicted_accuracy, samples=SUMS), (mask(4, 22), mask(4, 28))
    ),
}

each_metric = pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())


def stack_of(results: list[Any]) -> Any:
    """The results of single runs, each a tensor or a tuple of tensors, as one of a stack."""
    return pytree.tree_map(lambda *leaves: torch.stack(leaves), *results)


def public_functions() -> set[str]:
    modules = [
        importlib.import_module(f"grok.metrics.{module.name}")
        for module in pkgutil.iter_modules(grok.metrics.__path__)
    ]
    return {
        name
        for module in modules
        for name, member in inspect.getmembers(module, inspect.isfunction)
        if member.__module__ == module.__name__ and not name.startswith("_")
    }


def test_every_metric_is_on_the_list() -> None:
    assert CASES.keys() | WITHOUT_RUNS == public_functions()


@each_metric
def test_runs_are_measured_independently(case: Case) -> None:
    arguments = [draw() for draw in case.arguments]
    one_by_one = stack_of([case.metric(*run) for run in zip(*arguments, strict=True)])
    torch.testing.assert_close(case.metric(*arguments), one_by_one)
    torch.testing.assert_close(torch.vmap(case.metric)(*arguments), one_by_one)


@each_metric
def test_any_number_of_leading_axes_is_kept(case: Case) -> None:
    arguments = [draw() for draw in case.arguments]
    folded = [argument.unflatten(0, (2, 2)) for argument in arguments]
    expected = pytree.tree_map(lambda leaf: leaf.unflatten(0, (2, 2)), case.metric(*arguments))
    torch.testing.assert_close(case.metric(*folded), expected)


@pytest.mark.parametrize("name", sorted(CASES.keys() - WITHOUT_NUMBERS))
def test_a_diverged_run_is_nan_or_wrong_and_leaves_the_others_alone(name: str) -> None:
    case = CASES[name]
    arguments = [draw() for draw in case.arguments]
    expected = case.metric(*arguments)
    arguments[0][1] = torch.nan
    result = case.metric(*arguments)
    others = torch.tensor([0, 2, 3])
    for ours, theirs in zip(*map(pytree.tree_leaves, (result, expected)), strict=True):
        torch.testing.assert_close(ours[others], theirs[others])
        if ours.is_floating_point() and case.metric is not accuracy:
            assert ours[1].isnan().all()
        else:
            assert (ours[1] == 0).all()


@each_metric
def test_arguments_are_not_changed(case: Case) -> None:
    arguments = [draw() for draw in case.arguments]
    before = [argument.clone() for argument in arguments]
    case.metric(*arguments)
    torch.testing.assert_close(arguments, before, rtol=0.0, atol=0.0)
