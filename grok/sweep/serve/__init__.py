"""A sweep server for W&B's unmodified client, where there is no W&B.

It speaks as much of W&B's protocol as ``wandb sweep``, ``wandb agent`` and a tracked run need, and
keeps what it knows in one SQLite file. It needs the standard library alone (a bayes sweep also
W&B's engine ``sweeps``).
"""

from grok.sweep.serve.address import AddressServer as AddressServer
from grok.sweep.serve.address import is_loopback as is_loopback
from grok.sweep.serve.http import SweepServer as SweepServer
from grok.sweep.serve.ledger import Ledger as Ledger
from grok.sweep.serve.ledger import values_of as values_of
from grok.sweep.serve.queue import Queue as Queue
