"""The run store: what a run was, what was read, how it ended. Imports no torch.

``<root>/<key>/`` holds ``config.yaml``, ``readings/part-*.parquet``, ``checkpoints/``,
``status.json`` and, while a process works on the run, ``lock``. Every file is written whole
under a temporary name and renamed into place, so killing the writer at any instant leaves
nothing that cannot be read.
"""

from grok.runs.export import export as export
from grok.runs.files import write_atomic as write_atomic
from grok.runs.growth import growth as growth
from grok.runs.growth import window_fits as window_fits
from grok.runs.lock import LockLost as LockLost
from grok.runs.lock import RunLock as RunLock
from grok.runs.lock import RunLocked as RunLocked
from grok.runs.owner import Owner as Owner
from grok.runs.owner import live_owner as live_owner
from grok.runs.readings import check_key as check_key
from grok.runs.run import DONE as DONE
from grok.runs.run import Run as Run
from grok.runs.run import open_run as open_run
from grok.runs.run import plain as plain
from grok.runs.run import write_status as write_status
from grok.runs.store import RunStore as RunStore
from grok.runs.store import default_runs_dir as default_runs_dir
from grok.runs.summary import EVENTS as EVENTS
from grok.runs.summary import keys_found as keys_found
from grok.runs.summary import onsets as onsets
from grok.runs.summary import summary as summary
from grok.runs.writer import ReadingsWriter as ReadingsWriter
