"""Training a stack of runs: parameters, loss, optimiser, a block of K steps."""

from grok.training.compat import check_stackable as check_stackable
from grok.training.image_problem import ImageProblem as ImageProblem
from grok.training.language_problem import LanguageProblem as LanguageProblem
from grok.training.optim import StackOptimizer as StackOptimizer
from grok.training.pair_problem import PairProblem as PairProblem
from grok.training.problem import Problem as Problem
from grok.training.problems import problem_of as problem_of
from grok.training.sequence_problem import SequenceProblem as SequenceProblem
from grok.training.stack import Stack as Stack
from grok.training.stack import is_sparse as is_sparse
from grok.training.stack import is_unfinished as is_unfinished
from grok.training.state import restore as restore
from grok.training.state import show as show
from grok.training.state import state_of as state_of
from grok.training.toy_problem import ToyProblem as ToyProblem
