"""The Trainer: everything off that we do ourselves, and quiet."""

import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

from lightning.fabric.plugins.environments.lightning import LightningEnvironment
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.loggers import Logger
from lightning.pytorch.utilities.exceptions import SIGTERMException

from grok.lit.module import BlockDataModule, StackTask
from grok.lit.signals import SignalCatcher


class _TakeSignals(Callback):
    """Takes the signals back from Lightning, which would end the process with exit code 0."""

    def __init__(self, catcher: SignalCatcher) -> None:
        self.catcher = catcher

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.catcher.install()


def fit(
    task: StackTask,
    data: BlockDataModule,
    callbacks: Sequence[Callback],
    loggers: Sequence[Logger],
    catcher: SignalCatcher,
) -> None:
    """One Lightning fit over the blocks of ``data``.

    Args:
        task: The stack.
        data: Its blocks.
        callbacks: Measures and whatever else.
        loggers: Where readings go.
        catcher: Remembers signals while the fit runs.
    """
    with _quiet_lightning():
        trainer = Trainer(
            accelerator="gpu" if task.stack.device.type == "cuda" else "cpu",
            devices=1,
            max_epochs=1,
            callbacks=[_TakeSignals(catcher), *callbacks],
            logger=list(loggers),
            plugins=[LightningEnvironment()],  # under Slurm only one of us may requeue
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
        )
        # A SIGTERM between Lightning's handler and ours reaches both. Nothing is trained then.
        with suppress(SIGTERMException):
            trainer.fit(task, datamodule=data)


@contextmanager
def _quiet_lightning() -> Iterator[None]:
    """Silence Lightning's hints, which are about things we do on purpose."""
    log = logging.getLogger("lightning.pytorch")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=r".*does not have many workers.*")
            warnings.filterwarnings("ignore", message=r".*GPU available but not used.*")
            warnings.filterwarnings("ignore", message=r".*`srun` command is available.*")
            # Lightning 2.6 asks torch 2.13 about pytrees in a way that is deprecated there.
            warnings.filterwarnings("ignore", message=r".*treespec, LeafSpec.*")
            yield
    finally:
        log.setLevel(level)
