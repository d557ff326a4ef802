"""A claim of a paper: what it says, which runs it needs, and when it holds."""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import chain, pairwise
from types import ModuleType
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from grok.claims.sample import Number, Sample, number

if TYPE_CHECKING:
    from grok.claims.evidence import Evidence

Tier = Literal["U", "S", "R", "F", "hub"]
"""U checks models and formulas in seconds; S trains short runs of the full task, R whole runs
of a reduced task, F the paper's full runs; hub reads published models, which are downloaded."""

Verdict = Literal["holds", "fails", "not run"]

SEEDS: dict[Tier, tuple[int, ...]] = {
    "U": (),
    "S": (456, 789, 111),
    "R": (456, 789, 111),
    "F": (456, 789, 111, 222, 333),
    "hub": (),
}
"""Seeds on which a claim of each tier is judged unless it names its own: those of Singh et al.
Bounds are the published spread with a margin; where none is published they were looked at on seeds
from 100 on: the paper's page."""


@dataclass(frozen=True, kw_only=True)
class Arm:
    """Runs that are compared with others: one cell of a sweep, once per seed."""

    sweep: str
    """Sweep file, ``paper/name``."""
    flags: tuple[str, ...] = ()
    """Overrides; they leave one cell per seed."""
    n_steps: int
    """Updates needed; longer runs do as well."""


class Part(NamedTuple):
    """One inequality of a criterion, or a reading that is shown beside them."""

    quantity: str
    """What was compared, in words."""
    ours: str
    """Our reading, with its spread."""
    criterion: str
    """The bound; empty for what is shown only."""
    holds: bool | None
    """Whether it is met; None for what is shown only, or undecided."""
    seeds: Mapping[str, Number] = {}
    """The value of each seed or case."""


@dataclass(frozen=True, kw_only=True)
class Claim:
    """A statement with a numeric criterion."""

    id: str
    """Paper, number, and a letter where one number has several parts: ``IB-21a``."""
    tier: Tier
    statement: str
    source: str
    """Figure, table or section."""
    published: str
    """What the paper has, in words; empty where it has no number."""
    judge: "Callable[[Evidence], Iterable[Part]]"
    """The criterion: parts, all of which must hold."""
    arms: Mapping[str, Arm] = field(default_factory=dict)
    """Runs by the name under which the criterion asks for them."""
    seeds: tuple[int, ...] = ()
    """Seeds on which it is judged; none for those of its tier."""
    check: str = ""
    """For tiers U and hub: ``<module>.<function>`` under ``grok.claims.checks``, which computes the
    readings at once. A name, so that claims can be listed without torch."""


def claim(**fields: Any) -> "Callable[[Callable[[Evidence], Iterable[Part]]], Claim]":
    """Decorator: the function is the criterion of the claim that the fields describe."""

    def of(judge: "Callable[[Evidence], Iterable[Part]]") -> Claim:
        return Claim(judge=judge, **fields)

    return of


def claims_in(*modules: ModuleType) -> tuple[Claim, ...]:
    """Claims that are defined in modules, alone or in lists, in their order."""
    values = [value for module in modules for value in vars(module).values()]
    each = [value if isinstance(value, list) else [value] for value in values]
    return tuple(x for x in chain(*each) if isinstance(x, Claim))


def at_most(quantity: str, value: Sample | Number, bound: Number, note: str = "") -> Part:
    """The median (or the number) is at most the bound. NaN is not."""
    return _part(quantity, value, "≤", bound, lambda x: x <= bound, note)


def at_least(quantity: str, value: Sample | Number, bound: Number, note: str = "") -> Part:
    """The median (or the number) is at least the bound. NaN is not."""
    return _part(quantity, value, "≥", bound, lambda x: x >= bound, note)


def below(quantity: str, value: Sample | Number, bound: Number, note: str = "") -> Part:
    """The median (or the number) is strictly below the bound. NaN is not."""
    return _part(quantity, value, "<", bound, lambda x: x < bound, note)


def above(quantity: str, value: Sample | Number, bound: Number, note: str = "") -> Part:
    """The median (or the number) is strictly above the bound. NaN is not."""
    return _part(quantity, value, ">", bound, lambda x: x > bound, note)


def within(quantity: str, value: Sample | Number, low: Number, high: Number) -> Part:
    """The median (or the number) lies in the closed interval. NaN does not."""
    middle = _middle(value)
    return shown(quantity, value)._replace(
        criterion=f"in [{number(low)}, {number(high)}]", holds=bool(low <= middle <= high)
    )


def every(quantity: str, value: Sample, criterion: str, holds: Callable[[float], bool]) -> Part:
    """Each seed meets the criterion, not the median alone."""
    met = all(holds(x) for x in value.values.values())
    return shown(quantity, value)._replace(criterion=f"{criterion}, each", holds=met)


def equal(quantity: str, sample: Sample, value: Number) -> Part:
    """Every case has exactly this value."""
    return every(quantity, sample, f"= {value:,g}", lambda x: x == value)


def all_below(quantity: str, sample: Sample, bound: Number) -> Part:
    """Every case is below the bound."""
    return every(quantity, sample, f"< {bound:g}", lambda x: x < bound)


def all_above(quantity: str, sample: Sample, bound: Number) -> Part:
    """Every case is above the bound."""
    return every(quantity, sample, f"> {bound:g}", lambda x: x > bound)


def all_near(quantity: str, sample: Sample, value: Number, tolerance: Number) -> Part:
    """Every case lies within the tolerance of the value."""
    criterion = f"{value:g} ± {tolerance:g}"
    return every(quantity, sample, criterion, lambda x: abs(x - value) <= tolerance)


def ordered(quantity: str, values: Mapping[str, Sample | Number], sign: str = "<") -> Part:
    """Medians (or numbers) rise strictly (``<``) or weakly (``≤``) in the order given.

    A censored median is above every other. Of two censored neighbours nothing is known: if all
    else is in order, the part is undecided.
    """
    middles = [_middle(value) for value in values.values()]
    pairs = [(a, b) for a, b in pairwise(middles) if not a == b == math.inf]
    in_order = all(a < b or (sign == "≤" and a == b) for a, b in pairs)
    is_decided = not in_order or len(pairs) == len(middles) - 1
    texts = [f"{name} {_text(value)}" for name, value in values.items()]
    seeds = {
        f"{name}/{seed}": x
        for name, value in values.items()
        if isinstance(value, Sample)
        for seed, x in value.values.items()
    }
    criterion = f" {sign} ".join(values) + ("" if is_decided else ", undecided")
    return Part(quantity, "; ".join(texts), criterion, in_order if is_decided else None, seeds)


def shown(quantity: str, value: Sample | Number) -> Part:
    """A reading that is shown beside the criterion."""
    seeds = dict(value.values) if isinstance(value, Sample) else {}
    return Part(quantity, _text(value), "", None, seeds)


def _part(
    quantity: str,
    value: Sample | Number,
    sign: str,
    bound: Number,
    holds: Callable[[float], bool],
    note: str,
) -> Part:
    middle = _middle(value)
    criterion = f"{sign} {number(bound)}" + (f" {note}" if note else "")
    return shown(quantity, value)._replace(criterion=criterion, holds=bool(holds(middle)))


def _middle(value: Sample | Number) -> Number:
    return value.median if isinstance(value, Sample) else value


def _text(value: Sample | Number) -> str:
    return value.text() if isinstance(value, Sample) else number(value)
