"""Transformer on short sequences of tokens, as functions of a stack of parameters.

Decisions:

- It reads pairs as ``a b =``, or whatever its :class:`~grok.models.shapes.Tokens` say.
- Learned absolute positions, or none; attention over all positions unless ``causal``.
- The residual stream is never normalised unless the placement says ``post``; every norm is on a
  read of the stream (``q``, ``k``, ``v``, ``mlp``, ``final``), on a branch (``peri``) or on
  projected queries and keys (``qk_proj``). One norm is shared by q, k and v.
- Biases where the config says; by default in the MLP only. Unembedding separate unless ``tied``.
- Without an MLP if ``attn_only``: a block then has no neurons, and adds what attention adds.
- No hooks: a forward pass returns everything it computed.
- The readout scale is not applied here: ``logits`` are the unembedding's output f.

Shapes: ``run`` - runs trained together; ``batch`` - pairs or sequences; ``pos`` - position;
``query``, ``key`` - the same positions as attention reads them; ``head``;
``d_model`` = head * d_head; ``d_mlp``; ``vocab`` - tokens, of pairs n + 1, ``=`` being token n;
``cls`` - output classes, of pairs n or n + 1.
"""

from typing import Literal

import torch
import torch.nn.functional as F
from einops import einsum, rearrange
from jaxtyping import Float, Int
from torch import Tensor

from grok.models.activations import Activations as Activations
from grok.models.activations import Attend as Attend
from grok.models.activations import BlockActivations as BlockActivations
from grok.models.activations import Dropout as Dropout
from grok.models.activations import MlpRead as MlpRead
from grok.models.activations import Parameters as Parameters
from grok.models.config import TransformerConfig
from grok.models.layers import activation, attention_scale, linear, normalise, split_heads
from grok.models.shapes import Tokens, is_trained, parameter_shapes


class Transformer:
    """The network, without its parameters.

    ::

        x ---+-- [ln1 if q] --> Q [ln_q] --+
             +-- [ln1 if k] --> K [ln_k] --+--> pattern --+
             +-- [ln1 if v] --> V ------------------------*--> W_O [ln1_peri] --+
             +------------------------------------------------------------------+--> [ln1_post]
        resid_mid ---+-- [ln2 if mlp] --> W_in, act, W_out [ln2_peri] --+
                     +--------------------------------------------------+--> [ln2_post]
        resid_post -- [ln_final] --> W_U --> logits

    Args:
        config: Sizes, placement of norms, biases.
        reads: Number of group elements n for pairs ``a b =``, ``=`` being token n; or what it
            reads instead.
    """

    def __init__(self, config: TransformerConfig, reads: int | Tokens) -> None:
        if isinstance(reads, int):
            reads = Tokens(reads + 1, 3, reads + 1 if config.output_equals else reads)
        self.config = config
        self.vocab, self.n_ctx, self.n_classes = reads
        self.n = self.vocab - 1

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Name and shape of every parameter that exists, without the ``run`` axis."""
        return parameter_shapes(self.config, Tokens(self.vocab, self.n_ctx, self.n_classes))

    def is_trained(self, name: str) -> bool:
        """Whether the parameter ever gets a gradient."""
        return is_trained(self.config, name)

    def norm(self, params: Parameters, name: str, x: Tensor) -> Tensor:
        """The norm called ``name`` applied to x."""
        return normalise(x, self.config.norm, params.get(f"{name}.w"), params.get(f"{name}.b"))

    def forward(
        self,
        params: Parameters,
        tokens: Int[Tensor, "run batch pos"],
        *,
        read: Literal["all", "last"] | int = "all",
        drop: Dropout | None = None,
        mlp_read: MlpRead | None = None,
        attend: Attend | None = None,
    ) -> Activations:
        """The full form: every position, the reference for every other form.

        Args:
            params: Stacked parameters, as named by :meth:`shapes`.
            tokens: Ids of each run's batch, such as ``a``, ``b`` and ``=``; not more than n_ctx.
            read: ``last`` computes only the last row of the last block, all the loss of a pair
                needs; a number, only so many of its last rows.
            drop: Dropout on what attention and MLP add to the stream; None in evaluation.
            mlp_read: Changes what each MLP reads; None leaves it.
            attend: Weights of attention from its scores; None is softmax.
        """
        n_pos = tokens.shape[-1]
        n_read = n_pos if read == "all" else 1 if read == "last" else read
        offset = self.vocab * torch.arange(tokens.shape[0], device=tokens.device)
        rows = rearrange(params["W_E"], "run vocab d_model -> (run vocab) d_model")
        x = F.embedding(tokens + rearrange(offset, "run -> run 1 1"), rows)
        if "W_pos" in params:
            x = x + params["W_pos"][:, :n_pos].unsqueeze(1)
        blocks = []
        for layer in range(self.config.n_layers):
            is_last = layer == self.config.n_layers - 1
            query = x[:, :, -n_read:] if n_read < n_pos and is_last else x
            blocks.append(self._block(params, f"blocks.{layer}.", x, query, drop, mlp_read, attend))
            x = blocks[-1].resid_post
        return self.readout(params, tuple(blocks))

    def _block(
        self,
        params: Parameters,
        prefix: str,
        x: Tensor,
        query: Tensor,
        drop: Dropout | None,
        mlp_read: MlpRead | None,
        attend: Attend | None,
    ) -> BlockActivations:
        """Attention of the query rows over all positions, then the MLP on the query rows."""
        norm, n_heads = self.config.norm, self.config.n_heads
        q = split_heads(self.project(params, prefix, "Q", query, norm.q), n_heads)
        k = split_heads(self.project(params, prefix, "K", x, norm.k), n_heads)
        v = split_heads(self.project(params, prefix, "V", x, norm.v), n_heads)
        if norm.qk_proj:
            q, k = self.norm(params, prefix + "ln_q", q), self.norm(params, prefix + "ln_k", k)
        scores = attention_scale(self.config.d_head) * einsum(
            q, k, "run batch query head d, run batch key head d -> run batch head query key"
        )
        if self.config.causal:
            n_query, n_key = scores.shape[-2:]
            future = torch.ones(n_query, n_key, device=x.device, dtype=torch.bool)
            scores = scores.masked_fill(future.triu(1 + n_key - n_query), -torch.inf)
        pattern = attend(scores) if attend else scores.softmax(dim=-1)
        mixed = einsum(
            pattern, v, "run batch head query key, run batch key head d -> run batch query head d"
        )
        z = rearrange(mixed, "run batch query head d -> run batch query (head d)")
        return self.after_attention(params, prefix, query, scores, pattern, z, drop, mlp_read)

    def project(
        self, params: Parameters, prefix: str, name: str, x: Tensor, is_normed: bool
    ) -> Tensor:
        """Queries, keys or values of the (normalised) stream, heads not yet split."""
        read = self.norm(params, prefix + "ln1", x) if is_normed else x
        return linear(read, params[f"{prefix}W_{name}"], params.get(f"{prefix}b_{name}"))

    def after_attention(
        self,
        params: Parameters,
        prefix: str,
        x: Float[Tensor, "run #batch query d_model"],
        scores: Float[Tensor, "run batch head query key"],
        pattern: Float[Tensor, "run batch head query key"],
        z: Float[Tensor, "run batch query d_model"],
        drop: Dropout | None = None,
        mlp_read: MlpRead | None = None,
    ) -> BlockActivations:
        """The rest of a block once the heads have mixed their values into ``z``.

        ``x`` may be one stream shared by all pairs, as it is at ``=`` in the first block.
        """
        drop = drop or (lambda t: t)
        attn_out = self.attention_out(params, prefix, z)
        resid_mid = self.added(params, prefix + "ln1_post", x, drop(attn_out))
        if self.config.attn_only:
            nothing = (resid_mid[..., :0], resid_mid[..., :0], torch.zeros_like(resid_mid))
            stream = (x, scores, pattern, z, attn_out, resid_mid, resid_mid)
            return BlockActivations(*stream, *nothing, resid_mid)
        mlp_in, mlp_pre, mlp_post = self.neurons(params, prefix, resid_mid, mlp_read)
        mlp_out = self.mlp_out(params, prefix, mlp_post)
        resid_post = self.added(params, prefix + "ln2_post", resid_mid, drop(mlp_out))
        mlp = (mlp_in, mlp_pre, mlp_post, mlp_out)
        return BlockActivations(x, scores, pattern, z, attn_out, resid_mid, *mlp, resid_post)

    def attention_out(self, params: Parameters, prefix: str, z: Tensor) -> Tensor:
        """What attention adds to the stream."""
        attn_out = linear(z, params[prefix + "W_O"], params.get(prefix + "b_O"))
        return (
            self.norm(params, prefix + "ln1_peri", attn_out) if self.config.norm.peri else attn_out
        )

    def added(self, params: Parameters, name: str, x: Tensor, branch: Tensor) -> Tensor:
        """The stream after an addition; ``name`` is that of the norm on the stream itself."""
        return self.norm(params, name, x + branch) if self.config.norm.post else x + branch

    def neurons(
        self, params: Parameters, prefix: str, resid_mid: Tensor, mlp_read: MlpRead | None = None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """What the MLP reads, and its neurons before and after the non-linearity."""
        is_normed = self.config.norm.mlp
        mlp_in = self.norm(params, prefix + "ln2", resid_mid) if is_normed else resid_mid
        if mlp_read is not None:
            mlp_in = mlp_read(prefix, mlp_in)
        mlp_pre = linear(mlp_in, params[prefix + "W_in"], params.get(prefix + "b_in"))
        gate = None
        if self.config.act == "glu":
            gate = linear(mlp_in, params[prefix + "W_gate"], params.get(prefix + "b_gate"))
        return mlp_in, mlp_pre, activation(mlp_pre, gate, self.config.act)

    def mlp_out(self, params: Parameters, prefix: str, mlp_post: Tensor) -> Tensor:
        """What the neurons add to the stream."""
        mlp_out = linear(mlp_post, params[prefix + "W_out"], params.get(prefix + "b_out"))
        return self.norm(params, prefix + "ln2_peri", mlp_out) if self.config.norm.peri else mlp_out

    def readout(self, params: Parameters, blocks: tuple[BlockActivations, ...]) -> Activations:
        """Final norm and unembedding of the last block's output."""
        return Activations(blocks, *self.unembedded(params, blocks[-1].resid_post))

    def unembedded(self, params: Parameters, resid_post: Tensor) -> tuple[Tensor, Tensor]:
        """What the unembedding reads, and the logits."""
        is_normed = self.config.norm.final
        pre_logits = self.norm(params, "ln_final", resid_post) if is_normed else resid_post
        return pre_logits, linear(pre_logits, self.unembedding(params), params.get("b_U"))

    def unembedding(self, params: Parameters) -> Float[Tensor, "run cls d_model"]:
        """W_U, or the rows of W_E when tied."""
        return params["W_E"][:, : self.n_classes] if self.config.tied else params["W_U"]
