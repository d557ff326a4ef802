"""A stored network, for what looks at more than its readings."""

from typing import TYPE_CHECKING

from grok.runs import Run

if TYPE_CHECKING:
    from grok.measures import Snapshot


def stored_snapshot(run: Run, step: int) -> "Snapshot":
    """A run as it was at a step that has a checkpoint, for any measure.

    Raises:
        ValueError: If the checkpoint cannot be read; one line that names it.
    """
    # torch takes seconds to import, which what shows readings alone need not wait for
    from grok.checkpoints import checkpoint_path, load_checkpoint
    from grok.training import Stack, problem_of, show

    stack = Stack(problem_of([run.config]))
    show(stack, 0, step, load_checkpoint(checkpoint_path(run, step)).parameters)
    return stack.snapshot()
