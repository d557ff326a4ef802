"""What the figures of Merrill et al. 2021 show, read off their vector graphics (about 0.3 %).

The norms of T5 are in :mod:`grok.claims.norm_growth.published`.
"""

import numpy as np

T5_STEPS = (0, 5_100, 10_200, 15_300, 51_000, 102_000, 255_000, 510_000, 520_200)
"""Checkpoints at which what follows was read; a reading is of the 5,100 updates after."""
T5_COSINE = (0.799, 0.855, 0.922, 0.947, 0.981, 0.989, 0.995, 0.997, 0.998)
"""Figure 1, bottom: cosine of neighbouring checkpoints, encoder and decoder."""
T5_ALIGNMENT = {
    "encoder+decoder": (-0.046, 0.170, 0.179, 0.171, 0.093, 0.064, 0.042, 0.028, 0.023),
    "encoder": (-0.119, 0.054, 0.087, 0.094, 0.062, 0.048, 0.031, 0.022, 0.018),
}
"""Figure 5, left, computed again from norms and cosines that were read off."""
T5_STEP_SIZE = {
    "encoder+decoder": (342, 391, 344, 320, 292, 294, 299, 319, 291),
    "encoder": (208, 237, 219, 203, 181, 174, 172, 172, 156),
}
"""Figure 5, right, likewise; the last interval is shorter."""

SATURATION = {
    "BERT": (0.474, 0.193, 0.286, 0.060, 0.215, 0.089, 0.200, 0.175, 0.125, 0.274, 0.056, 0.113),
    "RoBERTa": (0.655, 0.717, 0.725, 0.799, 0.773, 0.709, 0.823, 0.771, 0.663, 0.885, 0.940, 0.652),
    "T5": (0.715, 0.420, 0.293, 0.381, 0.304, 0.378, 0.458, 0.540, 0.690, 0.763, 0.827, 0.915),
    "XLNet": (-0.061, 0.109, 0.127, 0.104, 0.154, 0.394, 0.403, 0.779, 0.490, 0.780, 0.914),
}
"""Figure 2, right, by layer from the first; T5's are of its decoder, XLNet has 11 points."""
SATURATION_AT_FIRST = {"T5": (0.36, 0.44), "others": (0.01, 0.11)}
"""Figure 2, left: ranges over the layers of models as they are initialised."""

N_VISIBLE = (83 + 1) / 2
"""Positions that a query of figure 3 (Penn Treebank) may see, in the mean."""
N_HEADS = 144
HEADS = {"sublayer_ln": {1.0: 64, 41.012: 61}, "post_ln": {1.0: 64, 41.128: 70}}
"""Figure 3: heads at the two modes of the positions attended to; a mask that leaks makes the
second."""
SPLIT = (0.0, 0.976)
"""Figure 3: modes of the split probability."""
STD = 23.939
"""Figure 3: the upper mode of the standard deviation."""

SCALES = np.linspace(1, 10, 20)
COSINES = {
    "sublayer_ln": (
        *(0.727, 0.822, 0.862, 0.899, 0.916, 0.929, 0.937, 0.944, 0.950, 0.953),
        *(0.957, 0.957, 0.958, 0.960, 0.961, 0.962, 0.963, 0.963, 0.964, 0.964),
    ),
    "post_ln": (
        *(0.081, 0.181, 0.260, 0.495, 0.608, 0.663, 0.724, 0.784, 0.834, 0.877),
        *(0.897, 0.919, 0.933, 0.946, 0.953, 0.960, 0.961, 0.965, 0.968, 0.971),
    ),
}
"""Figure 4 without biases: cosine of encodings at c of :data:`SCALES` to those at 1000."""
COSINES_BIAS = {
    "sublayer_ln": (
        *(0.705, 0.795, 0.841, 0.879, 0.904, 0.931, 0.946, 0.953, 0.955, 0.957),
        *(0.960, 0.961, 0.962, 0.962, 0.963, 0.963, 0.964, 0.964, 0.964, 0.964),
    ),
    "post_ln": (
        *(0.095, 0.170, 0.262, 0.436, 0.561, 0.659, 0.756, 0.824, 0.865, 0.893),
        *(0.919, 0.935, 0.946, 0.953, 0.960, 0.963, 0.965, 0.971, 0.973, 0.975),
    ),
}
"""The same with them; the flag of the released code reaches the read-out alone."""

DECAY_BOUNDARY = (1e-3, 1e-2)
"""Section 4 and figure 6: the norm grows below, shrinks above, by one sentence of the paper."""
