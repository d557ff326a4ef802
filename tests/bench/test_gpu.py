"""What the case of a CUDA device counts, on a CPU."""

from unittest.mock import patch

import pytest
import torch

from tests.bench import gpu
from tests.builders import tiny
from tests.toys import toy


def test_bytes_are_those_of_operations_and_not_of_views() -> None:
    x = torch.ones(10, 10)
    with gpu.Counts() as counts:
        x.T.reshape(100)  # a copy: read and written
    assert counts.n_bytes == 2 * 400
    with gpu.Counts() as counts:
        x.T.unsqueeze(0)
    assert counts.n_bytes == 0


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["transformer", "toy"])
def test_every_size_is_measured_in_both_precisions_and_launched_and_recorded(kind: str) -> None:
    config = tiny(dtype="float32") if kind == "transformer" else toy(0)
    with patch.object(gpu, "SECONDS", 0.01):
        figures = gpu.measured(config, (1, 2), (), "cpu")
    assert [(f.precision, f.way, f.size) for f in figures] == [
        (precision, way, size)
        for size in (1, 2)
        for precision in ("float32", "TF32")
        for way in ("eager", "captured")
    ]
    assert all(f.rate > 0 and 0 < f.share_of_products < 1 for f in figures)
    (result,) = gpu._results("runs", figures, {"float32": ">= 0"})
    assert result.value > 0
    assert len(result.detail["figures"]) == 8
