"""Readings of the claims on images as published, and readings that break each."""

from collections.abc import Sequence

from tests.claims.store import Curve, Readings, Spread, merged, rises

Change = tuple[str, str, Curve]
TRAIN, TEST = "acc/train", "acc/test"


def reach(arm: str, train: Spread, test: Spread) -> Readings:
    """Both accuracies of an arm, by the steps at which they are reached."""
    return {arm: {TRAIN: rises(train), TEST: rises(test)}}


def late(arm: str, step: Spread, key: str = TEST) -> list[Change]:
    """Another step at which an arm reaches it."""
    return [(arm, key, rises(step))]


PUBLISHED: dict[str, Readings] = {
    "ET-D5": merged(
        reach("decay 0.1", 1000, 9950), reach("decay 2", 500, 800), reach("alpha 1", 50, 100)
    ),
    "ET-D6": merged(
        *(reach(f"decay {x}", 150, step) for x, step in ((0.1, 9500), (0.46, 2050), (1.0, 950)))
    ),
    "ET-D7": merged(
        reach("alpha 1", 50, 100),
        reach("alpha 8, decay 1.0", 300, 600),
        reach("alpha 8, decay 0.1", 300, 2000),
        reach("alpha 8, decay 0.01", 300, None),
    ),
}
"""Readings with which each claim that needs runs holds."""

BROKEN: dict[str, Sequence[Change | list[Change]]] = {
    "ET-D5": [
        *(late("decay 0.1", t, TRAIN) for t in (450, 1550)),
        *(late("decay 0.1", t) for t in (4950, 15_050)),
        late("decay 2", 1500),
        late("alpha 1", 300),
    ],
    "ET-D6": [late("decay 1.0", 4000), late("decay 1.0", 300)],
    "ET-D7": [late("alpha 8, decay 0.1", 440), late("alpha 8, decay 1.0", 2100)],
}
"""For each claim: readings that break it, each list of changes on its own."""

UNIT: dict[str, dict[str, dict[str, float]]] = {
    "ET-D8": {
        name: {"456": value}
        for name, value in (("fall", 1e-4), ("apart", 0.05), ("descent", 1e-3), ("drift", 1e-6))
    }
}
"""Readings with which the claim of tier U holds."""
