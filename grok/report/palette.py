"""Colours and other marks, one set for every picture: told apart by the colour-blind and in grey.

The line colours are those of Okabe and Ito (2008), but for the yellow, which is lost on white, and
the black, which is lost on black: a grey and a violet stand for them.
"""

from grok.metrics.learning_phases import Phase

FORMATS = (".png", ".svg", ".pdf")
"""Endings of the files that can be drawn."""

LINES = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#7F7F7F", "#8C6BB1")
"""Of lines, in their order; a ninth line has the first colour and the next dash."""
DASHES = ("solid", "dash", "dot", "dashdot")
"""Of lines with the same colour, by Plotly's names; matplotlib's are in :data:`MPL_DASHES`."""
MPL_DASHES = ("-", "--", ":", "-.")
"""The same by matplotlib's."""
SVG_DASHES = ("none", "8 4", "2 3", "8 3 2 3")
"""The same as SVG has them."""


def line_marks(at: int) -> tuple[str, int]:
    """Colour of the line with that number, and the number of its dash; dashes change each round."""
    return LINES[at % len(LINES)], at // len(LINES) % len(DASHES)


TRAIN, TEST = LINES[1], LINES[0]
"""Of the two splits, wherever one panel has both."""

PHASES = {
    Phase.COMPREHENSION: "#A0DA39",
    Phase.GROKKING: "#FDE725",
    Phase.MEMORIZATION: "#46327E",
    Phase.CONFUSION: "#1E1E1E",
    Phase.OTHER: "#2A9D8F",
    Phase.UNDECIDED: "#D9D9D9",
}
"""Of the phases of learning; the first four are those of Liu et al. 2022. They differ in lightness,
and each cell has the phase's letter besides."""
