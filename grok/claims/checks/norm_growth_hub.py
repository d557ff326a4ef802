"""Checks of Merrill et al. 2021 on models of Hugging Face: initial ones, and published ones.

`Effects of Parameter Norm Growth During Transformer Training
<https://arxiv.org/abs/2010.09697>`_. The initial ones are made here; the published ones are
downloaded, and without a connection their claims are not run.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import torch

from grok.claims.checks import Readings
from grok.claims.evidence import NotRun
from grok.config.schema import OptimConfig
from grok.data.text_files import find_part, text_folder
from grok.formats.hub import model_folder, transformers_library
from grok.formats.hub_models import random_model
from grok.formats.tensors import open_tensors
from grok.inputs import InputError
from grok.offline.curve import read_curve
from grok.offline.growth import SetGrowth, growth_of
from grok.offline.hub_model import HubOptions, hub_reading
from grok.offline.parameters import set_norms
from grok.offline.series import CheckpointSeries, series_of
from grok.runs import default_runs_dir


class T5Size(NamedTuple):
    """Sizes of a T5, and what they say of the norm of its encoder as it is initialised."""

    d_model: int
    d_kv: int
    d_ff: int
    n_heads: int
    n_layers: int
    n_buckets: int = 32

    def layer_square(self) -> float:
        """Expected squared norm of a layer: query, key and value, outputs, MLP and two norms.

        Each matrix has a standard deviation that makes it the root of a count: n_heads, 2 n_heads
        d_kv, 2 d_model, d_ff; gains are 1. The table of relative positions is not in it.
        """
        heads = self.n_heads * (1 + 2 * self.d_kv)
        return heads + 4 * self.d_model + self.d_ff

    def table_square(self) -> float:
        """That of the table of relative positions, which the first layer has."""
        return self.n_buckets * self.n_heads / self.d_model

    def encoder_square(self) -> float:
        """That of all layers, the table and the gains of the final norm."""
        return self.n_layers * self.layer_square() + self.d_model + self.table_square()


SIZES = {
    "base": T5Size(768, 64, 3072, 12, 12),
    "small": T5Size(512, 64, 2048, 8, 6),
    "tiny": T5Size(32, 8, 64, 4, 2),
}


@contextmanager
def _or_not_run() -> Iterator[None]:
    """What cannot be had is a reason, not a failure."""
    try:
        yield
    except InputError as error:
        raise NotRun(str(error)) from None


def ng_a12() -> Readings:
    """T5 as transformers initialises it, three sizes, one draw each.

    Criterion: the norm of the encoder and of each of its layers over the root of its expected
    square is 1, within 1 % for T5-base and 5 % for the smaller ones, whose draws scatter.
    Departure: the decoder, which is in neither, has one layer, and the vocabulary 128 tokens.

    Returns:
        ``encoder`` by size, ``layer`` by size and layer: norm over expectation.

    Raises:
        NotRun: If transformers is not installed.
    """
    readings: Readings = {"encoder": {}, "layer": {}}
    for name, size in SIZES.items():
        norms = set_norms(_initial(size))
        readings["encoder"][name] = norms["encoder"] / size.encoder_square() ** 0.5
        for layer in range(size.n_layers):
            square = size.layer_square() + (0.0 if layer else size.table_square())
            readings["layer"][f"{name}/{layer}"] = norms[f"layer.{layer}"] / square**0.5
    return readings


def _initial(size: T5Size) -> dict[str, torch.Tensor]:
    with _or_not_run():
        config = transformers_library().T5Config(
            vocab_size=128,
            d_model=size.d_model,
            d_kv=size.d_kv,
            d_ff=size.d_ff,
            num_layers=size.n_layers,
            num_decoder_layers=1,
            num_heads=size.n_heads,
            relative_attention_num_buckets=size.n_buckets,
        )
        return dict(random_model(config, dtype=torch.float32, seed=0).state_dict())


GATED = {
    "t5-base": "google-t5/t5-base",
    "roberta-base": "FacebookAI/roberta-base",
    "bert-base-cased": "google-bert/bert-base-cased",
}
SHOWN = {"t5-small": "google-t5/t5-small", "gpt2": "openai-community/gpt2"}


def ng_d1() -> Readings:
    """Saturation of published models, last layer and the one before, and of their initial weights.

    Criterion: T5's decoder 0.85 or more; RoBERTa 0.5 to 0.75, before it 0.85 or more; BERT 0.3 or
    less; each above its initial weights by 0.05. Source: figure 2. Departures: 100 paragraphs of
    WikiText-2's test part, not of the Brown corpus; initial weights are read in eval mode.

    Returns:
        ``final``, ``penultimate``, ``random`` by model and stack; ``shown``: last layer of models
        that are not judged.

    Raises:
        NotRun: If the extra, a connection or the text is missing.
    """
    readings: Readings = {"final": {}, "penultimate": {}, "random": {}, "shown": {}}
    with _or_not_run():
        text = _text()
        for name, repo in GATED.items():
            readings["final"] |= _layer(name, repo, text, -1)
            readings["penultimate"] |= _layer(name, repo, text, -2)
            readings["random"] |= _layer(name, repo, text, -1, random_init=True)
        for name, repo in SHOWN.items():
            readings["shown"] |= _layer(name, repo, text, -1)
    return readings


def _text() -> Path:
    folder = text_folder("")
    file = find_part(folder, "test")
    if file is None:
        raise InputError(f"no test part of WikiText-2 in {folder}")
    return file


def _layer(
    name: str, repo: str, text: Path, layer: int, random_init: bool = False
) -> dict[str, float]:
    """Mean cosine of a layer, by stack."""
    found = hub_reading(repo, HubOptions(text=text, random_init=random_init))
    return {f"{name}/{stack}": x.layers[layer].mean for stack, x in found.stacks.items()}


LEAST = 20
"""Checkpoints of a series from which a law is judged."""
ADAFACTOR, PYTHIA = "EleutherAI/pile-t5-base", "EleutherAI/pythia-14m"


def ng_d2() -> Readings:
    """Growth of published series: one of T5's kind under Adafactor and 1 / sqrt(t), and Pythia.

    Criterion: R^2 of the root of the step at least 0.98 for the first; the other is shown. Source:
    section 3.1. Departures: Pile-T5 for the series of T5 that is not public, and not every one of
    its checkpoints, of a gigabyte each, but :data:`LEAST` at equal distances.

    Returns:
        ``n``, ``r2_sqrt``, ``p``, ``alignment`` of the last step, by series.

    Raises:
        NotRun: If the extra or a connection is missing, or a series has too few checkpoints.
    """
    readings: Readings = {"n": {}, "r2_sqrt": {}, "p": {}, "alignment": {}}
    with _or_not_run():
        for repo in (ADAFACTOR, PYTHIA):
            series = thinned(series_of(f"hf:{repo}"), LEAST if repo == ADAFACTOR else None)
            stored = default_runs_dir() / "series" / f"NG-D2-{repo.replace('/', '-')}.json"
            curve = read_curve(series, stored=stored)
            growth: SetGrowth = growth_of(curve, OptimConfig(lr=1.0))["encoder"]
            if growth.law is None:
                raise NotRun(f"{repo}: no law can be fitted to {len(curve.steps)} checkpoints")
            readings["n"][repo] = float(len(curve.steps))
            readings["r2_sqrt"][repo] = growth.law.affine["sqrt"].r2
            readings["p"][repo] = growth.law.power.p
            readings["alignment"][repo] = float(growth.columns["align/theta_delta"][-1])
    return readings


def thinned(series: CheckpointSeries, n: int | None) -> CheckpointSeries:
    """The same with n revisions, the first and the last among them; None for all.

    Raises:
        NotRun: If it has fewer than n, or than :data:`LEAST`.
    """
    found = series.revisions
    if len(found) < (n or LEAST):
        raise NotRun(f"{series.name} has {len(found)} checkpoints; {n or LEAST} are needed")
    if n is not None:
        found = [found[round(i * (len(found) - 1) / (n - 1))] for i in range(n)]
    return CheckpointSeries(series.name, found, series.problems)


def ng_d3() -> Readings:
    """Norm of the encoder of the published T5-base, trained longer than the paper's series.

    Criterion: it lies above the 2,222 with which that series ends.

    Returns:
        ``norm`` of the encoder, and ``layer`` by layer.

    Raises:
        NotRun: If the extra or a connection is missing.
    """
    with _or_not_run(), model_folder(GATED["t5-base"], None) as folder:
        norms = set_norms(open_tensors(folder))
    layers = {name: x for name, x in norms.items() if name.startswith("layer.")}
    return {"norm": {"t5-base": norms["encoder"]}, "layer": layers}
