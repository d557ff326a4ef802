"""The sharpest directions of the training loss."""

import numpy as np
import torch
from jaxtyping import Float64
from torch import Tensor

from grok.measures.snapshot import Product, Readings, Snapshot

TOLERANCE = 1e-3
"""Residual of an eigenpair relative to its eigenvalue; the eigenvalue is then far better."""

MAX_RESTARTS = 20
"""Products with vectors are at most some 400 with it, where 20 to 60 are usual."""


def loss_curvature(snapshot: Snapshot) -> Readings:
    """Eigenvalues of largest magnitude of the Hessian of the training loss, without penalties.

    A run that is frozen or whose eigenvalues do not converge reads NaN. Singh et al. 2026 report
    the largest, mean and smallest of the top three, by power iteration.
    """
    hessian, active = snapshot.hessian, snapshot.active
    rows = []
    for run, product in enumerate(hessian.products):
        is_read = active is None or bool(active[run])
        rows.append(
            top_eigenvalues(product(), hessian.n_weights, hessian.n_eigenvalues)
            if is_read
            else torch.full((hessian.n_eigenvalues,), torch.nan, dtype=torch.float64)
        )
    values = torch.stack(rows)
    readings = {f"hessian/eigenvalue/{k}": values[:, k] for k in range(values.shape[1])}
    return readings | {
        "hessian/max": values.amax(dim=1),
        "hessian/mean": values.mean(dim=1),
        "hessian/min": values.amin(dim=1),
    }


def top_eigenvalues(
    product: Product, n_weights: int, n_eigenvalues: int
) -> Float64[Tensor, " n_eigenvalues"]:
    """Eigenvalues of largest magnitude of a symmetric matrix known by its products.

    Implicitly restarted Lanczos (ARPACK) on max(2 n_eigenvalues + 1, 20) vectors from a fixed
    start. The residual is below :data:`TOLERANCE` of the eigenvalue, whose own error is
    quadratic in that: some 1e-6 relative, and 1e-7 from products in float32.

    Args:
        product: Matrix times a vector in float64, on the CPU.
        n_weights: Size of the matrix, above ``n_eigenvalues``.
        n_eigenvalues: How many.

    Returns:
        Eigenvalues, descending by value. All NaN if a product is not finite or they do not
        converge within :data:`MAX_RESTARTS` restarts. Of a multiple eigenvalue only some copies
        may be found; a matrix of 0 gives NaN.

    Reference:
        Lehoucq, Sorensen and Yang, `ARPACK Users' Guide`, SIAM 1998.
    """
    # Slow to import, and few runs read it.
    from scipy.sparse.linalg import ArpackError, LinearOperator, eigsh

    def multiply(vector: np.ndarray) -> np.ndarray:
        result = product(torch.from_numpy(vector.reshape(-1))).numpy()
        if not np.isfinite(result).all():
            raise FloatingPointError("the product is not finite")
        return result

    # scipy has no types: its constructor looks like another one, and a default of 0 like an int.
    matrix = LinearOperator((n_weights, n_weights), matvec=multiply, dtype=np.float64)  # pyright: ignore[reportCallIssue]
    start = np.random.default_rng(0).standard_normal(n_weights)
    try:
        values = eigsh(
            matrix,
            k=n_eigenvalues,
            v0=start,
            tol=TOLERANCE,  # pyright: ignore[reportArgumentType]
            maxiter=MAX_RESTARTS,
            return_eigenvectors=False,
        )
    except (ArpackError, FloatingPointError):
        return torch.full((n_eigenvalues,), torch.nan, dtype=torch.float64)
    return torch.from_numpy(np.sort(values)[::-1].copy())
