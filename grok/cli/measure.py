"""``grok measure`` and ``grok convert``."""

import json
import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from grok.cli.common import Parser, listed
from grok.inputs import InputError

DESCRIPTION = """\
Every measure that applies, on stored or published checkpoints: files, folders of checkpoints (a
curve), or runs of ours by key or folder. Layouts are recognised by their names and shapes: ours,
the released code of Nanda et al. 2023, TransformerLens, and plain torch with
nn.MultiheadAttention. Nothing in a file is run. Readings that depend on the split of the pairs
need --train_fraction, unless the file stores losses from which the split can be told."""

EPILOG = """\
`grok measure --series FOLDER` and `grok measure hf:OWNER/NAME` take models of any kind: growth of
their norm along a series of checkpoints, and saturation. --help after either says more."""


def measure(arguments: list[str]) -> int:
    """``grok measure``: checkpoints, a series of them, or a model of Hugging Face."""
    from grok.cli.hub import hub, is_hub
    from grok.cli.series import is_series, series

    if is_series(arguments):
        return series(arguments)
    if is_hub(arguments):
        return hub(arguments)
    options = _options(arguments)
    from grok.lit.status_line import StatusLine
    from grok.offline import DataOptions, ModelOptions, sources
    from grok.offline import measure as read

    found = sources(options.checkpoints, options.runs_dir)
    data = DataOptions(
        p=options.p,
        operation=options.operation,
        train_fraction=options.train_fraction,
        split_rule=options.split_rule,
        seed=options.seed,
    )
    model = ModelOptions(act=options.act, causal=options.causal, n_heads=options.n_heads)
    line = StatusLine()

    def tell(done: int) -> None:
        if len(found) > 1 and line.is_due():
            line.show(f"  {done} / {len(found)} checkpoints")

    measured = list(
        read(
            found,
            data,
            model,
            families=listed(options.families),
            keys=_keys(options.keys),
            rule=options.rule,
            tell=tell,
        )
    )
    line.end()
    _print(measured, options.json)
    return 0


def _options(arguments: list[str]) -> Any:
    parser = Parser(prog="grok measure", description=DESCRIPTION, epilog=EPILOG)
    add = parser.add_argument
    add("checkpoints", nargs="+", help="files, folders, runs")
    add("--p", type=int, help="modulus (default: what the embedding says)")
    add("--operation", default="add", help="add, sub, mul, ... (default add)")
    add("--train_fraction", "--train-fraction", type=float, help="share of the training pairs")
    add("--split_rule", "--split-rule", default="python_shuffle", help="python_shuffle, ...")
    add("--seed", type=int, default=0, help="seed of the split (default 0)")
    add("--act", choices=("relu", "gelu"), help="activation, where the file does not say")
    add("--causal", action="store_true", default=None, help="later positions are masked")
    add("--no-causal", dest="causal", action="store_false", help="they are not")
    add("--n_heads", "--n-heads", type=int, help="heads, where no shape tells")
    add(
        "--families",
        default="",
        help="measure families (default: all but the costly kernel, hessian and ablation)",
    )
    add(
        "--keys",
        default="last",
        help="key frequencies or irreps: last, each, 14,35,41 or 4.1,3.2 (default last)",
    )
    add("--rule", choices=("L", "E", "N"), default="L", help="how they are found (default L)")
    add("--runs_dir", "--runs-dir", type=Path, help="run store")
    add("--json", action="store_true", help="print JSON and nothing else on standard output")
    return parser.parse_args(arguments)


def _keys(text: str) -> tuple[str, ...] | None:
    """Keys, empty for those of the last checkpoint, None for those of each."""
    if text in ("last", "each"):
        return () if text == "last" else None
    return tuple(listed(text))


def _print(measured: Sequence[Any], as_json: bool) -> None:
    if as_json:
        objects = [_object(each) for each in measured]
        print(json.dumps(objects[0] if len(objects) == 1 else objects))
        return
    from grok.report.terminal import console, print_rows

    if len(measured) > 1:
        print_rows(console(), [_row(each) for each in measured])
        return
    (only,) = measured
    for name, value in _heading(only).items():
        print(f"{name:<10}{value}")
    rows = [{"key": k, "value": f"{x:.6g}"} for k, x in only.readings.items() if not _is_vector(k)]
    print_rows(console(), rows)
    if not only.checkpoint.has_split:
        print(
            "grok: the split of the pairs is not known, so train and test readings are left out; "
            "--train_fraction, --split_rule and --seed give it",
            file=sys.stderr,
        )


def _heading(measured: Any) -> dict[str, str]:
    config = measured.checkpoint.config
    data, model = config.data, config.model
    mlp = "no MLP" if model.attn_only else f"d_mlp {model.d_mlp}, {model.act}"
    operation = f"{data.operation} {data.group or f'mod {data.n_elements}'}"
    split = f"{data.train_fraction:g} by {data.split}, seed {data.split_seed}"
    return {
        "file": str(measured.source.file),
        "format": measured.checkpoint.format,
        "model": f"{model.n_layers} layers, d_model {model.d_model}, {model.n_heads} heads, "
        f"{mlp}, norm {model.norm.name}",
        "data": _sequences(config)
        if config.problem != "pairs"
        else f"{operation}, {split if measured.checkpoint.has_split else 'split not known'}",
        "keys": ", ".join(_all_keys(measured)) or "none",
    }


def _sequences(config: Any) -> str:
    """What a run on sequences or on a text learns from."""
    if config.problem == "language":
        return f"{config.text.name}, part {config.text.trained_part}, {config.text.mode}"
    n = config.sequence.n_train
    train = f"{n} sequences, seed {config.data.split_seed}" if n else "fresh at every update"
    return f"{config.problem}, {train}"


def _object(measured: Any) -> dict[str, Any]:
    """The JSON object of one checkpoint."""
    from grok.config import to_dict

    config = to_dict(measured.checkpoint.config)
    data = config["data"]
    if not measured.checkpoint.has_split:
        data = {k: v for k, v in data.items() if k in ("operation", "p", "group")}
    if config["problem"] != "pairs":
        seeds = {name: data[name] for name in ("split_seed", "order_seed")}
        data = {"problem": config["problem"], **config["sequence"], **seeds}
    readings: dict[str, Any] = {
        k: x if math.isfinite(x) else None for k, x in measured.readings.items()
    }
    for family, keys in measured.keys.items():
        is_frequency = family == "progress"
        readings[f"{family}/keys"] = [int(k) if is_frequency else k for k in keys]
    return {
        "file": str(measured.source.file),
        "format": measured.checkpoint.format,
        "step": measured.checkpoint.step,
        "model": config["model"],
        "data": data,
        "readings": readings,
    }


def _all_keys(measured: Any) -> list[str]:
    """Keys of every family, none twice."""
    return list(dict.fromkeys(key for keys in measured.keys.values() for key in keys))


_COLUMNS = {
    "loss/train": ("loss/train",),
    "loss/test": ("loss/test",),
    "loss/all": ("loss/all",),
    "acc/test": ("acc/test",),
    "restricted": ("progress/restricted/sum/all", "irrep/restricted/all"),
    "excluded": ("progress/excluded/sum/train", "irrep/excluded/train"),
    "gini W_E": ("progress/gini/W_E",),
    "norm²": ("norm/squared",),
}
"""Columns of a curve, each the first of these readings that there is."""


def _row(measured: Any) -> dict[str, Any]:
    """The line of one checkpoint in a curve."""
    step = measured.checkpoint.step
    row: dict[str, Any] = {"name": measured.source.file.name, "step": "" if step is None else step}
    for name, keys in _COLUMNS.items():
        found = [measured.readings[key] for key in keys if key in measured.readings]
        row[name] = f"{found[0]:.4g}" if found else ""
    return row | {"keys": ",".join(_all_keys(measured))}


def _is_vector(key: str) -> bool:
    from grok.keys import find_key

    row = find_key(key)
    return row is not None and row.is_vector


def convert(arguments: list[str]) -> int:
    """``grok convert``: one layout into another."""
    parser = Parser(
        prog="grok convert",
        description="A checkpoint in another layout. The file is data: nothing in it is run.",
    )
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True, help="file to write")
    parser.add_argument("--to", required=True, help="grok or transformer_lens")
    parser.add_argument("--act", choices=("relu", "gelu"), help="where the file does not say")
    parser.add_argument("--n_heads", "--n-heads", type=int, help="where no shape tells")
    options = parser.parse_args(arguments)
    from grok.formats import FORMATS, write_checkpoint
    from grok.offline import DataOptions, ModelOptions, sources

    if options.to not in FORMATS:
        raise InputError(f"to={options.to} is unknown; allowed: {', '.join(FORMATS)}")
    (source,) = sources([str(options.checkpoint)])
    model = ModelOptions(act=options.act, n_heads=options.n_heads)
    if source.run is not None and source.run.problem != "pairs":
        raise InputError(
            f"{options.checkpoint} is of a run of {source.run.problem}; grok convert takes "
            f"networks on pairs (a, b)"
        )
    loaded = source.load(DataOptions(operation="add"), model)
    parts = (loaded.config.model, loaded.config.data.n_elements, loaded.parameters)
    write_checkpoint(options.output, parts, options.to)
    print(f"{options.output}: {options.to}, from {loaded.format}", file=sys.stderr)
    return 0
