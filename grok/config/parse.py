"""YAML and flags to a :class:`RunConfig`, by jsonargparse.

Sources apply from left to right: the experiment's file, ``--seed``, then the other flags.
"""

import copy
import difflib
import json
import re
from collections.abc import Sequence
from functools import cache, lru_cache
from itertools import accumulate
from pathlib import Path
from typing import Any

import yaml
from jsonargparse import ArgumentParser

from grok.config.experiments import find_experiment
from grok.config.key import flatten, to_dict
from grok.config.language import with_settled_text
from grok.config.parts import assembled
from grok.config.schema import RunConfig
from grok.inputs import InputError
from grok.models.config import norm_fields

_SEEDS = ("data.split_seed", "model.init_seed", "data.order_seed")
_OTHER_FLAGS = ("seed", "runs_dir", "json", "retrain", "debug", "help")
"""What ``grok train`` takes beside the fields, for the hint at a misspelt one."""


class ConfigError(InputError):
    """A config that cannot be run. The message is one line for the user."""


@cache
def run_parser() -> ArgumentParser:
    """Parser of every field of a run as a dotted flag; :mod:`grok.config.help` has the help."""
    parser = ArgumentParser(exit_on_error=False, default_env=False)
    parser.add_class_arguments(RunConfig, None, help="fields of the run")
    return parser


def parse_run(experiment: str, flags: Sequence[str] = ()) -> RunConfig:
    """The run of an experiment with some fields overridden.

    Args:
        experiment: A name (``readout_scale``), ``paper/name`` or the path of a YAML file.
        flags: ``--field=value`` or ``--field value``; ``--seed=S`` sets the three seeds.

    Raises:
        ConfigError: One line naming the key, the value and what is allowed.
    """
    try:
        found = find_experiment(experiment)
    except InputError as error:
        raise ConfigError(str(error)) from None
    return load_run(found.path, flags, group=f"{found.paper}/{found.name}")


def load_run(path: Path, flags: Sequence[str] = (), group: str = "") -> RunConfig:
    """The run that a YAML file describes, with flags applied.

    A text's digest and the part that trains, where left open, are those of the files that are there
    now, so that the key of the run says what it learns from.

    Raises:
        ConfigError: As :func:`parse_run`.
    """
    try:
        loaded = _loaded(path, path.read_text(encoding="utf-8"), tuple(flags), group)
        return with_settled_text(loaded)
    except ConfigError:
        raise
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: {_one_line(error)}") from None
    except Exception as error:  # jsonargparse raises several kinds; all are the user's input
        raise ConfigError(_one_line(error)) from error


@lru_cache(maxsize=4096)
def _loaded(path: Path, text: str, flags: tuple[str, ...], group: str) -> RunConfig:
    """The run; the whole parser is asked where its parts do not tell, and says what is wrong."""
    values, expanded = _values(path, text, group), _expand(flags)
    try:
        return assembled(values, expanded)
    except Exception:  # whatever it was, the whole parser says it in its words
        return whole(values, expanded)


def whole(values: dict[Any, Any], flags: Sequence[str]) -> RunConfig:
    """The run of a file's values with flags applied, by the parser of all fields.

    Raises:
        Exception: Of several kinds, all of them the user's input.
    """
    parser = run_parser()
    config = parser.parse_args(list(flags), parser.parse_object(copy.deepcopy(values)))
    parts = parser.instantiate(config)
    return RunConfig(**{name: parts[name] for name in RunConfig.__dataclass_fields__})


@lru_cache(maxsize=64)
def _values(path: Path, text: str, group: str) -> dict[Any, Any]:
    """What a file says; not to be changed."""
    values = _read_yaml(path, text)
    values.setdefault("tracking", {}).setdefault("group", group)
    return values


def _read_yaml(path: Path, text: str) -> dict[Any, Any]:
    """The file as a dictionary of sections, published names and ``seed`` replaced by fields."""
    try:
        values = yaml.safe_load(text) or {}
    except yaml.YAMLError as error:
        raise ConfigError(f"{path}: {_one_line(error)}") from None
    if not isinstance(values, dict):
        raise ConfigError(f"{path} is not a mapping of fields to values")
    _replace_norm(values.get("model"))
    _check_sections(values, to_dict(RunConfig()), "")
    seed = values.pop("seed", None)
    if seed is not None:
        for section, name in (key.split(".") for key in _SEEDS):
            values.setdefault(section, {}).setdefault(name, int(_seed(str(seed))))
    return values


def _replace_norm(model: Any) -> None:
    """Put the flags of a published name in its place."""
    if isinstance(model, dict) and "norm" in model and not isinstance(model["norm"], dict):
        model["norm"] = _norm(model["norm"])


def _check_sections(values: dict[Any, Any], known: dict[str, Any], path: str) -> None:
    """Refuse what jsonargparse lets pass: sections that are no mappings, fields without value."""
    for name in values.keys() & known.keys():
        inner = known[name]
        if values[name] is None and not isinstance(inner, dict):
            raise ConfigError(f"{path}{name}=null: expected a value, or leave the field out")
        if not isinstance(inner, dict):
            continue
        if values[name] is None:
            values[name] = {}  # a heading with nothing below it
        if not isinstance(values[name], dict):
            raise ConfigError(_no_section(path + name, values[name]))
        _check_sections(values[name], inner, f"{path}{name}.")


def _norm(name: Any) -> dict[str, Any]:
    try:
        return norm_fields(name if isinstance(name, bool) else str(name))
    except ValueError as error:
        raise ConfigError(str(error)) from None


def _expand(flags: Sequence[str]) -> list[str]:
    """Flags as ``--key=value``, seeds first, published names of norms as their flags."""
    pairs = flag_pairs(flags)
    seeds = [_seed(value) for key, value in pairs if key == "seed"]
    expanded = [f"--{key}={value}" for value in seeds for key in _SEEDS]
    for key, value in pairs:
        if key == "model.norm" and not value.lstrip().startswith("{"):
            value = json.dumps(_norm(value))
        if key == "model":
            value = _nested_model(value)
        if value == "None":
            raise ConfigError(f"--{key}=None: write null, or leave the flag out")
        if key != "seed" and not key.startswith("_wandb"):  # W&B re-queues runs with such a flag
            expanded.append(f"--{key}={value}")
    return expanded


def _seed(text: str) -> str:
    if not re.fullmatch(r"[0-9]+", text):
        raise ConfigError(f"seed={text}: expected a whole number, 0 or more")
    return text


def _nested_model(value: str) -> str:
    """The model as nested sweep parameters give it, a published norm replaced by its flags."""
    try:
        model = yaml.safe_load(value)
    except yaml.YAMLError:
        return value  # the parser says what is wrong
    _replace_norm(model)
    return json.dumps(model) if isinstance(model, dict) else value


def flag_pairs(flags: Sequence[str]) -> list[tuple[str, str]]:
    """``--key=value`` and ``--key value`` alike, names checked before values are looked for.

    Raises:
        ConfigError: If a name is none of the fields', or a value is missing.
    """
    pairs, rest, names = [], list(flags), _names() | {"seed"}
    while rest:
        flag = rest.pop(0)
        if not flag.startswith("--"):
            raise ConfigError(f"unexpected argument {flag!r}; fields are set as --field=value")
        key, equals, value = flag[2:].partition("=")
        if key not in names and not key.startswith("_wandb"):
            raise ConfigError(_no_field(key))
        if not equals:
            if not rest or rest[0].startswith("--"):
                raise ConfigError(f"{flag} needs a value: {flag}=VALUE")
            value = rest.pop(0)
        pairs.append((key, value))
    return pairs


@cache
def _names() -> frozenset[str]:
    """Dotted names of fields and of the sections that hold them."""
    leaves = flatten(to_dict(RunConfig()))
    return frozenset(n for leaf in leaves for n in accumulate(leaf.split("."), "{}.{}".format))


def _one_line(error: BaseException) -> str:
    """What is wrong and what is allowed, in our words where jsonargparse's are known."""
    text = " ".join(str(error).split())
    if match := re.search(r'arser key "([^"]+)": .*?Expected an? (.+?)\. Got value: ?(.*)$', text):
        key, kind, value = match.groups()
        return f"{key}={value}: expected {_readable(kind)}"
    if match := re.search(r'arser key "([^"]+)": Unable to load config [\'"](.*?)[\'"]', text):
        return _no_section(match.group(1), match.group(2))
    if match := re.search(r"Group '(.+?)' does not accept option '(.+?)'", text):
        return _no_field(f"{match.group(1)}.{match.group(2)}")
    if match := re.search(r"(?:unrecognized arguments: --|Key '|Option ')([^\s'=]+)", text):
        return _no_field(match.group(1))
    return text


def _no_field(key: str) -> str:
    known = list(flatten(to_dict(RunConfig())))
    near = [name for name in known if name.endswith(f".{key}")]
    near = near or difflib.get_close_matches(key, [*known, *_OTHER_FLAGS], n=3)
    hint = f"did you mean {' or '.join(near)}?" if near else "see grok train --help"
    return f"no field {key!r}; {hint}"


def _no_section(key: str, value: Any) -> str:
    fields: Any = to_dict(RunConfig())
    for name in key.split("."):
        fields = fields[name]
    return f"{key}={value}: expected some of the fields {', '.join(fields)}"


def _readable(kind: str) -> str:
    """A type as jsonargparse prints it, in words."""
    if match := re.search(r"Literal\[(.*)\]", kind):
        return "one of " + match.group(1).replace("'", "")
    names = {"int": "a whole number", "float": "a number", "bool": "true or false"}
    name = kind.removeprefix("<class '").removesuffix("'>")
    return names.get(name, name if name != "tuple" else "a list such as [0.9,0.98]")
