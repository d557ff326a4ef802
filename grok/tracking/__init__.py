"""The copy of a run on Weights & Biases, or none. The run store is the truth.

``wandb`` is imported in :mod:`grok.tracking.wandb_run` only, and only when a run is tracked.
Nothing here may stop a training: what W&B cannot take is said once, in one line of the log
``grok``.
"""

from grok.tracking.agreement import ConfigMismatch as ConfigMismatch
from grok.tracking.agreement import check_config as check_config
from grok.tracking.base import NoTracker as NoTracker
from grok.tracking.base import StoredRun as StoredRun
from grok.tracking.base import Tracker as Tracker
from grok.tracking.modes import Mode as Mode
from grok.tracking.modes import agent_tracker as agent_tracker
from grok.tracking.modes import is_under_agent as is_under_agent
from grok.tracking.modes import make_tracker as make_tracker
from grok.tracking.modes import resolve_mode as resolve_mode
from grok.tracking.shared import SharedTracker as SharedTracker
from grok.tracking.table import log_table as log_table
from grok.tracking.wandb_run import WandbTracker as WandbTracker
from grok.tracking.wandb_run import stored_summary as stored_summary
