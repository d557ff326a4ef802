"""How long runs will take, roughly."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

from grok.config import RunConfig, run_key
from grok.config.measures import ON_OWN_NETWORK
from grok.config.stacking import shared
from grok.models.config import TransformerConfig, training_form
from grok.runs import RunStore
from grok.sweep.local import default_workers
from grok.sweep.state import run_state

NOMINAL = 8e10
"""FLOP per second of one core in matrix products of these sizes, readings included."""
SMALL_NOMINAL = NOMINAL / 2
"""The same of stacked toy networks, perceptrons and language models, whose products are small."""


def estimate_seconds(
    configs: Sequence[RunConfig], runs_dir: Path, workers: int | None = None
) -> float:
    """Wall-clock seconds that training these runs would take, roughly.

    Counts only the steps that are left. The speed is the median of stored runs of the same
    sizes; where there is none it follows from the floating-point operations of a step at
    8e10 per second, which is one core of a recent server.

    Args:
        configs: The runs.
        runs_dir: Run store.
        workers: Processes at work; default as for :func:`~grok.sweep.local.run_local`.
    """
    todo = {run_key(config): config for config in reversed(configs)}
    seconds = run_seconds(list(todo.values()), runs_dir)
    if not seconds:
        return 0.0
    n_workers = workers or default_workers(todo.values())
    return max(sum(seconds.values()) / n_workers, *seconds.values())


def run_seconds(
    configs: Sequence[RunConfig], runs_dir: Path, *, retrain: bool = False
) -> dict[str, float]:
    """Seconds that each run would take one process, by key; see :func:`estimate_seconds`.

    Args:
        configs: The runs.
        runs_dir: Run store.
        retrain: Count every step, those that are done too.
    """
    speeds = _stored_speeds(runs_dir)
    seconds = {}
    for config in configs:
        left = config.n_steps if retrain else run_state(config, runs_dir).left
        known = speeds.get(_sizes(config))
        is_small = config.problem in (*ON_OWN_NETWORK, "language", "majority")
        nominal = SMALL_NOMINAL if is_small else NOMINAL
        speed = median(known) if known else nominal / step_flops(config)
        seconds[run_key(config)] = left / speed
    return seconds


def _sizes(config: RunConfig) -> tuple[Any, ...]:
    """What the speed of a run depends on first."""
    data, model = config.data, config.model
    if config.problem == "toy":
        return ("toy", shared(config).toy, config.optim.loss, config.dtype, config.device)
    if config.problem == "images":
        images = replace(shared(config).images, directory="")
        return ("images", images, config.optim.loss, config.dtype, config.device)
    if config.problem == "language":
        text = replace(config.text, directory="", source="folder")
        return ("language", text, shared(config).model, config.dtype, config.threads, config.device)
    if config.problem != "pairs":
        sequence = config.sequence
        sizes = (*sequence.sizes(config.problem)[:5], sequence.n_train, sequence.batch_size)
        sizes += (model.n_layers, model.d_model, 0 if model.attn_only else model.d_mlp)
        return (config.problem, *sizes, config.dtype, config.threads, config.device)
    sizes = (data.n_elements, data.n_train, data.batch_size)
    sizes += (model.n_layers, model.d_model, model.d_mlp, _form(config))
    return (*sizes, config.dtype, config.threads, config.device)


def _stored_speeds(runs_dir: Path) -> dict[tuple[Any, ...], list[float]]:
    """Steps per second of stored runs by their sizes; damaged runs are passed over."""
    found: dict[tuple[Any, ...], list[float]] = {}
    for run in RunStore(runs_dir).runs():
        try:
            if speed := run.status().get("steps_per_second"):
                found.setdefault(_sizes(run.config), []).append(speed)
        except ValueError:
            continue
    return found


def _form(config: RunConfig) -> str:
    """Form in which a step is computed."""
    batch_size = config.data.batch_size
    return training_form(config.model, batch_size or config.data.n_train, looks_up=not batch_size)


def step_flops(config: RunConfig) -> float:
    """Floating-point operations of one update, forward and backward.

    Matrix products only: a multiply-add is 2, an update three forward passes.
    """
    if config.problem == "toy":
        return _toy_flops(config)
    if config.problem == "images":
        return _image_flops(config)
    if config.problem == "language":
        text = config.text
        of_row = _transformer_flops(config.model, text.length, text.length, text.vocab + 1)
        return 3.0 * text.batch_size * of_row
    if config.problem != "pairs":
        return _sequence_flops(config)
    model, n = config.model, config.data.n_elements
    d, m, vocab = model.d_model, 0 if model.attn_only else model.d_mlp, n + 1
    n_batch = config.data.batch_size or config.data.n_train
    row, tables = 2 * d * d + 4 * d * m + 2 * d * vocab, 4 * d * d * (2 * n + 1)
    folds = 2 * m * d * d + 2 * vocab * d * m + 2 * vocab * d * d
    form = _form(config)
    if form == "table":
        per_pair = 4 * model.n_heads * (m + vocab) + 2 * m * vocab
        once = tables + folds + 4 * n * d * (m + vocab)
    elif form == "folded":
        per_pair, once = 2 * d * (m + vocab) + 2 * m * vocab, tables + folds
    elif form == "token":
        per_pair, once = row, tables
    else:
        full_layer = 3 * (8 * d * d + 4 * d * m + 12 * d)
        per_pair = (model.n_layers - 1) * full_layer + 12 * d * d + row
        once = 0
    return 3.0 * (n_batch * per_pair + once)


def _toy_flops(config: RunConfig) -> float:
    """The same of the decoder of a toy network."""
    toy = config.toy
    if toy.decoder == "encoder":
        of_position = toy.depth * (8 * toy.dim**2 + 4 * toy.dim * toy.width + 8 * toy.dim)
        of_pair = 2 * of_position + 2 * toy.n_read * toy.outputs(config.optim.loss)
        return 3.0 * (toy.batch_size or toy.n_train) * of_pair
    sizes = (toy.n_read, *[toy.width] * toy.depth, toy.outputs(config.optim.loss))
    per_pair = sum(2 * n_in * n_out for n_in, n_out in pairwise(sizes))
    return 3.0 * (toy.batch_size or toy.n_train) * per_pair


def _image_flops(config: RunConfig) -> float:
    """The same of a perceptron of images, whose first layer hands no gradient on to pixels."""
    first, *others = (2 * n_in * n_out for n_in, n_out in pairwise(config.images.sizes))
    return config.images.n_batch * (2.0 * first + 3.0 * sum(others))


def _sequence_flops(config: RunConfig) -> float:
    """The same on sequences."""
    # The longer strings of majority do not train.
    sizes = replace(config.sequence, longer=()).sizes(config.problem)
    of_one = _transformer_flops(config.model, sizes.length - 1, sizes.n_read, sizes.n_classes)
    return 3.0 * (config.sequence.batch_size or config.sequence.n_train) * of_one


def _transformer_flops(model: TransformerConfig, n_pos: int, n_read: int, n_classes: int) -> int:
    """Forward pass on a sequence: every row of each layer but the last, of which some are read."""
    d, m = model.d_model, 0 if model.attn_only else model.d_mlp
    of_row = 4 * d * d + 4 * d * m + 4 * d * n_pos  # queries, output, MLP, scores and values
    of_key = 4 * d * d
    rows = (model.n_layers - 1) * n_pos + n_read
    return rows * of_row + model.n_layers * n_pos * of_key + n_read * 2 * d * n_classes
