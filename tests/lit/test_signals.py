import os
import signal
from unittest.mock import Mock, patch

import pytest

from grok.lit.signals import STOP_SIGNALS, SignalCatcher


@pytest.mark.parametrize("first", STOP_SIGNALS, ids=lambda which: which.name)
def test_a_signal_that_comes_twice_at_once_is_one_order(first: signal.Signals) -> None:
    with SignalCatcher() as catcher:
        for which in (first, *STOP_SIGNALS):
            os.kill(os.getpid(), which)
        assert catcher.caught == first


def test_a_second_signal_later_is_obeyed_at_once() -> None:
    # Of this module alone: threads of other libraries ask for the time too.
    clock = Mock(monotonic=Mock(side_effect=[10.0, 11.0]))
    with (
        SignalCatcher() as catcher,
        patch("grok.lit.signals.time", clock),
        patch("grok.lit.signals.signal.raise_signal") as obey,
    ):
        os.kill(os.getpid(), signal.SIGTERM)
        obey.assert_not_called()
        os.kill(os.getpid(), signal.SIGINT)
        obey.assert_called_once_with(signal.SIGINT)
        assert signal.getsignal(signal.SIGINT) == signal.SIG_DFL
    assert catcher.caught == signal.SIGTERM
    assert signal.getsignal(signal.SIGINT) == signal.default_int_handler
