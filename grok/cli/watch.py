"""``grok watch``."""

import sys
import threading
from contextlib import suppress

from grok.cli.common import sigterm
from grok.inputs import InputError

USAGE = """\
usage: grok watch [RUN ...|SWEEP|EXPERIMENT|PAPER] [--port=P] [--open]

The page of `grok report`, live: served to this machine while runs go on, with new readings some
seconds after they were taken. A run need not have begun. Nothing is written.

  --port=P           default: 8788; 0 takes a free one
  --host=ADDRESS     default: 127.0.0.1; of the loopback interface
  --every=SECONDS    between two looks at the files (default: 1)
  --open             show it in the browser
  --diagram, --against, --seeds, --field=value, --runs_dir: as for `grok report`
  --debug            show the traceback of an error

In the terminal: `wandb leet RUNS_DIR/KEY/wandb`. Exit code: 130 after Ctrl-C, 143 after SIGTERM.
"""


def watch(arguments: list[str]) -> int:
    """Serve a page until a signal comes.

    Raises:
        InputError: If there is nothing of that name, or the port cannot be had.
        KeyboardInterrupt: After SIGINT or SIGTERM; the latter has ``signal`` set.
    """
    if {"-h", "--help"} & set(arguments):
        print(USAGE, end="")
        return 0
    from grok.cli.pages import subject_of
    from grok.cli.report import parse

    options, flags = parse(arguments, "grok watch", port=8788, host="127.0.0.1", every=1.0)
    if options.output is not None:
        raise InputError("grok watch writes nothing; `grok report -o FILE` does")
    if not options.every > 0:
        raise InputError(f"every={options.every:g} must be above 0")
    subject = subject_of(options.what, flags, options, may_be_absent=True)

    from grok.report.live import LivePage, PageServer

    live = LivePage(subject.name, subject.build, subject.folders, options.every)
    server = PageServer(live, options.host, options.port)
    with sigterm():
        threading.Thread(target=server.serve_forever, daemon=True).start()
        print(f"{subject.name} on {server.url}/ until Ctrl-C", file=sys.stderr, flush=True)
        if options.open:
            import webbrowser

            webbrowser.open(server.url)
        try:
            live.follow()
        finally:
            with suppress(KeyboardInterrupt):
                server.shutdown()
                server.server_close()
    return 0
