"""Published values of the mainline run (seed 0), as far as they are known.

Curves were read off the published vector figures, to 1 or 2 %, as were the norms of the embedding.
Sections and the public notebook of the author state the others.
"""

KEYS = (14, 35, 41, 42, 52)
"""Key frequencies; section 4.1."""

SQUARED_EMBEDDING = {
    14: (13.3, 13.1),
    31: (4.1, 4.1),
    35: (15.2, 14.7),
    41: (12.1, 12.0),
    42: (16.7, 16.5),
    52: (17.2, 16.5),
}
"""Squared norm of W_E in the cosine and the sine of a frequency, next to none elsewhere; read off
figure 3."""

N_NEURONS, N_OVER_85 = 512, 433
"""Neurons, and those of which one frequency explains more than 85 %; section 4.3."""

LOSS, RESTRICTED_LOSS = 2.41e-7, 5.54e-8
"""On all pairs at step 40,000, and with the key frequencies alone; section 4.4."""

WITHOUT_NEURON_WAVES = {14: 2.0e-4, 35: 4.6e-4, 41: 1.9e-3, 42: 5.2e-3, 52: 2.4e-2}
"""Loss on all pairs without a frequency in the neurons; the author's notebook."""

WITHOUT_LOGIT_WAVES = {14: 2.8e-4, 35: 6.3e-4, 41: 1.6e-3, 42: 7.2e-2, 52: 3.3e-2}
"""Training loss without a frequency in the logits; read off figure 15."""

PHASES = {"t_mem": 1_400, "t_form": 9_400, "t_clean": 14_000}
"""Ends of the phases, placed by eye; section 5.2 and figure 7."""

TRAIN_LOSS = {0: 4.76, 200: 2.0e-2, 1_000: 2e-6, 3_000: 3.3e-7, 7_000: 2.8e-7, 10_000: 1.9e-7}
TRAIN_LOSS |= {12_500: 1.2e-7, 14_000: 1.05e-7, 20_000: 1.0e-7}
TEST_LOSS = {0: 4.76, 1_000: 22.7, 3_000: 23.6, 5_000: 20.7, 7_000: 16.1, 9_000: 6.8}
TEST_LOSS |= {10_000: 0.6, 11_000: 2e-3, 12_500: 8e-5, 14_000: 7.5e-7, 20_000: 3.1e-7}
RESTRICTED = {0: 4.75, 1_400: 3.0, 3_000: 2.1, 5_000: 1.4, 7_000: 0.62, 9_000: 5e-2}
RESTRICTED |= {10_000: 5e-5, 11_000: 4e-7, 12_500: 1.3e-8, 14_000: 4.2e-8, 20_000: 5.1e-8}
EXCLUDED = {0: 4.76, 1_000: 0.35, 3_000: 0.60, 5_000: 1.5, 7_000: 4.3, 9_000: 10.3}
EXCLUDED |= {10_000: 13.4, 11_000: 11.3, 12_500: 8.2, 14_000: 6.2, 20_000: 5.9}
SQUARED_NORM = {0: 1_783, 1_000: 3_650, 3_000: 2_800, 5_000: 2_600, 7_000: 2_425, 9_000: 2_110}
SQUARED_NORM |= {10_000: 1_750, 11_000: 1_330, 12_500: 1_090, 14_000: 996, 20_000: 964}
TEST_ACC = {0: 0.009, 1_000: 0.07, 3_000: 0.087, 5_000: 0.11, 7_000: 0.16, 9_000: 0.37}
TEST_ACC |= {9_400: 0.5, 10_000: 0.88, 11_000: 1.0, 14_000: 1.0, 20_000: 1.0}
