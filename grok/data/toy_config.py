"""Schema of the toy section of a run's configuration, and sizes that follow from it.

Imports no tensor library, so that the command line can print its help at once.
"""

import math
from dataclasses import dataclass
from typing import Literal

from grok.groups import group_order
from grok.inputs import check_choices


@dataclass(frozen=True, kw_only=True)
class ToyConfig:
    """Embeddings and a decoder of their combination; of no effect where ``problem`` is not toy.

    Defaults: the addition model of Liu et al. 2022. Targets and training pairs are drawn from
    ``data.split_seed``, initial parameters from ``model.init_seed``, the order of batches from
    ``data.order_seed``.
    """

    operation: Literal["add", "add_mod", "compose"] = "add"
    """Label of (a, b): a + b, (a + b) mod p, or the product in a group, by which element it is."""
    p: int = 10
    """Symbols 0, ..., p - 1: 2 to 200. Stays at its default with compose."""
    group: str = ""
    """Finite group for compose, such as S3, of at most 200 elements."""
    pairs: Literal["unordered", "ordered"] = "unordered"
    """Pairs with a <= b, or all of them; compose has ordered ones."""
    n_train: int = 45
    """Training pairs, drawn without replacement; the others are the test pairs."""
    batch_size: int = 0
    """Training pairs per update; 0 is all of them."""
    combine: Literal["sum", "mean", "concat", "product"] = "sum"
    """What the decoder reads of the two embeddings: their sum, half of it, both side by side, or
    the product of the matrices that they are."""
    dim: int = 1
    """Numbers of an embedding; a square number with product."""
    decoder: Literal["mlp", "encoder"] = "mlp"
    """A perceptron, or blocks of a transformer's encoder that read the two embeddings as two
    positions (combine is concat then)."""
    width: int = 200
    """Hidden units of each layer of the decoder; of the feed-forward part of each block."""
    depth: int = 2
    """Hidden layers of the decoder, or blocks."""
    n_heads: int = 1
    """Attention heads of each block of an encoder; divides dim."""
    dropout: float = 0.0
    """Probability with which an encoder drops attention weights, hidden units, and coordinates of
    what attention and feed-forward part add to the stream; in [0, 1)."""
    act: Literal["tanh", "relu", "leaky_relu"] = "tanh"
    """Activation of the decoder; leaky_relu has a slope of 0.1."""
    targets: Literal["gaussian", "one_hot"] = "gaussian"
    """With optim.loss=mse: a normal vector per label, or its unit vector. The answer is the nearest
    target. With cross_entropy the outputs are logits of the labels."""
    n_out: int = 30
    """Numbers of a gaussian target."""
    label_scale: float = 1.0
    """Factor on gaussian targets."""
    embed_init: Literal["uniform", "normal"] = "uniform"
    """Initial embeddings: uniform in [-1/2, 1/2], or standard normal, times embed_scale."""
    embed_scale: float = 1.0
    """Factor on the initial embeddings."""
    decoder_scale: float = 1.0
    """Factor on the decoder's initial parameters, gains of norms included. They are those of
    torch's Linear, or of its TransformerEncoderLayer."""
    embed_l1: float = 0.0
    """Weight of the mean absolute embedding, added to the loss."""
    draw: Literal["train_add", "published"] = "train_add"
    """Order in which random numbers are drawn: that of the released training script, or of the
    notebooks behind the published phase diagrams, which draw numbers that they do not use."""

    def __post_init__(self) -> None:
        """Refuse values that are impossible by themselves or beside the others.

        Raises:
            ValueError: In one line that names the key, its value and what is allowed.
        """
        check_choices(self, "toy.")
        self._check_symbols()
        for name in ("n_out", "dim", "width", "depth", "n_heads"):
            if getattr(self, name) < 1:
                raise ValueError(f"toy.{name}={getattr(self, name)} must be 1 or more")
        for name in ("label_scale", "embed_scale", "decoder_scale", "embed_l1"):
            if not 0 <= getattr(self, name) < math.inf:
                raise ValueError(f"toy.{name}={getattr(self, name)} must be 0 or more")
        if not 1 <= self.n_train < self.n_pairs:
            raise ValueError(f"toy.n_train={self.n_train}: allowed are 1 to {self.n_pairs - 1}")
        if not 0 <= self.batch_size <= self.n_train:
            raise ValueError(f"toy.batch_size={self.batch_size}: allowed are 0 to {self.n_train}")
        if self.combine == "product" and math.isqrt(self.dim) ** 2 != self.dim:
            raise ValueError(f"toy.dim={self.dim}: product needs a square number, such as 9")
        if self.decoder == "encoder":
            self._check_encoder()
            return
        for name, default in (("n_heads", ToyConfig.n_heads), ("dropout", ToyConfig.dropout)):
            if getattr(self, name) != default:
                raise ValueError(
                    f"toy.{name}={getattr(self, name)}: allowed only with toy.decoder=encoder"
                )

    def _check_encoder(self) -> None:
        if self.combine != "concat":
            raise ValueError(f"toy.combine={self.combine}: toy.decoder=encoder needs concat")
        if self.draw != "train_add":
            raise ValueError(f"toy.draw={self.draw}: toy.decoder=encoder needs train_add")
        if self.dim % self.n_heads != 0:
            raise ValueError(f"toy.n_heads={self.n_heads} does not divide toy.dim={self.dim}")
        if not 0 <= self.dropout < 1:
            raise ValueError(f"toy.dropout={self.dropout} is not in [0, 1)")

    def _check_symbols(self) -> None:
        if self.operation != "compose":
            if self.group:
                raise ValueError(f"toy.group={self.group}: allowed only with toy.operation=compose")
            if not 2 <= self.p <= 200:
                raise ValueError(f"toy.p={self.p}: allowed are 2 to 200")
            return
        if not self.group:
            raise ValueError("toy.group='': toy.operation=compose needs one, such as S3")
        if self.p != ToyConfig.p:
            raise ValueError(f"toy.p={self.p}: not used by toy.operation=compose, leave it out")
        if self.pairs != "ordered":
            raise ValueError("toy.pairs=unordered: toy.operation=compose needs ordered")
        try:
            order = group_order(self.group)
        except ValueError as error:
            raise ValueError(f"toy.group: {error}") from None
        if order > 200:
            raise ValueError(f"toy.group={self.group} has {order} elements: allowed are up to 200")

    @property
    def n_symbols(self) -> int:
        """Number of symbols: p, or the order of the group."""
        return group_order(self.group) if self.operation == "compose" else self.p

    @property
    def n_pairs(self) -> int:
        """Number of pairs, training and test."""
        n = self.n_symbols
        return n * n if self.pairs == "ordered" else n * (n + 1) // 2

    @property
    def n_labels(self) -> int:
        """Number of labels: 2p - 1 sums, or as many as symbols."""
        return 2 * self.p - 1 if self.operation == "add" else self.n_symbols

    @property
    def n_read(self) -> int:
        """Numbers that the decoder reads."""
        return 2 * self.dim if self.combine == "concat" else self.dim

    def outputs(self, loss: str) -> int:
        """Numbers that the decoder writes under ``optim.loss``."""
        return self.n_out if loss == "mse" and self.targets == "gaussian" else self.n_labels
