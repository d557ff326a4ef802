"""Train what the claims need, then judge them by what the run store holds."""

import json
import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from itertools import chain
from pathlib import Path
from types import MappingProxyType
from typing import Any

from grok.claims.claim import Claim, Part, Verdict
from grok.claims.evidence import ArmEvidence, Evidence, NotRun
from grok.claims.plan import Plan, absent_data, make_plan
from grok.config import RunConfig, run_key
from grok.runs import Run, RunStore, plain, write_atomic
from grok.sweep import Outcome, run_local


@dataclass(frozen=True)
class Result:
    """A claim and what became of it."""

    claim: Claim
    verdict: Verdict
    parts: tuple[Part, ...] = ()
    reason: str = ""
    """Why it was not run."""

    def as_dict(self) -> dict[str, Any]:
        """What ``--json`` prints."""
        claim = self.claim
        ours = [part._asdict() | {"seeds": dict(part.seeds)} for part in self.parts]
        found = {
            "id": claim.id,
            "tier": claim.tier,
            "statement": claim.statement,
            "source": claim.source,
            "published": claim.published,
            "ours": plain(ours),
            "verdict": self.verdict,
        }
        return found | ({"reason": self.reason} if self.reason else {})


def reproduce(
    claims: Sequence[Claim],
    runs_dir: Path,
    *,
    seeds: Sequence[int] = (),
    workers: int | None = None,
    progress: bool = True,
) -> tuple[list[Result], Outcome]:
    """Train what is missing and judge every claim. Runs whose data are absent are not begun.

    Args:
        claims: Claims to judge.
        runs_dir: Run store; what it holds is not trained again.
        seeds: Seeds instead of those of each claim's tier.
        workers: Processes; default one per core.
        progress: Show progress on standard error.

    Returns:
        A result for each claim, in order, and what became of the runs.

    Raises:
        Interrupted: After a signal; what was trained is kept.
    """
    plan = make_plan(claims, seeds)
    lost = absent_data(plan.configs)
    outcome = run_local(
        [config for config in plan.configs if run_key(config) not in lost],
        runs_dir,
        workers=workers,
        name="runs of the claims",
        progress=progress,
    )
    lost |= {key: f"{key} failed: {reason}" for key, reason in outcome.failed.items()}
    return [judged(claim, plan, runs_dir, progress, lost) for claim in claims], outcome


def judged(
    claim: Claim,
    plan: Plan,
    runs_dir: Path,
    progress: bool = False,
    lost: Mapping[str, str] = MappingProxyType({}),
    *,
    computes: bool = True,
) -> Result:
    """The verdict on one claim by what is stored; one that cannot be evaluated never holds.

    Args:
        claim: The claim.
        plan: A plan that has its runs.
        runs_dir: Run store; nothing is trained.
        progress: Name the claims of tier U, which are computed here, on standard error.
        lost: Why runs could not be trained, by key: the reason that counts if one is lacking.
        computes: Whether claims of tier U are computed, or judged by what they came to last.
    """
    try:
        if claim.check and not computes:
            evidence = Evidence({}, _kept(runs_dir, claim.id))
        else:
            evidence = _evidence(claim, plan, runs_dir, progress)
        parts = tuple(claim.judge(evidence))
    except Exception as error:  # a damaged file, a full disk: the other claims are judged
        reason = str(error) if isinstance(error, NotRun) else f"{type(error).__name__}: {error}"
        keys = (run_key(config) for config in _runs(claim, plan))
        return Result(claim, "not run", reason=next((lost[k] for k in keys if k in lost), reason))
    return Result(claim, verdict_of(parts), parts)


def verdict_of(parts: Sequence[Part]) -> Verdict:
    """``fails`` if a part does, ``holds`` if every part with a criterion is decided and met."""
    judged = [part.holds for part in parts if part.criterion]
    if False in judged:
        return "fails"
    return "holds" if judged and all(judged) else "not run"


def _runs(claim: Claim, plan: Plan) -> Iterator[RunConfig]:
    """Runs that a claim asks for."""
    return chain.from_iterable(plan.cells[claim.id, name].values() for name in claim.arms)


def _evidence(claim: Claim, plan: Plan, runs_dir: Path, progress: bool) -> Evidence:
    if claim.check:
        if progress:
            print(f"{claim.id}: {claim.statement}", file=sys.stderr, flush=True)
        module, _, name = claim.check.partition(".")
        with _one_thread():
            readings = getattr(import_module(f"grok.claims.checks.{module}"), name)()
        _keep(runs_dir, claim.id, readings)
        return Evidence({}, readings)
    return Evidence(
        {
            name: ArmEvidence(
                {s: _stored(c, runs_dir) for s, c in plan.cells[claim.id, name].items()},
                arm.n_steps,
            )
            for name, arm in claim.arms.items()
        }
    )


@contextmanager
def _one_thread() -> Iterator[None]:
    """As runs have: other cores, or busy ones, change neither a reading's rounding nor its time."""
    import torch  # which a list of claims needs not

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _keep(runs_dir: Path, name: str, readings: Mapping[str, Mapping[str, float]]) -> None:
    """Store the readings of a check under ``checks/<id>.json``."""
    folder = runs_dir / "checks"
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(plain(readings), indent=1, allow_nan=False)
    write_atomic(folder / f"{name}.json", text.encode())


def _kept(runs_dir: Path, name: str) -> dict[str, dict[str, float]]:
    """What :func:`_keep` stored; a number that JSON has not is NaN.

    Raises:
        NotRun: If the check was never computed.
    """
    try:
        found = json.loads((runs_dir / "checks" / f"{name}.json").read_bytes())
    except FileNotFoundError:
        raise NotRun(f"the check of {name} has not been computed here") from None
    return {
        quantity: {case: math.nan if x is None else float(x) for case, x in cases.items()}
        for quantity, cases in found.items()
    }


def _stored(config: RunConfig, runs_dir: Path) -> Run:
    """The run of a config, done as far as the claim looks.

    Raises:
        NotRun: If it is not there, is another run, or has not come that far.
        ValueError: If its config or status is damaged.
    """
    from grok.lit.keeper import has_generalised  # brings torch, which a list of claims needs not

    run = Run(RunStore(runs_dir).root.resolve() / run_key(config))
    if not (run.dir / "config.yaml").is_file():
        raise NotRun(f"{run.key} is not in {runs_dir}")
    if run_key(run.config) != run.key:
        raise NotRun(f"{run.dir / 'config.yaml'} is of another run")
    status = run.status()
    step = status["step"]
    is_over = step >= config.n_steps or status["status"] == "diverged"
    # A run that has not begun has no readings to ask.
    if not is_over and not (step > 0 and has_generalised(config, run.series, step)):
        raise NotRun(f"{run.key} stands at step {step:,} of {config.n_steps:,}")
    return run
