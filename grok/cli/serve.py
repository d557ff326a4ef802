"""``grok sweep serve``."""

import os
import re
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from grok.cli.common import Parser, sigterm
from grok.inputs import InputError

TOKEN = "GROK_SWEEP_TOKEN"
MIN_TOKEN = 40
_ANY_KEY = "any_forty_characters_will_do_on_this_machine"

USAGE = f"""\
usage: grok sweep serve [--port=P]

A sweep server for W&B's own commands where there is no internet and no W&B. It is not W&B: it
hands out runs and shows how they stand, and it has no charts; readings are in the run store.
In other terminals:

  export WANDB_BASE_URL=http://127.0.0.1:8787 WANDB_API_KEY={_ANY_KEY}
  wandb sweep sweeps/inductive_bias/readout_scale.yaml
  wandb agent local/grok/SWEEP_ID             as many as you like

Methods are grid, random and bayes (which needs: pip install sweeps). No run is at two agents at
once. One whose agent has fallen silent, or that a signal stopped, is handed out again under its
id and goes on. What has failed is not. Stop the server whenever you like: its state is on the
disk, agents wait, and the same command goes on.

  --port=P           default: 8787
  --host=ADDRESS     default: 127.0.0.1, which other machines cannot reach. For any other address
                     ${TOKEN} must hold a token of {MIN_TOKEN} or more letters and digits,
                     which is what clients give as WANDB_API_KEY; it crosses the network unencrypted
  --state=FILE       default: sweeps.sqlite in the run store
  --runs_dir=DIR     the run store (default: $GROK_RUNS, else runs/)
  --silent-after=S   seconds until a run of which nothing is heard is handed out again
                     (default: 120)
  --sweep-seed=N     seed of the draws of each sweep made from now on (default: drawn)
  --debug            show the traceback of an error

On a terminal: a table of sweeps and the latest runs; elsewhere one line per change.
Exit code: 130 after Ctrl-C, 143 after SIGTERM.
"""


def serve(arguments: list[str]) -> int:
    """Serve sweeps until a signal comes.

    Raises:
        InputError: If an option, the port or the state file cannot be used.
        KeyboardInterrupt: After SIGINT or SIGTERM; the latter has ``signal`` set.
    """
    if {"-h", "--help"} & set(arguments):
        print(USAGE, end="")
        return 0
    options = _options(arguments)
    from grok.runs import default_runs_dir
    from grok.sweep.serve import Ledger, Queue, SweepServer

    state = options.state or (options.runs_dir or default_runs_dir()) / "sweeps.sqlite"
    token = _token(options.host)
    lines: deque[str] = deque()
    ledger = Ledger(state)
    queue = Queue(
        ledger,
        silent_after=options.silent_after,
        seed=options.sweep_seed,
        say=lambda line: lines.append(f"{time.strftime('%H:%M:%S')} {line}"),
    )
    server = SweepServer(queue, options.host, options.port, token)
    with sigterm(), _in_thread(server):
        print(_greeting(server, state), flush=True)
        _watch(queue, lines)
    return 0


def _options(arguments: list[str]) -> Any:
    parser = Parser(prog="grok sweep serve", add_help=False, allow_abbrev=False)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8787)
    parser.add_argument("--state", type=Path)
    parser.add_argument("--runs_dir", "--runs-dir", type=Path)
    parser.add_argument("--silent-after", "--silent_after", type=float, default=120.0)
    parser.add_argument("--sweep-seed", "--sweep_seed", type=int)
    options = parser.parse_args(arguments)
    if not options.silent_after >= 15:
        raise InputError(
            f"silent-after={options.silent_after:g}: at least 15 seconds, since an agent is heard "
            "every 5 at best"
        )
    if options.sweep_seed is not None and options.sweep_seed < 0:
        raise InputError(f"sweep-seed={options.sweep_seed} must be 0 or more")
    return options


def _token(host: str) -> str | None:
    """What clients must show; None if any key will do.

    Raises:
        InputError: If other machines can reach the server and there is no token, or it is short.
    """
    from grok.sweep.serve import is_loopback

    token = os.environ.get(TOKEN)
    if not token and is_loopback(host):
        return None
    if not token:
        raise InputError(f"host={host} is open to other machines: put a token into ${TOKEN}")
    # What stands before a hyphen is no part of the key to W&B's client.
    if not re.fullmatch(f"[A-Za-z0-9_]{{{MIN_TOKEN},}}", token):
        raise InputError(f"${TOKEN} must have {MIN_TOKEN} or more letters and digits, no others")
    return token


def _greeting(server: Any, state: Path) -> str:
    url = server.url
    key = f"${TOKEN}" if server.token else _ANY_KEY
    return (
        f"grok sweep serve on {url}, state in {state}. This is not W&B.\n"
        f"  export WANDB_BASE_URL={url} WANDB_API_KEY={key}"
    )


@contextmanager
def _in_thread(server: Any) -> Iterator[None]:
    """The server answers while this lasts."""
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        server.queue.ledger.close()


def _watch(queue: Any, lines: deque[str]) -> None:
    """Show what happens until a signal comes, and take silent runs back."""
    from grok.report.serve import Watch

    with Watch(queue.ledger) as watch:
        while True:
            time.sleep(0.5)
            with queue.ledger.transaction():
                queue.take_back()
            watch.show([lines.popleft() for _ in range(len(lines))])
