"""Tangent kernels of a stack, K = J J^T, on the first pairs of each split.

The parameters are given to every pair as a copy of its own: the ``run`` axis of the model is the
pair here. A matrix W that is read in one linear map alone has for pair i the gradient
sum_pos g_i x_i^T, x the map's input and g the gradient of its output, so its part of the kernel is
made of the products x_i . x_j and g_i . g_j, and no Jacobian of a matrix is ever formed. The
Jacobians of the other parameters (embeddings, biases, norms) are small.

Shapes: ``pair`` - pairs on which kernels are known, training pairs first; ``cls`` - classes;
``direction`` - directions in the space of logits; otherwise as in
:mod:`grok.training.pair_problem`.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from einops import rearrange, reduce
from jaxtyping import Float, Float64, Int
from torch import Tensor
from torch.overrides import TorchFunctionMode

from grok.measures.snapshot import KernelPair, Kernels
from grok.models.forms import logits

if TYPE_CHECKING:
    from grok.training.pair_problem import PairProblem
    from grok.training.stack import Stack


def kernel_pair(stack: "Stack[PairProblem]") -> KernelPair:
    """Kernels now and at step 0, and the labels of their pairs by split."""
    pairs = stack.problem
    labels = {split: pairs.c.gather(1, rows) for split, rows in _rows(stack).items()}
    return KernelPair(tangent_kernels(stack, stack.theta), pairs.initial_kernels(stack), labels)


def tangent_kernels(stack: "Stack[PairProblem]", theta: Float[Tensor, "run weight"]) -> Kernels:
    """Both kernels of every run at these parameters.

    At p = 113 a reading (128 pairs of each split, 4 directions) costs about four updates.
    Jacobians and their products are in the stack's precision; in float32 a kernel is within
    1e-6 of that in float64, relative to its norm.
    """
    rows = _rows(stack)
    both = torch.cat(list(rows.values()), dim=1)
    n_classes = stack.problem.model.n_classes
    ones = torch.ones(1, n_classes)
    centred = centred_directions(stack.config.measures.kernel.n_projections, n_classes)
    runs = range(len(stack.configs))
    return Kernels(
        torch.stack([tangent_kernel(stack, theta, r, rows["train"][r], ones) for r in runs]),
        torch.stack([tangent_kernel(stack, theta, r, both[r], centred) for r in runs]),
    )


def _rows(stack: "Stack[PairProblem]") -> dict[str, Int[Tensor, "run pair"]]:
    """Rows of the operation table on which kernels are computed, by split."""
    n_pairs = stack.config.measures.kernel.n_pairs
    return {"train": stack.problem.train[:, :n_pairs], "test": stack.problem.test[:, :n_pairs]}


def centred_directions(n_directions: int, n_classes: int) -> Float64[Tensor, "direction cls"]:
    """Random directions v orthogonal to 1, the same ones at every step and in every run.

    They are Gaussian, and the mean of the sum of v v^T is I - 1 1^T / n_classes: the sum of their
    kernels is an unbiased estimate of the trace over classes of the kernel of centred logits.
    """
    generator = torch.Generator().manual_seed(0)
    v = torch.randn(n_directions, n_classes, dtype=torch.float64, generator=generator)
    return (v - v.mean(dim=1, keepdim=True)) / n_directions**0.5


@torch.enable_grad()
def tangent_kernel(
    stack: "Stack[PairProblem]",
    theta: Float[Tensor, "run weight"],
    run: int,
    pairs: Int[Tensor, " pair"],
    directions: Float[Tensor, "direction cls"],
) -> Float64[Tensor, "pair pair"]:
    """Sum over directions v of the tangent kernel of v . h, h the logits with readout scale.

    Args:
        stack: Network, operation table and which parameters are trained; only those count.
        theta: Parameters of all runs.
        run: The run that is read.
        pairs: Rows of its operation table.
        directions: Each one a scalar output.

    Memory is some 100 kB per pair and direction at p = 113, beside the kernel.
    """
    theta_run = stack.named(theta[run : run + 1])
    params = {name: x.expand(len(pairs), *x.shape[1:]) for name, x in theta_run.items()}
    factored = [name for name in stack.layout.trained if _is_factored(name, params[name])]
    own = [params[name].requires_grad_() for name in stack.layout.trained if name not in factored]
    problem = stack.problem
    a, b = problem.a[run, pairs].unsqueeze(1), problem.b[run, pairs].unsqueeze(1)
    with _Products([params[name] for name in factored]) as products:
        f = logits(problem.model, params, a, b, "last").flatten(1)
    assert len(products.outputs) == len(factored), "a matrix is read in one linear map"
    outputs = (problem.readout_scale[run] * f) @ directions.to(f).T
    leaves = [*own, *products.outputs]
    by_direction = [
        torch.autograd.grad(output.sum(), leaves, retain_graph=True) for output in outputs.mT
    ]
    K = torch.zeros(len(pairs), len(pairs), dtype=torch.float64, device=f.device)
    inputs = [None] * len(own) + products.inputs
    for x, *gradients in zip(inputs, *by_direction, strict=True):
        K += _part(x, gradients)
    return K


def _is_factored(name: str, x: Tensor) -> bool:
    """Whether the parameter is a matrix that is read in one linear map and nowhere else."""
    return x.ndim == 3 and name not in ("W_E", "W_pos")


def _part(
    x: Float[Tensor, "pair pos d_in"] | None, gradients: Sequence[Tensor]
) -> Float[Tensor, "pair pair"]:
    """Part of the kernel that is due to one parameter, summed over directions.

    Args:
        x: What the matrix reads; None for a parameter with a copy per pair.
        gradients: By direction, the gradient of the map's output ``[pair, pos, d_out]``, or of
            the pair's copy.
    """
    if x is None:
        g = torch.cat([gradient.flatten(1) for gradient in gradients], dim=1)
        return g @ g.mT
    g = rearrange(torch.cat(list(gradients), dim=-1), "pair pos d_out -> (pair pos) d_out")
    x = rearrange(x, "pair pos d_in -> (pair pos) d_in")
    product = (g @ g.mT) * (x @ x.mT)
    n_pos = x.shape[0] // len(gradients[0])
    return reduce(product, "(i m) (j n) -> i j", "sum", m=n_pos, n=n_pos)


# How the linear maps of the network are carried out, with a bias and without.
_PRODUCTS = (torch.baddbmm, Tensor.matmul, Tensor.__matmul__)


class _Products(TorchFunctionMode):
    """Keeps input and output of every product with one of some matrices.

    Args:
        matrices: Told apart by where they lie in memory, which a transpose shares.
    """

    def __init__(self, matrices: Sequence[Tensor]) -> None:
        super().__init__()
        self.places = {matrix.data_ptr() for matrix in matrices}
        self.inputs: list[Tensor | None] = []
        self.outputs: list[Tensor] = []

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Call the function, and look at its last argument if it is a product."""
        out = func(*args, **(kwargs or {}))
        if func in _PRODUCTS and args[-1].data_ptr() in self.places:
            self.inputs.append(args[-2].detach())
            self.outputs.append(out)
        return out
