"""One W&B run for several runs."""

import math
from collections.abc import Mapping

import numpy as np
import pytest

from grok.config import RunConfig, flatten, to_dict
from grok.tracking import ConfigMismatch, NoTracker, SharedTracker, Tracker, check_config
from grok.tracking.base import Pixels


class Copy(NoTracker):
    """Keeps what it gets."""

    takes_media = True

    def __init__(self) -> None:
        self.rows: list[tuple[int, dict[str, float]]] = []
        self.shown: list[tuple[int, int, str]] = []

    def log(self, step: int, values: Mapping[str, float]) -> None:
        self.rows.append((step, dict(values)))

    def images(self, step: int, images: Mapping[str, Pixels], caption: str) -> None:
        self.shown.append((len(self.rows), step, f"{', '.join(images)}: {caption}"))


def test_a_lone_run_is_handed_on_as_it_is() -> None:
    copy = Copy()
    shared = SharedTracker(copy, [{}])
    part = shared.part(0)
    assert isinstance(part, Tracker)
    part.log(0, {"a": 1.0})
    part.log(0, {"b": math.inf})
    assert copy.rows == []  # the step may not be over
    part.log(5, {"a": 3.0})
    assert copy.rows == [(0, {"a": 1.0, "b": math.inf})]
    part.finish(0)
    assert copy.rows[1:] == [(5, {"a": 3.0})]


def test_a_step_is_handed_on_when_every_run_is_past_it_or_over() -> None:
    copy = Copy()
    shared = SharedTracker(copy, [{}, {}])
    first, second = shared.part(0), shared.part(1)
    for step in (0, 1, 2):  # one after another, as on one core
        first.log(step, {"a": float(step)})
    first.finish(0)
    assert copy.rows == []
    second.log(0, {"a": 10.0})
    second.log(1, {"a": 10.0, "only": 7.0})
    assert copy.rows == [(0, {"a": 5.0})]
    second.finish(0)
    assert copy.rows[1:] == [(1, {"a": 5.5, "only": 7.0}), (2, {"a": 2.0})]


def test_what_is_stored_comes_first_and_what_the_copy_has_not_again() -> None:
    copy = Copy()
    stored = {step: {"a": float(step)} for step in (0, 10, 20)}
    shared = SharedTracker(copy, [stored, {}], after=0)
    shared.part(0).finish(0)
    for step in (10, 20, 30):
        shared.part(1).log(step, {"a": 0.0})
    shared.end_all()
    assert copy.rows == [(10, {"a": 5.0}), (20, {"a": 10.0}), (30, {"a": 0.0})]


def test_what_another_process_has_stored_meanwhile_is_filled_in_and_nothing_comes_twice() -> None:
    copy = Copy()
    shared = SharedTracker(copy, [{}, {}])
    for step in (0, 1, 2):
        shared.part(0).log(step, {"a": 1.0})
    shared.part(1).finish(0)
    assert [step for step, _ in copy.rows] == [0, 1]
    shared.fill(0, {0: {"a": 1.0}, 2: {"a": 1.0}})
    shared.fill(1, {0: {"a": 5.0}, 3: {"a": 7.0}})
    shared.end_all()
    assert copy.rows[2:] == [(2, {"a": 1.0}), (3, {"a": 7.0})]


def test_a_nested_parameter_that_was_garbled_is_named() -> None:
    ours = flatten(to_dict(RunConfig()))
    check_config(ours, ours | {"optim": {"lr": 0.001}, "seed": 3})
    with pytest.raises(ConfigMismatch, match=r"recorded optim\.lr='1e-3', but it is 0\.001"):
        check_config(ours, ours | {"optim": {"lr": "1e-3"}})
    with pytest.raises(ConfigMismatch, match="seed='3', a text"):
        check_config(ours, ours | {"seed": "3"})


PATTERN = {"pattern/0": np.zeros((2, 2), dtype=np.uint8)}


def test_images_of_a_lone_run_follow_the_readings_of_their_step_and_none_comes_again() -> None:
    copy = Copy()
    part = SharedTracker(copy, [{}], after=5).part(0)
    assert part.takes_media
    for step in (5, 10, 20):
        part.log(step, {"a": 1.0})
        part.images(step, PATTERN, "one")
    assert copy.shown == [(1, 10, "pattern/0: one")]
    part.finish(0)
    assert [row[0] for row in copy.rows] == [10, 20]
    assert copy.shown[1:] == [(2, 20, "pattern/0: one")]


def test_several_runs_have_no_images_nor_a_run_whose_tracker_takes_none() -> None:
    copy = Copy()
    shared = SharedTracker(copy, [{}, {}])
    assert not shared.part(1).takes_media
    shared.part(0).log(0, {"a": 1.0})
    shared.part(0).images(0, PATTERN, "one")
    shared.end_all()
    assert len(copy.rows) == 1
    assert copy.shown == []
    assert not SharedTracker(NoTracker(), [{}]).part(0).takes_media
