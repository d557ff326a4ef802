"""Where the two published layouts have each of our parameters.

A row has our name, theirs, and the order of their axes: the pattern that makes ours of theirs reads
a parameter, and reversed writes it. What stands under ``attn.`` and ``mlp.`` is in every block.
"""

from collections.abc import Mapping
from typing import Literal, NamedTuple

Hooked = Literal["progress_measures", "transformer_lens"]


class Place(NamedTuple):
    """Where a parameter stands and how: ``axes`` there, and in our order."""

    ours: str
    theirs: str
    axes: str
    our_axes: str


def _places(table: str) -> tuple[Place, ...]:
    """Rows ``ours | theirs | axes [-> our axes]``."""
    places = []
    for row in table.strip().splitlines():
        ours, theirs, axes = (cell.strip() for cell in row.split("|"))
        before, _, after = axes.partition(" -> ")
        places.append(Place(ours, theirs, before, after or before))
    return tuple(places)


_PROGRESS_MEASURES = _places("""
    W_pos | pos_embed.W_pos | pos d_model
    W_E   | embed.W_E       | d_model vocab -> vocab d_model
    W_U   | unembed.W_U     | d_model cls -> cls d_model
    W_Q   | attn.W_Q        | head d_head d_model -> (head d_head) d_model
    W_K   | attn.W_K        | head d_head d_model -> (head d_head) d_model
    W_V   | attn.W_V        | head d_head d_model -> (head d_head) d_model
    W_O   | attn.W_O        | d_model d_z
    W_in  | mlp.W_in        | d_mlp d_model
    b_in  | mlp.b_in        | d_mlp
    W_out | mlp.W_out       | d_model d_mlp
    b_out | mlp.b_out       | d_model
""")
_TRANSFORMER_LENS = _places("""
    W_pos | pos_embed.W_pos | pos d_model
    W_E   | embed.W_E       | vocab d_model
    W_U   | unembed.W_U     | d_model cls -> cls d_model
    b_U   | unembed.b_U     | cls
    W_Q   | attn.W_Q        | head d_model d_head -> (head d_head) d_model
    b_Q   | attn.b_Q        | head d_head -> (head d_head)
    W_K   | attn.W_K        | head d_model d_head -> (head d_head) d_model
    b_K   | attn.b_K        | head d_head -> (head d_head)
    W_V   | attn.W_V        | head d_model d_head -> (head d_head) d_model
    b_V   | attn.b_V        | head d_head -> (head d_head)
    W_O   | attn.W_O        | head d_head d_model -> d_model (head d_head)
    b_O   | attn.b_O        | d_model
    W_in  | mlp.W_in        | d_model d_mlp -> d_mlp d_model
    b_in  | mlp.b_in        | d_mlp
    W_out | mlp.W_out       | d_mlp d_model -> d_model d_mlp
    b_out | mlp.b_out       | d_model
""")
LAYOUTS: Mapping[Hooked, tuple[Place, ...]] = {
    "progress_measures": _PROGRESS_MEASURES,
    "transformer_lens": _TRANSFORMER_LENS,
}
