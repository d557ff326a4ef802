"""Checkpoints of our runs: safetensors files named by the step.

Parameters lie under their names. The latest checkpoint also has the optimiser's state, under
``optim/<moment>.<parameter>``, and can be resumed from; earlier ones hold parameters only.
Nothing is ever unpickled.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from safetensors import SafetensorError, safe_open

from grok.runs import Run, write_atomic

if TYPE_CHECKING:
    from torch import Tensor

_OPTIM = "optim/"


class Checkpoint(NamedTuple):
    """The content of one file."""

    step: int
    """Updates done."""
    parameters: "dict[str, Tensor]"
    """By name, without a run axis."""
    moments: "dict[str, Tensor]"
    """Optimiser's state as ``<moment>.<parameter>``; empty where it was not kept."""


def checkpoint_steps(run: Run) -> list[int]:
    """Steps whose parameters are stored, ascending."""
    return sorted(int(p.stem) for p in run.checkpoints_dir.glob("*.safetensors") if _is_ours(p))


def _is_ours(path: Path) -> bool:
    return path.stem.isdigit()


def save_checkpoint(
    run: Run,
    step: int,
    parameters: "Mapping[str, Tensor]",
    moments: "Mapping[str, Tensor]",
    every: int,
) -> None:
    """Store a state to resume from, then reduce what was stored before.

    Of earlier checkpoints those with the optimiser's state lose it if their step is a multiple of
    ``every``, and are removed otherwise; those without were kept on purpose, and stay even where
    ``every`` is another now. A kill in between leaves one too many, which the next call mends.

    Raises:
        OSError: If the file cannot be written; the earlier ones are untouched then.
    """
    run.checkpoints_dir.mkdir(exist_ok=True)
    tensors = dict(parameters) | {_OPTIM + name: x for name, x in moments.items()}
    _write(run, step, tensors)
    for earlier in checkpoint_steps(run):
        path = checkpoint_path(run, earlier)
        if earlier == step:
            continue
        can_resume = any(name.startswith(_OPTIM) for name in _names(path))
        if earlier > step or (can_resume and (every == 0 or earlier % every != 0)):
            path.unlink(missing_ok=True)
        elif can_resume:
            _write(run, earlier, load_checkpoint(path).parameters)


def checkpoint_path(run: Run, step: int) -> Path:
    """File of the checkpoint at a step."""
    return run.checkpoints_dir / f"{step:08d}.safetensors"


def _write(run: Run, step: int, tensors: "Mapping[str, Tensor]") -> None:
    from safetensors.torch import save  # brings torch, which a list of steps needs not

    contiguous = {name: x.detach().cpu().contiguous() for name, x in tensors.items()}
    metadata = {"format": "grok", "step": str(step), "run": run.key}
    write_atomic(checkpoint_path(run, step), save(contiguous, metadata))


def _names(path: Path) -> list[str]:
    with safe_open(path, framework="pt") as file:
        return list(file.keys())


def load_checkpoint(path: Path) -> Checkpoint:
    """Read one file.

    Raises:
        ValueError: If it is not a checkpoint of ours; one line that names it.
    """
    try:
        with safe_open(path, framework="pt") as file:
            step = int((file.metadata() or {})["step"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError, KeyError, ValueError) as error:
        raise ValueError(f"{path} is not a checkpoint of grok: {error}") from error
    moments = {n.removeprefix(_OPTIM): x for n, x in tensors.items() if n.startswith(_OPTIM)}
    parameters = {n: x for n, x in tensors.items() if not n.startswith(_OPTIM)}
    return Checkpoint(step, parameters, moments)


def latest_checkpoint(run: Run) -> Checkpoint | None:
    """The state to resume from; None if the run starts anew.

    Raises:
        ValueError: If the file is damaged.
    """
    for step in reversed(checkpoint_steps(run)):
        checkpoint = load_checkpoint(checkpoint_path(run, step))
        if checkpoint.moments:
            return checkpoint
    return None
