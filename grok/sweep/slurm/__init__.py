"""Sweeps on a Slurm cluster."""

from grok.sweep.slurm.options import SlurmOptions as SlurmOptions
from grok.sweep.slurm.submit import MOST_TASKS as MOST_TASKS
from grok.sweep.slurm.submit import Plan as Plan
from grok.sweep.slurm.submit import Submitted as Submitted
from grok.sweep.slurm.submit import check_slurm as check_slurm
from grok.sweep.slurm.submit import forget_all as forget_all
from grok.sweep.slurm.submit import new_folder as new_folder
from grok.sweep.slurm.submit import plan_of as plan_of
from grok.sweep.slurm.submit import script as script
from grok.sweep.slurm.submit import submit as submit
from grok.sweep.slurm.wait import outcome_of as outcome_of
from grok.sweep.slurm.wait import wait_for as wait_for
