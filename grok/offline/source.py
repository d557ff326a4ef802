"""Where checkpoints lie, and what is known of the model and the data behind each."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, get_args

from torch import Tensor

from grok.checkpoints import load_checkpoint
from grok.config import RunConfig
from grok.data.config import DataConfig, SplitMethod
from grok.formats import read_checkpoint
from grok.groups import Operation
from grok.inputs import InputError
from grok.runs import RunStore, default_runs_dir, open_run

SUFFIXES = (".safetensors", ".pt", ".pth", ".ckpt", ".bin")
"""Names of files that are taken from a folder."""


@dataclass(frozen=True, kw_only=True)
class DataOptions:
    """What the user says of the data; None is unknown."""

    p: int | None = None
    operation: str = "add"
    train_fraction: float | None = None
    split_rule: str = "python_shuffle"
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse unknown names.

        Raises:
            InputError: In one line that says what is allowed.
        """
        allowed = [name for name in get_args(Operation) if name != "compose"]
        for name, value, known in (
            ("operation", self.operation, allowed),
            ("split_rule", self.split_rule, get_args(SplitMethod)),
        ):
            if value not in known:
                raise InputError(f"{name}={value} is unknown; allowed: {', '.join(known)}")


@dataclass(frozen=True, kw_only=True)
class ModelOptions:
    """What the user says of the model where the file does not."""

    act: Any = None
    causal: bool | None = None
    n_heads: int | None = None


class Loaded(NamedTuple):
    """A checkpoint, ready to be measured."""

    format: str
    step: int | None
    config: RunConfig
    parameters: dict[str, Tensor]
    extras: dict[str, Any]
    has_split: bool
    """Whether the split of its pairs is known."""


class Source(NamedTuple):
    """A file with a checkpoint, and the run that it is of, if it is one of ours."""

    file: Path
    run: RunConfig | None

    def load(self, data: DataOptions, model: ModelOptions) -> Loaded:
        """Read the file.

        Raises:
            InputError: If it cannot be used, or does not fit what is said of its data.
        """
        if self.run is not None and self.run.problem != "pairs":
            return self._of_sequences(self.run)
        if self.run is not None:
            found = read_checkpoint(self.file, config=self.run.model)
            return Loaded("grok", found.step, self.run, found.parameters, {}, True)
        found = read_checkpoint(
            self.file, act=model.act, causal=model.causal, n_heads=model.n_heads
        )
        if data.p is not None and data.p != found.n:
            raise InputError(f"p={data.p}: {self.file} embeds {found.n} elements beside =")
        dtype = "float64" if found.parameters["W_E"].element_size() == 8 else "float32"
        config = RunConfig(data=_data(data, found.n), model=found.config, dtype=dtype)
        has_split = data.train_fraction is not None
        return Loaded(found.format, found.step, config, found.parameters, found.extras, has_split)

    def _of_sequences(self, run: RunConfig) -> Loaded:
        """A checkpoint of a run of ours on sequences, which no published layout has."""
        try:
            found = load_checkpoint(self.file)
        except ValueError as error:
            raise InputError(str(error)) from error
        return Loaded("grok", found.step, run, found.parameters, {}, True)


def _data(options: DataOptions, p: int) -> DataConfig:
    """The data of a published model; without a split, one that no reading may depend on."""
    fraction = 0.5 if options.train_fraction is None else options.train_fraction
    try:
        return DataConfig(
            operation=options.operation,  # pyright: ignore[reportArgumentType]
            p=p,
            train_fraction=fraction,
            split=options.split_rule,  # pyright: ignore[reportArgumentType]
            split_seed=options.seed,
        )
    except ValueError as error:
        raise InputError(str(error)) from error


def sources(names: Sequence[str], runs_dir: Path | None = None) -> list[Source]:
    """Checkpoints behind the names of files, folders and runs, each folder's in order of step.

    Args:
        names: Files; folders of checkpoints; folders or keys of runs of ours.
        runs_dir: Run store in which keys are looked up.

    Raises:
        InputError: If there is no such file or run, or a folder has no checkpoint.
    """
    found: list[Source] = []
    for name in names:
        path = Path(name)
        if path.is_file():
            found.append(_source(path))
        elif path.is_dir() and not (path / "config.yaml").is_file():
            found += _of_folder(path)
        else:
            run = open_run(path) if path.is_dir() else _find(name, runs_dir)
            found += _of_folder(run.checkpoints_dir)
    return found


def _find(name: str, runs_dir: Path | None) -> Any:
    """A run by key, or an error that speaks of files too."""
    try:
        return RunStore(runs_dir or default_runs_dir()).find(name)
    except InputError as error:
        raise InputError(f"{name} is no file and no folder, and {error}") from error


def _of_folder(folder: Path) -> list[Source]:
    files = [f for f in folder.iterdir() if f.suffix in SUFFIXES] if folder.is_dir() else []
    if not files:
        raise InputError(f"{folder} has no checkpoint; names end in {', '.join(SUFFIXES)}")
    return [_source(file) for file in sorted(files, key=_in_order)]


def _in_order(file: Path) -> tuple[int, str]:
    """Numbers in a name count as numbers: epoch 900 comes before 1000."""
    digits = "".join(c if c.isdigit() else " " for c in file.stem).split()
    return (int(digits[-1][:18]) if digits else -1), file.name


def _source(file: Path) -> Source:
    """A file, with the config of the run in whose folder it lies."""
    folder = file.resolve().parent
    is_ours = folder.name == "checkpoints" and (folder.parent / "config.yaml").is_file()
    return Source(file, open_run(folder.parent).config if is_ours else None)
