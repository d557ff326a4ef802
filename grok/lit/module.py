"""A stack of runs as LightningModule and LightningDataModule.

Manual optimisation, one long epoch, one ``training_step`` per *block* of updates: Lightning's
own cost per step is then paid once per block. Nothing is fed by a DataLoader, since the data
are already where they are needed.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from lightning.pytorch import LightningDataModule, LightningModule
from torch.optim import Optimizer

from grok.measures import Snapshot
from grok.training import Stack


class Block(NamedTuple):
    """Consecutive updates between which nothing is read."""

    start: int
    stop: int


class Blocks:
    """Cuts the steps ``start`` to ``n_steps`` into blocks.

    Args:
        start: Updates already done.
        n_steps: Updates in all.
        boundaries: Functions from a step to the next step at which something is due, or None.
        longest: Most updates in a block; 100 makes Lightning's share negligible.
    """

    def __init__(
        self,
        start: int,
        n_steps: int,
        boundaries: Sequence[Callable[[int], int | None]] = (),
        longest: int = 100,
    ) -> None:
        self.start, self.n_steps = start, n_steps
        self.boundaries, self.longest = boundaries, longest

    def __iter__(self) -> Iterator[Block]:
        """The blocks in order."""
        step = self.start
        while step < self.n_steps:
            due = [due for boundary in self.boundaries if (due := boundary(step)) is not None]
            stop = min([step + self.longest, self.n_steps, *due])
            yield Block(step, stop)
            step = stop


class BlockDataModule(LightningDataModule):
    """The blocks of a stack's one epoch.

    The data themselves are made from the seeds of the configs and lie on the device, in the
    stack's problem: there is nothing to download and no worker process.
    """

    def __init__(self) -> None:
        super().__init__()
        self.blocks = Blocks(0, 0)

    def train_dataloader(self) -> Blocks:
        """The blocks still to do."""
        return self.blocks


class StackTask(LightningModule):
    """Trains a stack. All arithmetic is in :class:`grok.training.Stack`.

    The module counts the steps itself: under manual optimisation of tensors that Lightning does
    not know, ``trainer.global_step`` stays 0.

    Args:
        stack: The runs.
        should_stop: Asked before every update; True ends the block early.
    """

    def __init__(self, stack: Stack, should_stop: Callable[[], bool] = lambda: False) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.stack = stack
        self.should_stop = should_stop
        self._snapshot: Snapshot | None = None

    @property
    def step(self) -> int:
        """Updates done."""
        return self.stack.step

    def on_train_batch_start(self, batch: Block, batch_idx: int) -> int | None:
        """Skip the rest of the epoch (-1) when asked to stop or when no run is left."""
        del batch, batch_idx
        return -1 if self.should_stop() or not bool(self.stack.alive.any()) else None

    def training_step(self, block: Block) -> None:
        """One block of updates."""
        self._snapshot = None  # and with it the activations of the whole probe
        self.stack.advance(block.stop - self.step, self.should_stop)

    def configure_optimizers(self) -> list[Optimizer]:
        """None of Lightning's: the stack has its own."""
        return []

    def snapshot(self) -> Snapshot:
        """The stack at its present step; every measure due at a step gets the same object."""
        if self._snapshot is None or self._snapshot.step != self.step:
            self._snapshot = self.stack.snapshot()
        return self._snapshot
