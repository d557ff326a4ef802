"""What a person sees while something trains: a live line on a terminal, sparse lines elsewhere.

Everything goes to standard error; standard output belongs to results.
"""

import io
import math
import os
import sys
import time


class StatusLine:
    """A line that is written over and over on a terminal; elsewhere one every ten seconds.

    Args:
        stream: Where it is printed; default standard error.
    """

    def __init__(self, stream: io.TextIOBase | None = None) -> None:
        self.stream = stream or sys.stderr
        self.is_live = self.stream.isatty()
        self.period = 0.2 if self.is_live else 10.0
        self._shown = 0.0

    def start(self) -> None:
        """The first line is due one period from now."""
        self._shown = time.monotonic()

    def is_due(self) -> bool:
        """Whether the last line was shown long enough ago; asks once per line."""
        now = time.monotonic()
        if now - self._shown < self.period:
            return False
        self._shown = now
        return True

    def show(self, text: str) -> None:
        """Print the line, on a terminal over the one before."""
        end = "" if self.is_live else "\n"
        if self.is_live:
            # A line that wraps could not be taken back.
            text = "\r\x1b[2K" + text[: self._columns() - 1]
        print(text, end=end, file=self.stream, flush=True)

    def say(self, text: str) -> None:
        """Print a line that stays."""
        start = "\r\x1b[2K" if self.is_live else ""
        print(start + text, file=self.stream, flush=True)

    def end(self) -> None:
        """Leave the live line."""
        if self.is_live:
            print(file=self.stream, flush=True)

    def _columns(self) -> int:
        try:
            return os.get_terminal_size(self.stream.fileno()).columns or 80
        except OSError:
            return 80


def duration(seconds: float) -> str:
    """Seconds as 0:42 or 1:02:03; a question mark where unknown."""
    if not math.isfinite(seconds):
        return "?"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
