"""What a task asks of Slurm."""

import re
from dataclasses import dataclass

from grok.inputs import InputError

_OURS = ("array", "output", "error", "signal", "requeue", "open-mode", "wrap", "ntasks", "nodes")


@dataclass(frozen=True, kw_only=True)
class SlurmOptions:
    """What each task asks of Slurm."""

    partition: str | None = None
    """Partition; None for the cluster's default."""
    time: int = 60
    """Minutes, 1 or more; at this limit the runs checkpoint and the task is requeued."""
    cpus: int | None = None
    """Cores, 1 or more; None for as many as a run has threads."""
    mem: str | None = None
    """Memory, such as 8G."""
    account: str | None = None
    """Account that pays."""
    gres: str | None = None
    """Generic resources, such as gpu:1."""
    extra: tuple[tuple[str, str], ...] = ()
    """Further options of sbatch and their values."""

    def __post_init__(self) -> None:
        for name, least in (("time", self.time), ("cpus", self.cpus)):
            if least is not None and least < 1:
                raise InputError(f"slurm.{name}={least} must be 1 or more")
        for key, value in self.extra:
            if not re.fullmatch(r"[a-z][a-z0-9-]*", key) or not value:
                raise InputError(f"slurm.extra={key}={value}: expected KEY=VALUE such as qos=high")
            if key in (*_OURS, "time", "cpus-per-task"):
                raise InputError(f"slurm.extra={key}={value}: {key} cannot be set here")
        values = [*vars(self).values(), *(value for _, value in self.extra)]
        if any(isinstance(value, str) and not value.isprintable() for value in values):
            raise InputError("a value of slurm.* holds a line break or another control character")

    @property
    def on_cuda(self) -> bool:
        """Whether a GPU is asked for."""
        wanted = [self.gres or "", *(key for key, _ in self.extra)]
        return any("gpu" in name for name in wanted)
