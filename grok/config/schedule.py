"""When a family of measures is read."""

from dataclasses import dataclass

LANDMARKS = 4
"""Landmarks in each factor of ten of the steps."""


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """Steps at which a family of measures is read: the union of three simple rules.

    Step 0, the initialisation, is always due unless all three rules are off.
    """

    dense: int = 0
    """Every step up to this one."""
    every: int = 200
    """Every multiple of this; 0 for none."""
    per_decade: int = 0
    """This many log-spaced steps in each factor of ten; 0 for none."""

    def __post_init__(self) -> None:
        """Refuse negative counts."""
        for name in ("dense", "every", "per_decade"):
            if getattr(self, name) < 0:
                raise ValueError(f"schedule.{name}={getattr(self, name)} is negative")

    def is_due(self, step: int) -> bool:
        """Whether this step is read."""
        if step == 0:
            return bool(self.dense or self.every or self.per_decade)
        return (
            step <= self.dense
            or (self.every > 0 and step % self.every == 0)
            or step in self._log_spaced(step)
        )

    def is_landmark(self, step: int) -> bool:
        """Whether this step is one of the few for what is too large to be kept of every reading.

        These are step 0 and, for each of four log-spaced steps a decade (1, 2, 3, 6, 10, ...), the
        first step at or after it that is due.
        """
        if step == 0 or not self.is_due(step):
            return self.is_due(step)
        marks = Schedule(every=0, per_decade=LANDMARKS)._log_spaced(step)
        return self.next_due(max(mark for mark in marks if mark <= step) - 1) == step

    def next_due(self, step: int) -> int | None:
        """First due step after ``step``; None when there is none."""
        candidates = [n for n in self._log_spaced(step + 1) if n > step]
        if step < self.dense:
            candidates.append(step + 1)
        if self.every > 0:
            candidates.append((step // self.every + 1) * self.every)
        return min(candidates, default=None)

    def _log_spaced(self, step: int) -> list[int]:
        """Log-spaced steps in the decade of ``step`` and the next."""
        if self.per_decade == 0:
            return []
        first = (len(str(max(step, 1))) - 1) * self.per_decade
        return [
            round(10 ** (i / self.per_decade)) for i in range(first, first + 2 * self.per_decade)
        ]
