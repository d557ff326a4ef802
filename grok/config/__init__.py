"""What a run is: the schema, its YAML and flags, and the key of a run. Imports no torch."""

from grok.config.experiments import Experiment as Experiment
from grok.config.experiments import experiments as experiments
from grok.config.experiments import find_experiment as find_experiment
from grok.config.help import field_help as field_help
from grok.config.key import flatten as flatten
from grok.config.key import from_dict as from_dict
from grok.config.key import run_key as run_key
from grok.config.key import to_dict as to_dict
from grok.config.measures import FAMILIES as FAMILIES
from grok.config.measures import FamilyConfig as FamilyConfig
from grok.config.measures import MeasuresConfig as MeasuresConfig
from grok.config.parse import ConfigError as ConfigError
from grok.config.parse import flag_pairs as flag_pairs
from grok.config.parse import load_run as load_run
from grok.config.parse import parse_run as parse_run
from grok.config.schedule import Schedule as Schedule
from grok.config.schema import CheckpointConfig as CheckpointConfig
from grok.config.schema import OptimConfig as OptimConfig
from grok.config.schema import RunConfig as RunConfig
from grok.config.schema import StopConfig as StopConfig
from grok.config.schema import TrackingConfig as TrackingConfig
from grok.config.schema import with_seed as with_seed
from grok.inputs import InputError as InputError
