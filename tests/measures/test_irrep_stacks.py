"""Irreps of stacks of ours: against progress measures, and against the model itself."""

from dataclasses import replace
from typing import Any

import pytest
import torch

from grok.config import RunConfig
from grok.config.measures import IrrepConfig, MeasuresConfig, ProgressConfig
from grok.measures import MEASURES
from grok.metrics.loss import cross_entropy
from tests.builders import make_stack, tiny
from tests.metrics.test_group_fourier import table_of


def measuring(config: RunConfig, **irrep: Any) -> RunConfig:
    return replace(config, measures=MeasuresConfig(irrep=IrrepConfig(enabled=True, **irrep)))


# For even p the rule differs: per function, the one wave of p / 2 counts for more.
@pytest.mark.parametrize(("p", "given"), [(7, ()), (7, (2, 3)), (8, (2, 3)), (8, (4,))])
def test_on_addition_they_are_the_progress_measures(p: int, given: tuple[int, ...]) -> None:
    both = MeasuresConfig(
        progress=ProgressConfig(enabled=True, keys=given),
        irrep=IrrepConfig(enabled=True, keys=given),
    )
    stack = make_stack(*(tiny(p=p, measures=both, init_seed=seed) for seed in range(2)))
    stack.advance(30)
    snapshot = stack.snapshot()
    ours, theirs = MEASURES["irrep"](snapshot), MEASURES["progress"](snapshot)
    pairs = {f"irrep/{k}": f"progress/{k}" for k in ("n_keys", "excluded_max")}
    pairs["irrep/fve_in_keys"] = "progress/fve/row_centred"
    pairs["irrep/power_in_keys/W_L"] = "progress/power_in_keys"
    for split in ("train", "test", "all"):
        for name in ("restricted", "excluded"):
            pairs[f"irrep/{name}/{split}"] = f"progress/{name}/sum/{split}"
        pairs[f"irrep/restricted_acc/{split}"] = f"progress/restricted_acc/{split}"
    for k in range(1, p // 2 + 1):
        pairs |= {
            f"irrep/{name}/{k}": f"progress/{name}/{k}" for name in ("key", "excluded_single")
        }
        double = 1 if 2 * k == p else 2  # the character of a plane is twice the cosine
        torch.testing.assert_close(double * ours[f"irrep/alpha/{k}"], theirs[f"progress/alpha/{k}"])
    for key, other in pairs.items():
        torch.testing.assert_close(ours[key], theirs[other], msg=key)


@pytest.mark.parametrize(
    "fields",
    [{}, {"tied": True}, {"readout_scale": 3.0, "temperature": 2.0}, {"n_layers": 2}],
    ids=str,
)
def test_composition_is_that_of_the_model(fields: dict[str, Any]) -> None:
    stack = make_stack(measuring(tiny(operation="compose", group="S3", p=113, **fields)))
    stack.advance(3)
    found, params = stack.snapshot().composition, stack.params
    a, b = (x.flatten() for x in torch.meshgrid(torch.arange(6), torch.arange(6), indexing="ij"))
    tokens = torch.stack([a, b, torch.full_like(a, 6)], dim=-1)[None]
    scale = fields.get("readout_scale", 1.0) / fields.get("temperature", 1.0)
    full = stack.problem.model.forward(params, tokens)
    logits = scale * full.logits[:, :, -1, :6].detach()
    torch.testing.assert_close(found.logits, logits)
    W_U = params["W_E" if fields.get("tied") else "W_U"].detach()[:, :6]
    torch.testing.assert_close(found.matrices["W_E"], params["W_E"].detach()[:, :6])
    torch.testing.assert_close(found.matrices["W_U"], scale * W_U)
    W_out = params[f"blocks.{fields.get('n_layers', 1) - 1}.W_out"].detach()
    torch.testing.assert_close(found.matrices["W_L"], scale * W_U @ W_out)
    is_train = torch.zeros(36, dtype=torch.bool)
    is_train[stack.problem.train[0]] = True
    assert torch.equal(found.is_train[0], is_train)
    # With every representation kept and nothing else, what is excluded is blind to the product.
    table = table_of("S3").flatten()
    of_product = torch.stack([logits[0, table == h].mean(dim=0) for h in range(6)])
    left = logits[0] - (of_product - logits[0].mean(dim=0))[table]
    every = measuring(stack.config, keys=("2.1", "1.1.1"))
    again = make_stack(every)
    again.advance(3)
    readings = MEASURES["irrep"](again.snapshot())
    torch.testing.assert_close(readings["irrep/excluded/all"][0], cross_entropy(left, table))
    torch.testing.assert_close(
        readings["irrep/restricted/all"][0], cross_entropy(of_product, torch.arange(6))
    )


@pytest.mark.parametrize(
    ("fields", "keys", "message"),
    [
        ({"operation": "mul"}, (), "irrep.enabled=true needs data.operation compose or add, not"),
        ({"operation": "sub"}, (), "needs data.operation compose or add, not sub"),
        ({}, (4,), "measures.irrep.keys has 4: allowed are 1, 2, 3$"),
        ({"operation": "compose", "group": "S3", "p": 113}, (2.2,), "has 2.2: allowed are 2.1, "),
        ({"operation": "compose", "group": "S3", "p": 113}, ("3",), "has 3: allowed are 2.1, 1.1"),
        ({"p": 113}, ("0",), r"has 0: allowed are 1, 2, 3, \.\.\., 56$"),
    ],
)
def test_impossible_settings_are_refused(
    fields: dict[str, Any], keys: tuple[Any, ...], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        measuring(tiny(**fields), keys=keys)
