"""Hessian of each run's training loss, by products with vectors."""

from functools import partial
from typing import TYPE_CHECKING

import torch
from jaxtyping import Float64
from torch import Tensor

from grok.measures.snapshot import Hessian, Product

if TYPE_CHECKING:
    from grok.training.stack import Stack


def hessian(stack: "Stack") -> Hessian:
    """Products for every run, whose graphs are built one run at a time."""
    products = [partial(hessian_product, stack, run) for run in range(len(stack.configs))]
    n_eigenvalues = stack.config.measures.hessian.n_eigenvalues
    return Hessian(products, stack.n_trained, n_eigenvalues)


def hessian_product(stack: "Stack", run: int) -> Product:
    """Product of vectors with the Hessian of the run's whole training loss, without penalties.

    It is the Hessian in the trained parameters, in the order of ``theta``. The graph of the
    gradient is kept and differentiated once per product: at p = 113 about three updates each and
    a few hundred MB for as long as the function lives. The network is in the stack's precision;
    in float32 a product is within 1e-5 of that in float64, relative to its norm.
    """
    # A stack of one run, so that a product costs one run's pass.
    alone = type(stack)(stack.problem.alone(run))
    alone.step, leaves = stack.step, alone.leaves
    with torch.no_grad():
        alone.theta.copy_(stack.theta[run : run + 1])
    with torch.enable_grad():
        gradient = torch.autograd.grad(alone.losses().sum(), leaves, create_graph=True)

    def product(vector: Float64[Tensor, " weight"]) -> Float64[Tensor, " weight"]:
        pieces = vector.to(alone.theta).split([leaf.numel() for leaf in leaves])
        parts = [x.view_as(leaf) for x, leaf in zip(pieces, leaves, strict=True)]
        rows = torch.autograd.grad(gradient, leaves, parts, retain_graph=True)
        return torch.cat([row.flatten() for row in rows]).double().cpu()

    return product
