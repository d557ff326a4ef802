"""Sweeps: W&B sweep files read without a server, and the runs of one trained in processes."""

from grok.sweep.diagram import Criterion as Criterion
from grok.sweep.diagram import Diagram as Diagram
from grok.sweep.diagram import cell_table as cell_table
from grok.sweep.diagram import diagram_of as diagram_of
from grok.sweep.estimate import estimate_seconds as estimate_seconds
from grok.sweep.file import Sweep as Sweep
from grok.sweep.file import SweepRun as SweepRun
from grok.sweep.file import read_sweep as read_sweep
from grok.sweep.grid import Axis as Axis
from grok.sweep.grid import Grid as Grid
from grok.sweep.grid import grid_of as grid_of
from grok.sweep.local import Outcome as Outcome
from grok.sweep.local import run_local as run_local
