import pytest
from hypothesis import given
from hypothesis import strategies as st

from grok.config import CheckpointConfig, Schedule
from grok.lit.families import measure_callbacks
from grok.lit.module import Block, Blocks
from grok.lit.train import _boundaries
from tests.running import measures, run_config

SCHEDULES = st.builds(
    Schedule,
    dense=st.integers(0, 60),
    every=st.integers(0, 90),
    per_decade=st.integers(0, 12),
)


@given(
    schedules=st.lists(SCHEDULES, max_size=4),
    start=st.integers(0, 700),
    n_steps=st.integers(1, 700),
    longest=st.integers(1, 150),
)
def test_blocks_cover_every_update_once_and_stop_wherever_something_is_due(
    schedules: list[Schedule], start: int, n_steps: int, longest: int
) -> None:
    blocks = list(Blocks(start, n_steps, [s.next_due for s in schedules], longest))
    updates = [step for block in blocks for step in range(*block)]
    assert updates == list(range(start, n_steps))
    assert all(0 < block.stop - block.start <= longest for block in blocks)
    inside = {step for block in blocks for step in range(block.start + 1, block.stop)}
    assert not any(schedule.is_due(step) for schedule in schedules for step in inside)


def test_blocks_are_as_long_as_they_may_be() -> None:
    blocks = Blocks(0, 330, [Schedule(every=150).next_due])
    assert list(blocks) == [
        Block(0, 100),
        Block(100, 150),
        Block(150, 250),
        Block(250, 300),
        Block(300, 330),
    ]


@pytest.mark.parametrize("start", [10, 11])
def test_no_block_is_left_when_no_update_is(start: int) -> None:
    assert list(Blocks(start, 10)) == []


def test_blocks_can_be_gone_through_again() -> None:
    blocks = Blocks(3, 250)
    assert list(blocks) == list(blocks)


def test_a_run_is_cut_at_its_readings_and_at_its_kept_checkpoints() -> None:
    config = run_config(
        measures=measures(
            task=Schedule(every=70), norm=Schedule(every=110), attention=None, compress=None
        ),
        checkpoint=CheckpointConfig(every=90),
    )
    boundaries = _boundaries(config, measure_callbacks(config).values())
    stops = {block.stop for block in Blocks(0, 400, boundaries)}
    # `fourier` is on its default schedule, every 200.
    assert stops >= {70, 140, 210, 280, 350, 110, 220, 330, 90, 180, 270, 360, 200}
