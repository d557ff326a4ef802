import errno
import math
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from grok.config import RunConfig
from grok.runs import ReadingsWriter, Run, RunStore
from grok.runs.files import temporary_name


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return RunStore(tmp_path).create(RunConfig())


def part_names(run: Run) -> list[str]:
    return sorted(path.name for path in run.readings_dir.iterdir())


def test_readings_are_wide_with_sorted_steps_and_keys_and_null_where_not_read(run: Run) -> None:
    writer = ReadingsWriter(run)
    writer.add(25, {"loss/train": 0.5, "acc/test": 0.25})
    writer.flush()
    writer.add(0, {"loss/train": 2.0})
    writer.flush()
    expected = {"step": [0, 25], "acc/test": [None, 0.25], "loss/train": [2.0, 0.5]}
    schema = {"step": pl.Int64, "acc/test": pl.Float64, "loss/train": pl.Float64}
    assert run.readings().equals(pl.DataFrame(expected, schema=schema))
    assert run.readings().schema == schema


def test_a_run_without_readings_has_a_step_column_and_no_rows(run: Run) -> None:
    assert run.readings().schema == {"step": pl.Int64}
    assert run.readings().height == 0
    assert run.final() == {}


def test_a_later_part_wins_and_so_does_a_later_value_of_one_part(run: Run) -> None:
    writer = ReadingsWriter(run)
    for n, value in enumerate([1.0, 2.0, 3.0]):
        writer.add(10, {"a": -value, "b": float(n)})
        writer.add(10, {"a": value})
        writer.flush()
    assert len(part_names(run)) == 3
    assert run.readings().rows(named=True) == [{"step": 10, "a": 3.0, "b": 2.0}]


def test_parts_are_merged_in_the_order_of_their_numbers(run: Run) -> None:
    writer = ReadingsWriter(run)
    writer.add(0, {"a": 1.0})
    writer.flush()
    (run.readings_dir / "part-000001.parquet").rename(run.readings_dir / "part-999999.parquet")
    writer.add(0, {"a": 2.0})
    writer.flush()
    assert part_names(run) == ["part-1000000.parquet", "part-999999.parquet"]
    assert run.final() == {"a": 2.0}


def test_values_come_back_bit_for_bit_the_non_finite_ones_included(run: Run) -> None:
    values = np.array([0.1, -0.0, math.inf, -math.inf, math.nan, 5e-324, 1 / 3])
    writer = ReadingsWriter(run)
    for step, value in enumerate(values):
        writer.add(step, {"a": value})
        writer.flush()
    writer.compact()
    assert run.series("a")[1].tobytes() == values.tobytes()


def test_compaction_changes_no_reading(run: Run) -> None:
    generator = random.Random(0)
    writer = ReadingsWriter(run)
    for _ in range(20):
        for _ in range(5):
            writer.add(generator.randrange(9), {generator.choice("abcd"): generator.random()})
        writer.flush()
    before, final = run.readings(), run.final()
    writer.add(100, {"a": 7.0})
    writer.compact()
    assert part_names(run) == ["part-000021.parquet"]
    assert run.readings().equals(before)
    assert run.final() == final
    assert writer.pending == 1


def test_compaction_killed_before_it_removes_old_parts_changes_no_reading(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = ReadingsWriter(run)
    for step in range(4):
        writer.add(step // 2, {"a": float(step)})
        writer.flush()
    before = run.readings()

    def killed(path: Path, missing_ok: bool = False) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", killed)
        with pytest.raises(KeyboardInterrupt):
            writer.compact()
    assert len(part_names(run)) == 5
    assert run.readings().equals(before)


def test_reading_while_the_parts_are_merged_gives_all_readings(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = ReadingsWriter(run)
    for step in range(3):
        writer.add(step, {"a": float(step)})
        writer.flush()
    read_bytes = Path.read_bytes

    def compact_first(path: Path) -> bytes:
        monkeypatch.setattr(Path, "read_bytes", read_bytes)
        writer.compact()
        return read_bytes(path)

    monkeypatch.setattr(Path, "read_bytes", compact_first)
    assert run.readings()["step"].to_list() == [0, 1, 2]


def test_series_and_final_leave_out_steps_at_which_the_key_was_not_read(run: Run) -> None:
    writer = ReadingsWriter(run)
    writer.add(50, {"norm/total": 4.0})
    writer.add(0, {"norm/total": 8.0, "loss/train": 1.0})
    writer.add(25, {"loss/train": 0.5})
    writer.flush()
    steps, values = run.series("norm/total")
    assert (steps.tolist(), values.tolist()) == ([0, 50], [8.0, 4.0])
    assert run.final() == {"loss/train": 0.5, "norm/total": 4.0}
    assert list(run.final()) == ["loss/train", "norm/total"]


def test_readings_of_some_keys_have_only_the_steps_of_those(run: Run) -> None:
    writer = ReadingsWriter(run)
    writer.add(0, {"a": 1.0, "b": 2.0})
    writer.add(1, {"b": 3.0})
    writer.add(2, {"c": 4.0})
    writer.flush()
    assert run.readings(["a"]).to_dict(as_series=False) == {"step": [0], "a": [1.0]}
    both = {"step": [0, 2], "a": [1.0, None], "c": [None, 4.0]}
    assert run.readings(["c", "a"]).to_dict(as_series=False) == both


def test_an_unknown_key_is_refused_with_those_near_it(run: Run) -> None:
    writer = ReadingsWriter(run)
    writer.add(0, {"loss/train": 1.0, "norm/total": 2.0})
    writer.flush()
    with pytest.raises(ValueError, match=r"^no reading 'loss/trian'; near it: loss/train$"):
        run.readings(keys=["norm/total", "loss/trian"])
    with pytest.raises(ValueError, match="no reading 'zzz'; there are 2 keys"):
        run.series("zzz")


@pytest.mark.parametrize("length", [0, 3, 200, -1])
def test_a_truncated_part_is_named_in_one_line(run: Run, length: int) -> None:
    writer = ReadingsWriter(run)
    writer.add(0, {"a": 1.0})
    writer.flush()
    part = run.readings_dir / "part-000001.parquet"
    part.write_bytes(part.read_bytes()[:length])
    with pytest.raises(ValueError, match=r"part-000001\.parquet") as caught:
        run.readings()
    assert "\n" not in str(caught.value)


def test_a_table_that_is_no_part_is_named(run: Run) -> None:
    pl.DataFrame({"x": [1]}).write_parquet(run.readings_dir / "part-000001.parquet")
    with pytest.raises(ValueError, match=r"part-000001\.parquet is not a part"):
        run.readings()


def test_foreign_and_temporary_files_among_the_parts_are_passed_over(run: Run) -> None:
    for name in (".part-000001.parquet.tmp", "part-x.parquet", "part-000002.parquet.tmp", "a.csv"):
        (run.readings_dir / name).write_text("junk")
    assert run.readings().height == 0


def test_opening_a_writer_sweeps_what_a_killed_one_left(run: Run) -> None:
    run.checkpoints_dir.mkdir()
    left = [
        directory / temporary_name("x")
        for directory in (run.dir, run.readings_dir, run.checkpoints_dir)
    ]
    for path in left:
        path.write_text("")
    ReadingsWriter(run)
    assert not any(path.exists() for path in left)


def test_nothing_pending_writes_no_part(run: Run) -> None:
    writer = ReadingsWriter(run)
    writer.flush()
    writer.compact()
    assert part_names(run) == []


def test_values_stay_pending_when_the_disk_is_full(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full_disk(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    writer = ReadingsWriter(run)
    writer.add(0, {"a": 1.0, "b": 2.0})
    with monkeypatch.context() as patch:
        patch.setattr("grok.runs.files.os.fsync", full_disk)
        with pytest.raises(OSError, match="No space left"):
            writer.flush()
    assert writer.pending == 2
    assert part_names(run) == []
    writer.flush()
    assert writer.pending == 0
    assert run.final() == {"a": 1.0, "b": 2.0}


def test_history_joins_what_is_stored_pending_and_added_later(run: Run) -> None:
    earlier = ReadingsWriter(run)
    earlier.add(0, {"acc/test": 0.1})
    earlier.add(50, {"acc/test": 0.2})
    earlier.flush()
    writer = ReadingsWriter(run)
    writer.add(50, {"acc/test": 0.3})
    assert [x.tolist() for x in writer.history("acc/test")] == [[0, 50], [0.1, 0.3]]
    writer.add(75, {"acc/test": 0.5, "loss/test": 1.0})
    writer.flush()
    writer.add(25, {"acc/test": 0.15})
    steps, values = writer.history("acc/test")
    assert steps.tolist() == [0, 25, 50, 75]
    assert values.tolist() == [0.1, 0.15, 0.3, 0.5]
    assert [x.size for x in writer.history("never/read")] == [0, 0]


@pytest.mark.parametrize(
    ("step", "key", "said"), [(-1, "a", "step=-1"), (0, "step", "'step'"), (0, "", "''")]
)
def test_an_impossible_reading_is_refused_whole(run: Run, step: int, key: str, said: str) -> None:
    writer = ReadingsWriter(run)
    with pytest.raises(ValueError, match=said):
        writer.add(step, {"fine": 1.0, key: 2.0})
    assert writer.pending == 0


WRITE_FOR_EVER = """
import sys
from pathlib import Path
from grok.runs import ReadingsWriter, open_run, write_status

run = open_run(Path(sys.argv[1]))
writer = ReadingsWriter(run)
step = len(run.readings())
print("ready", flush=True)
while True:
    writer.add(step, {"a": float(step), "b": -float(step)})
    writer.flush()
    write_status(run, status="running", step=step)
    step += 1
    if step % 17 == 0:
        writer.compact()
"""


@pytest.mark.slow
def test_what_a_killed_writer_left_is_a_prefix_that_can_be_read(run: Run) -> None:
    generator = random.Random(0)
    rows = 0
    for _ in range(6):
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITE_FOR_EVER, str(run.dir)], stdout=subprocess.PIPE
        )
        with writer:
            assert writer.stdout is not None
            assert writer.stdout.readline() == b"ready\n"
            time.sleep(0.05 + 0.2 * generator.random())
            writer.send_signal(signal.SIGKILL)
        table = run.readings()
        assert table.height > rows  # what an earlier writer flushed stays
        rows = table.height
        assert table["step"].to_list() == list(range(rows))
        assert table["a"].to_list() == [float(n) for n in range(rows)]
        assert table["b"].to_list() == [-float(n) for n in range(rows)]
        assert run.status()["step"] in (rows - 1, rows - 2)
