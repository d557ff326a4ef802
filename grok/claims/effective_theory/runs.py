"""ET-B1 to ET-B4: single runs of the addition model against the released program's."""

from collections.abc import Iterator

from grok.claims.claim import Part, all_near, at_least, at_most, claim, equal, every, shown, within
from grok.claims.effective_theory.arms import (
    DIAGRAM_SEED,
    WHOLE,
    letters,
    rates,
    script,
    t_acc,
    t_rqi,
)
from grok.claims.evidence import Evidence
from grok.claims.sample import Sample

SCRIPT_SEED = (58,)
"""Seed of the training script's stored trajectory."""


@claim(
    id="ET-B1",
    tier="S",
    seeds=SCRIPT_SEED,
    statement="The training script's run: structure first, then training, then validation accuracy",
    source="figure 4c, d; released notebook",
    published="loss 0.98127, RQI 1/70; 800, 1,130 and 1,530 steps",
    arms={"run": script(5000)},
)
def trajectory(e: Evidence) -> Iterator[Part]:
    """ET-B1."""
    run = e["run"]
    yield all_near("first training loss", run.at("loss/train", 0), 0.98127, 1e-4)
    yield all_near(
        "right training answers at first", run.at("acc/train", 0).map(lambda x: 45 * x), 2, 1e-6
    )
    yield all_near(
        "right test answers at first", run.at("acc/test", 0).map(lambda x: 10 * x), 2, 1e-6
    )
    yield all_near(
        "closed parallelograms at first", run.at("repr/rqi", 0).map(lambda x: 70 * x), 1, 1e-6
    )
    yield within("step of RQI 0.95", t_rqi(run), 700, 900)
    yield within("step of training accuracy 0.9", t_acc(run, "train"), 1000, 1260)
    yield within("step of test accuracy 0.9", t_acc(run, "test"), 1380, 1680)
    yield equal("comprehension", Sample({s: x == "C" for s, x in letters(run).items()}), 1)
    for key in ("acc/train", "acc/test"):
        yield equal(f"{key} at 5,000", run.last(key), 1)


@claim(
    id="ET-B2",
    tier="S",
    seeds=WHOLE,
    statement="Structure comes before generalisation",
    source="section 3.1, figure 4c, d",
    published="in the run shown",
    arms={"runs": script(3000)},
)
def structure_first(e: Evidence) -> Iterator[Part]:
    """ET-B2; a seed in which neither comes is none in which structure comes first."""
    structure, test = t_rqi(e["runs"]).values, t_acc(e["runs"], "test").values
    n = sum(structure[seed] < test[seed] for seed in structure)
    yield shown("step of RQI 0.95", t_rqi(e["runs"]))
    yield shown("step of test accuracy 0.9", t_acc(e["runs"], "test"))
    yield at_least(f"of {len(test)} seeds, those with RQI 0.95 before test accuracy 0.9", n, 8)


@claim(
    id="ET-B3",
    tier="S",
    seeds=SCRIPT_SEED,
    statement="In two dimensions the same network fits and does not generalise",
    source="released notebook",
    published="accuracy 1.0 and 0.5, RQI 0.40",
    arms={"two dimensions": script(5000, "--toy.dim=2")},
)
def plane(e: Evidence) -> Iterator[Part]:
    """ET-B3."""
    run = e["two dimensions"]
    yield equal("training accuracy", run.last("acc/train"), 1)
    yield at_most("test accuracy", run.last("acc/test"), 0.7)
    yield at_most("RQI", run.last("repr/rqi"), 0.6)


@claim(
    id="ET-B4",
    tier="S",
    seeds=DIAGRAM_SEED,
    statement="Cells of the published diagram reach both accuracies when they did",
    source="figure 6b; released arrays",
    published="1,650 and 2,076; 854 and 923; 938 and never",
    arms={
        "1e-4": rates(1e-3, 1e-4),
        "2.5e-4": rates(1e-3, 10**-3.6),
        "4e-4": rates(1e-3, 10**-3.4),
    },
)
def cells(e: Evidence) -> Iterator[Part]:
    """ET-B4; steps to 5 %."""
    for name, train, test in (("1e-4", 1650, 2076), ("2.5e-4", 854, 923)):
        for split, published in (("train", train), ("test", test)):
            t = t_acc(e[name], split)
            yield within(f"{name}: step of {split}", t, 0.95 * published, 1.05 * published)
    yield within("4e-4: step of train", t_acc(e["4e-4"], "train"), 0.95 * 938, 1.05 * 938)
    never = t_acc(e["4e-4"], "test")
    yield every("4e-4: step of test", never, "never", lambda t: t == float("inf"))
