"""Training a stack of runs: parameters, loss, optimiser, a block of K steps."""

from grok.training.compat import check_stackable as check_stackable
from grok.training.optim import StackOptimizer as StackOptimizer
from grok.training.stack import Stack as Stack
