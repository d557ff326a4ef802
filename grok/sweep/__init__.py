"""Sweeps: W&B sweep files read without a server, and the runs of one trained in processes."""

from grok.sweep.estimate import estimate_seconds as estimate_seconds
from grok.sweep.file import Sweep as Sweep
from grok.sweep.file import SweepRun as SweepRun
from grok.sweep.file import read_sweep as read_sweep
from grok.sweep.local import Outcome as Outcome
from grok.sweep.local import run_local as run_local
