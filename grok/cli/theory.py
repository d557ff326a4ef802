"""``grok theory``."""

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from grok.cli.common import Parser
from grok.inputs import InputError

USAGE = """\
usage: grok theory WHAT [--p P] [...]

What the effective theory of Liu et al. 2022 predicts for addition of P symbols, with no network.

  critical-fraction   probability that a random training set forces the number line, by its size
    --draws=2000      random orders of the samples
  spectrum            eigenvalues of the Hessian of the effective loss; the third is the rate
  flow                trajectory of the embedding under the effective loss
    --steps=2000      steps of gradient descent

For spectrum and flow:

  --n=N               training samples, drawn by the seed (default: all)
  --order=published   whose draws: published (the phase diagrams) or train_add (the script)
  --parallelograms=train   which enter: train, implied (by these) or all
  --normalization=sum      of the squared defects: sum (times as measured) or mean (equation 5)
  --eta=0.0003        learning rate of the embedding; a step is this much time

For all:

  --p=10              symbols, 3 to 100
  --seed=0            of the draws
  --plot=FILE         write a figure: .png, .svg or .pdf
  --json              print one JSON object and nothing else on standard output

`grok theory flow --seed=9` is the theory's part of figure 4(c).
"""
MAX_P = 100
MAX_STEPS = 1_000_000
FORMATS = (".png", ".svg", ".pdf")
_POINTS = 100
"""Intervals at whose ends a trajectory is reported."""


def theory(arguments: list[str]) -> int:
    """Predictions without a network.

    Returns:
        0.

    Raises:
        InputError: If something asked for cannot be.
    """
    if not arguments or {"-h", "--help"} & set(arguments):
        print(USAGE, end="")
        return 0 if arguments else 2
    kind, *flags = arguments
    if kind not in _KINDS:
        raise InputError(f"no theory of {kind!r}; there are: {', '.join(_KINDS)}")
    options = _options(kind, flags)
    found = _KINDS[kind](options)
    if options.plot is not None:
        from grok.report.theory import save_figure

        save_figure(kind, found, options.plot)
    if options.json:
        print(json.dumps(found, allow_nan=False))
        return 0
    from grok.report import theory as report

    {
        "critical-fraction": report.print_critical,
        "spectrum": report.print_spectrum,
        "flow": report.print_flow,
    }[kind](found)
    return 0


def _options(kind: str, flags: list[str]) -> Any:
    parser = Parser(prog=f"grok theory {kind}", add_help=False, allow_abbrev=False)
    add = parser.add_argument
    add("--p", type=int, default=10)
    add("--seed", type=int, default=0)
    add("--plot", type=Path)
    add("--json", action="store_true")
    if kind == "critical-fraction":
        add("--draws", type=int, default=2000)
    else:
        add("--n", type=int)
        add("--order", choices=("published", "train_add"), default="published")
        add("--parallelograms", choices=("train", "implied", "all"), default="train")
        add("--normalization", choices=("sum", "mean"), default="sum")
        add("--eta", type=float, default=3e-4)
    if kind == "flow":
        add("--steps", type=int, default=2000)
    options = parser.parse_args(flags)
    _check(options)
    return options


def _check(options: Any) -> None:
    """Refuse what cannot be, in one line."""
    n_samples = options.p * (options.p + 1) // 2
    for name, low, high in (
        ("p", 3, MAX_P),
        ("seed", 0, 2**32 - 1),
        ("draws", 1, 10**6),
        ("n", 1, n_samples),
        ("steps", 1, MAX_STEPS),
    ):
        value = getattr(options, name, None)
        if value is not None and not low <= value <= high:
            raise InputError(f"{name}={value}: allowed are {low} to {high:,}")
    eta = getattr(options, "eta", 1.0)
    if not (math.isfinite(eta) and eta > 0):
        raise InputError(f"eta={eta:g}: must be positive and finite")
    if options.plot is not None:
        if options.plot.suffix not in FORMATS:
            raise InputError(f"plot={options.plot}: must end in {', '.join(FORMATS)}")
        if not options.plot.absolute().parent.is_dir():
            raise InputError(f"plot={options.plot}: there is no folder {options.plot.parent}")


def _critical_fraction(options: Any) -> dict[str, Any]:
    from grok.theory.critical import critical_fraction

    progress = _Progress("draws")
    found = critical_fraction(options.p, options.draws, options.seed, progress.tell)
    progress.end()
    return {
        "p": options.p,
        "draws": options.draws,
        "seed": options.seed,
        "n": found.n.tolist(),
        "probability": found.probability.tolist(),
        "error": found.error.tolist(),
        "n_half": found.n_half,
        "r_half": found.r_half,
    }


def _spectrum(options: Any) -> dict[str, Any]:
    from grok.metrics.parallelograms import (
        ideal_accuracy,
        ideal_rqi,
        ideal_validation_accuracy,
    )
    from grok.theory.effective import spectrum

    _, samples, is_train, is_chosen = _drawn(options)
    found = spectrum(
        is_train,
        samples,
        parallelograms=options.parallelograms,
        normalization=options.normalization,
    )
    validation = float(ideal_validation_accuracy(is_train, samples))
    return _setting(options, found, float(options.p), is_train, is_chosen) | {
        "eigenvalues": found.eigenvalues.tolist(),
        "ideal_rqi": float(ideal_rqi(is_train, samples)),
        "ideal_accuracy": float(ideal_accuracy(is_train, samples)),
        "ideal_validation_accuracy": None if math.isnan(validation) else validation,
    }


def _flow(options: Any) -> dict[str, Any]:
    import torch

    from grok.metrics.representation import rqi
    from grok.theory.effective import effective_loss, gram, spectrum, squared_norm
    from grok.theory.flow import flow, ordered_step, standardised

    W_E, samples, is_train, is_chosen = _drawn(options)
    start = standardised(W_E)
    z0 = float(squared_norm(start))
    matrix = gram(is_chosen, samples, options.normalization)
    found = spectrum(
        is_train,
        samples,
        parallelograms=options.parallelograms,
        normalization=options.normalization,
        z0=z0,
    )
    places = range(_POINTS + 1)
    steps = torch.tensor(sorted({round(k * options.steps / _POINTS) for k in places}))
    path = flow(start, matrix, options.eta * steps.double())
    progress = _Progress("steps")
    reached = ordered_step(start, matrix, samples, options.eta, options.steps, tell=progress.tell)
    progress.end()
    return _setting(options, found, z0, is_train, is_chosen) | {
        "steps": steps.tolist(),
        "embedding": path[..., 0].tolist(),
        "effective_loss": effective_loss(path, matrix).tolist(),
        "rqi": rqi(path, samples.rows).tolist(),
        "rqi_step": reached,
    }


def _drawn(options: Any) -> tuple[Any, Any, Any, Any]:
    """First embeddings, samples, training set and the parallelograms that enter."""
    import torch

    from grok.data.toy import toy_data
    from grok.data.toy_config import ToyConfig
    from grok.metrics.samples import addition_samples
    from grok.models.toy import ToyNetwork, toy_parameters
    from grok.theory.effective import chosen

    samples = addition_samples(options.p)
    is_train = torch.ones(len(samples.labels), dtype=torch.bool)
    config = ToyConfig(p=options.p, n_train=1, draw=options.order)
    if options.n not in (None, len(is_train)):
        data = toy_data(replace(config, n_train=options.n), "mse", options.seed)
        is_train[data.test] = False
    W_E = toy_parameters(ToyNetwork(config, config.n_out), options.seed)["W_E"]
    return W_E, samples, is_train, chosen(is_train, samples, options.parallelograms)


def _setting(options: Any, found: Any, z0: float, is_train: Any, is_chosen: Any) -> dict[str, Any]:
    """What both the spectrum and the flow say of their training set."""
    from grok.theory.effective import predicted_steps

    steps = float(predicted_steps(found.lambda_3, options.eta))
    return {
        "p": options.p,
        "n": int(is_train.sum()),
        "seed": options.seed,
        "order": options.order,
        "parallelograms": options.parallelograms,
        "n_parallelograms": int(is_chosen.sum()),
        "normalization": options.normalization,
        "z0": z0,
        "eta": options.eta,
        "nullity": int(found.nullity),
        "lambda_3": float(found.lambda_3),
        "predicted_steps": steps if math.isfinite(steps) else None,
    }


class _Progress:
    """Lines on standard error every five seconds, hence none for less work than that."""

    def __init__(self, what: str) -> None:
        from grok.lit.status_line import StatusLine

        self._what, self._is_shown = what, False
        self._line = StatusLine()
        self._line.period = 5.0
        self._line.start()

    def tell(self, done: float) -> None:
        if self._line.is_due():
            self._line.show(f"  {done:.0%} of the {self._what}")
            self._is_shown = True

    def end(self) -> None:
        if self._is_shown:
            self._line.end()


_KINDS: Mapping[str, Callable[[Any], dict[str, Any]]] = {
    "critical-fraction": _critical_fraction,
    "spectrum": _spectrum,
    "flow": _flow,
}
