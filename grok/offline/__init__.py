"""Measures on stored and published checkpoints, without training."""

from grok.offline.measure import Measured as Measured
from grok.offline.measure import measure as measure
from grok.offline.reconstruction import reconstructed_accuracy as reconstructed_accuracy
from grok.offline.reconstruction import reconstruction as reconstruction
from grok.offline.source import DataOptions as DataOptions
from grok.offline.source import ModelOptions as ModelOptions
from grok.offline.source import Source as Source
from grok.offline.source import sources as sources
