"""Configs as plain values, and the key under which a run is stored."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from functools import cache, lru_cache
from typing import Any, TypeVar

from grok.config.schema import RunConfig

T = TypeVar("T")


_WITHOUT = {"sgd": ("betas", "eps"), "adafactor": ("betas", "eps", "momentum")}
"""Fields of optim that an update rule has not."""


def to_dict(config: Any) -> dict[str, Any]:
    """The config as nested dictionaries of plain values; tuples become lists."""
    return {name: _plain(getattr(config, name)) for name in _names(type(config))}


def _plain(value: Any) -> Any:
    if is_dataclass(value):
        return to_dict(value)
    return [_plain(each) for each in value] if isinstance(value, tuple) else value


@cache
def _names(kind: type) -> tuple[str, ...]:
    return tuple(field.name for field in fields(kind))


def from_dict(values: Mapping[str, Any]) -> RunConfig:
    """The config that :func:`to_dict` gave; fields it lacks take their default.

    Raises:
        ValueError: If a key is unknown or a value impossible.
    """
    return _build(RunConfig, values, "")


def _build(kind: type[T], values: Mapping[str, Any], path: str) -> T:
    """One dataclass and those inside it; what each field holds is learnt from its default."""
    default: Any = kind()
    known = {f.name for f in fields(default)}
    if unknown := sorted(set(values) - known):
        raise ValueError(f"unknown key {path}{unknown[0]}; allowed: {', '.join(sorted(known))}")
    arguments: dict[str, Any] = {}
    for name, value in values.items():
        inner = getattr(default, name)
        if is_dataclass(inner):
            arguments[name] = _build(type(inner), value, f"{path}{name}.")
        else:
            arguments[name] = tuple(value) if isinstance(inner, tuple) else value
    return kind(**arguments)


def flatten(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested dictionaries as one with dotted keys, the names of the command-line flags."""
    flat: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, Mapping):
            flat |= flatten(value, f"{prefix}{name}.")
        else:
            flat[prefix + name] = value
    return flat


@lru_cache(maxsize=4096)
def run_key(config: RunConfig) -> str:
    """Readable prefix and a hash of what determines the parameters, e.g. ``add113-mlp-s0-…``.

    Not in it: how far the run goes, what is measured, tracking, device, threads. Only what
    differs from the defaults is hashed, so that a new field leaves the keys of old runs alone;
    for the same reason a default is never changed. Values that cannot matter are left out and
    the learning rate and decay enter as used, so that the same run has the same key from
    whichever experiment it was started; 3 is 3.0 where a field takes fractions.
    """
    default = _defaults()
    full = {k: _like(default[k], v) for k, v in flatten(_resolved(config)).items()}
    values = {k: v for k, v in full.items() if v != default[k]}
    digest = hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()
    data = config.data
    if config.problem == "language":
        what = f"{config.text.name}-{config.model.norm.name}"
        return f"{what}-s{full['model.init_seed']}-{digest[:10]}"
    if config.problem == "images":
        return f"{config.images.source}-s{full['model.init_seed']}-{digest[:10]}"
    if config.problem == "toy":
        toy = config.toy
        what = f"toy-{toy.group or f'{toy.operation}{toy.p}'}"
        return f"{what}-s{full['model.init_seed']}-{digest[:10]}"
    if config.problem == "pairs":
        what = data.group or f"{data.operation}{full['data.p']}"
    else:
        what = f"{config.problem}{full['sequence.n_train'] or ''}"
    return f"{what}-{config.model.norm.name}-s{full['model.init_seed']}-{digest[:10]}"


@cache
def _defaults() -> dict[str, Any]:
    return flatten(to_dict(RunConfig()))


def _like(default: Any, value: Any) -> Any:
    """A number, or a list of them, in the type of the default, where that loses nothing."""
    if isinstance(value, list):
        pairs = zip(default, value, strict=True) if len(default) == len(value) else ()
        return [_like(*pair) for pair in pairs] or value
    if not isinstance(default, bool | int | float) or not isinstance(value, int | float):
        return value
    cast = type(default)(value)
    # -0.0 equals 0.0 and is written differently.
    return (cast or type(default)(0)) if cast == value else value


def _resolved(config: RunConfig) -> dict[str, Any]:
    """What determines the parameters, with everything that has no effect at a fixed value."""
    values = to_dict(config)
    data, model, optim = values["data"], values["model"], values["optim"]
    if data["operation"] != "random":
        del data["table_seed"]
    if data["operation"] == "compose":
        del data["p"]
    if not data["batch_size"] and not model["dropout"]:
        del data["order_seed"]
    if not any(config.model.norm.flags):
        model["norm"] = {}
    elif model["norm"]["kind"] in ("l2", "centre"):
        del model["norm"]["affine"]
        if model["norm"]["kind"] == "centre":
            del model["norm"]["eps"]
    if config.model.attn_only:
        for name in ("d_mlp", "act", "bias_mlp"):
            del model[name]
    if config.problem != "pairs":
        del model["output_equals"]
        data = _seeds(config)
    optim |= {"lr": config.lr, "weight_decay": config.weight_decay}
    optim["decay_exempt"] = sorted(set(optim["decay_exempt"]))
    for name in ("lr_rule", "hold", "reference_lr"):
        del optim[name]
    for name in _WITHOUT.get(optim["kind"], ("momentum",)):
        del optim[name]
    if optim["schedule"] == "inverse_sqrt":
        optim["flat_steps"] = max(optim["flat_steps"], 1)
    for name, same in (
        ("embed_lr", config.lr),
        ("unembed_lr", config.lr),
        ("embed_weight_decay", config.weight_decay),
    ):
        if optim[name] == same:
            del optim[name]
    if config.problem == "images":
        return _images(config, values, optim)
    if config.problem == "toy":
        return _toy(config, values, optim)
    found = {"data": data, "model": model, "optim": optim, **_precision(config)}
    if config.problem == "pairs":
        return found
    if config.problem == "language":
        return found | {"problem": "language", **_text(config, values)}
    used = {name: values["sequence"][name] for name in config.sequence.used_by(config.problem)}
    return found | {"problem": config.problem, "sequence": used}


def _precision(config: RunConfig) -> dict[str, Any]:
    """How numbers are kept and, where that leaves a choice, multiplied."""
    if config.dtype == "float64":
        return {"dtype": config.dtype}
    return {"dtype": config.dtype, "matmul_precision": config.matmul_precision}


def _toy(config: RunConfig, values: dict[str, Any], optim: dict[str, Any]) -> dict[str, Any]:
    """What determines the parameters of a toy network."""
    toy, kept = values["toy"], ("split_seed", "order_seed")
    has_targets = config.optim.loss == "mse" and config.toy.targets == "gaussian"
    for name in () if has_targets else ("n_out", "label_scale"):
        del toy[name]
    if config.optim.loss == "cross_entropy":
        del toy["targets"]
    if config.toy.operation == "compose":
        del toy["p"]
    if config.toy.batch_size == config.toy.n_train:
        del toy["batch_size"]
    has_order = toy.get("batch_size") or toy["dropout"]
    data = {name: getattr(config.data, name) for name in kept[: 2 if has_order else 1]}
    model = {"init_seed": config.model.init_seed}
    found = {"data": data, "model": model, "optim": optim, **_precision(config)}
    return found | {"problem": "toy", "toy": toy}


def _text(config: RunConfig, values: dict[str, Any]) -> dict[str, Any]:
    """What determines what a language model reads: of files what they hold."""
    text = values["text"] | {"sha256": config.text.digest, "train_on": config.text.trained_part}
    del text["directory"], text["source"]
    return {"text": text, "data": {"order_seed": config.data.order_seed}}


def _images(config: RunConfig, values: dict[str, Any], optim: dict[str, Any]) -> dict[str, Any]:
    """What determines the parameters of a perceptron of images: of files what they hold."""
    images = values["images"] | {"sha256": config.images.digest}
    del images["directory"]
    seeds = {"split_seed": config.data.split_seed} if config.images.order == "random" else {}
    if config.images.n_batch == config.images.n_train:
        del images["batch_size"]
    else:
        seeds["order_seed"] = config.data.order_seed
    model = {"init_seed": config.model.init_seed}
    found = {"data": seeds, "model": model, "optim": optim, **_precision(config)}
    return found | {"problem": "images", "images": images}


def _seeds(config: RunConfig) -> dict[str, Any]:
    """Of the data of pairs, what draws sequences. The test set counts: readings are of it."""
    sequence = config.sequence
    has_order = not sequence.n_train or sequence.batch_size or config.model.dropout
    kept = ("split_seed", "order_seed") if has_order else ("split_seed",)
    return {name: getattr(config.data, name) for name in kept}
