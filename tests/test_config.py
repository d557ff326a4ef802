import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import fields, is_dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from grok.config import (
    FAMILIES,
    CheckpointConfig,
    ConfigError,
    MeasuresConfig,
    OptimConfig,
    RunConfig,
    Schedule,
    StopConfig,
    TrackingConfig,
    experiments,
    field_help,
    find_experiment,
    flatten,
    from_dict,
    load_run,
    parse_run,
    run_key,
    to_dict,
    with_seed,
)
from grok.config.measures import SaturationConfig
from grok.data.config import DataConfig
from grok.data.sequence_config import SequenceConfig
from grok.models.config import FLAGS, NORM_NAMES, NormConfig, TransformerConfig, norm_config

LEAVES = sorted(flatten(to_dict(RunConfig())))


def nested(path: str, value: Any) -> dict[str, Any]:
    """``{"a": {"b": value}}`` of ``a.b``."""
    for name in reversed(path.split(".")):
        value = {name: value}
    return value


def at(config: Any, path: str) -> Any:
    """The value of a dotted field."""
    for name in path.split("."):
        config = getattr(config, name)
    return config


def with_field(config: RunConfig, path: str, value: Any) -> RunConfig:
    """The run with one dotted field replaced."""

    def put(part: Any, names: list[str]) -> Any:
        first, *rest = names
        return replace(part, **{first: put(getattr(part, first), rest) if rest else value})

    return put(config, path.split("."))


def complaint(experiment: str, *flags: str) -> str:
    """The error of a config that cannot be run."""
    with pytest.raises(ConfigError) as caught:
        parse_run(experiment, flags)
    message = str(caught.value)
    assert "\n" not in message
    return message


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str], str]:
    """Writes a YAML file and gives its path."""

    def of(text: str) -> str:
        path = tmp_path / "experiment.yaml"
        path.write_text(text)
        return str(path)

    return of


# Schedules.

SCHEDULES = st.builds(
    Schedule, dense=st.integers(0, 40), every=st.integers(0, 60), per_decade=st.integers(0, 30)
)


@given(schedule=SCHEDULES, step=st.integers(0, 1500))
def test_next_due_is_the_first_due_step_after(schedule: Schedule, step: int) -> None:
    following = (t for t in range(step + 1, 15_001) if schedule.is_due(t))
    assert schedule.next_due(step) == next(following, None)


def test_a_schedule_is_the_union_of_its_rules() -> None:
    schedule = Schedule(dense=3, every=250, per_decade=1)
    due = [step for step in range(1001) if schedule.is_due(step)]
    assert due == [0, 1, 2, 3, 10, 100, 250, 500, 750, 1000]


def test_ten_steps_per_decade_are_evenly_spaced_on_a_logarithmic_axis() -> None:
    due = [t for t in range(100, 1001) if Schedule(every=0, per_decade=10).is_due(t)]
    assert due == [100, 126, 158, 200, 251, 316, 398, 501, 631, 794, 1000]


MARKS = (1, 2, 3, 6, 10, 18, 32, 56, 100, 178, 316)


@settings(max_examples=25, deadline=None)
@given(schedule=SCHEDULES)
def test_a_landmark_is_the_first_due_step_from_each_of_four_marks_a_decade(
    schedule: Schedule,
) -> None:
    due = [step for step in range(501) if schedule.is_due(step)]
    firsts = {next((step for step in due if step >= mark), 0) for mark in MARKS}
    expected = sorted(firsts | {0}) if due else []
    assert [step for step in range(501) if schedule.is_landmark(step)] == expected


def test_a_schedule_without_rules_reads_nothing_not_even_the_initialisation() -> None:
    never = Schedule(every=0)
    assert not any(never.is_due(step) for step in range(300))
    assert never.next_due(0) is None


def test_the_task_is_read_at_every_early_step_and_the_rest_every_200() -> None:
    measures = MeasuresConfig()
    due = [step for step in range(101) if measures.task.schedule.is_due(step)]
    assert due == [*range(51), 75, 100]
    for family in set(FAMILIES) - {"task"}:
        assert [t for t in range(401) if at(measures, family).schedule.is_due(t)] == [0, 200, 400]


# Impossible values.


@pytest.mark.parametrize(
    ("make", "names"),
    [
        (lambda: Schedule(dense=-1), "schedule.dense=-1"),
        (lambda: Schedule(every=-1), "schedule.every=-1"),
        (lambda: Schedule(per_decade=-1), "schedule.per_decade=-1"),
        (lambda: OptimConfig(lr=0.0), "optim.lr=0.0"),
        (lambda: OptimConfig(lr=float("nan")), "optim.lr=nan"),
        (lambda: OptimConfig(reference_lr=-1.0), "optim.reference_lr=-1.0"),
        (lambda: OptimConfig(weight_decay=-0.1), "optim.weight_decay=-0.1"),
        (lambda: OptimConfig(eps=-1e-8), "optim.eps=-1e-08"),
        (lambda: OptimConfig(l1=-1.0), "optim.l1=-1.0"),
        (lambda: OptimConfig(warmup=-1), "optim.warmup=-1"),
        (lambda: OptimConfig(betas=(0.9, 1.0)), "optim.betas"),
        (lambda: OptimConfig(momentum=1.0), "optim.momentum"),
        (lambda: StopConfig(accuracy=0.0), "stop.accuracy=0.0"),
        (lambda: StopConfig(accuracy=1.1), "stop.accuracy=1.1"),
        (lambda: StopConfig(readings=0), "stop.readings=0"),
        (lambda: CheckpointConfig(every=-1), "checkpoint.every=-1"),
        (lambda: CheckpointConfig(seconds=-1.0), "checkpoint.seconds=-1.0"),
        (lambda: RunConfig(n_steps=0), "n_steps=0"),
        (lambda: RunConfig(threads=0), "threads=0"),
    ],
)
def test_an_impossible_value_is_refused_by_name(make: Callable[[], Any], names: str) -> None:
    with pytest.raises(ValueError, match=names.replace(".", r"\.")):
        make()


CHOICES = [
    (OptimConfig, "kind", "adamax", "optim.kind='adamax': allowed are adamw, adam, sgd"),
    (OptimConfig, "lr_rule", "", "optim.lr_rule='': allowed are constant, inverse_square_readout"),
    (OptimConfig, "hold", "lr", "optim.hold='lr': allowed are lambda, eta_lambda, eta_lambda_al"),
    (OptimConfig, "loss", "hinge", "optim.loss='hinge': allowed are cross_entropy, mse"),
    (OptimConfig, "loss_dtype", 64, "optim.loss_dtype=64: allowed are float64, float32"),
    (OptimConfig, "decay_exempt", ("bias", "b"), "optim.decay_exempt='b': allowed are tuples of "),
    (OptimConfig, "decay_exempt", "bias", "optim.decay_exempt='bias': allowed are tuples of embed"),
    (StopConfig, "when", "always", "stop.when='always': allowed are never, sustained"),
    (
        TrackingConfig,
        "mode",
        "on",
        "tracking.mode='on': allowed are auto, offline, online, disabled",
    ),
    (
        RunConfig,
        "problem",
        "sums",
        "problem='sums': allowed are pairs, toy, images, language, digit_addition, "
        "repeated_subsequence, skip_trigram, majority",
    ),
    (
        SaturationConfig,
        "include",
        "some",
        "measures.saturation.include='some': allowed are all, weights_only, attn_only, no_embed",
    ),
    (RunConfig, "dtype", "half", "dtype='half': allowed are float32, float64"),
    (RunConfig, "device", "tpu", "device='tpu': allowed are auto, cpu, cuda"),
    (NormConfig, "kind", "batch", "model.norm.kind='batch': allowed are layer, rms, l2, centre"),
    (NormConfig, "affine", None, "model.norm.affine=None: allowed are trained, frozen, none"),
    (TransformerConfig, "act", "tanh", "model.act='tanh': allowed are gelu, relu, glu"),
    (TransformerConfig, "init", "", "model.init='': allowed are lecun, kaiming, nanda, "),
    (DataConfig, "operation", "plus", "data.operation='plus': allowed are add, sub, mul, "),
    (DataConfig, "split", "plus", "data.split='plus': allowed are python_shuffle, "),
]


@pytest.mark.parametrize(("kind", "name", "value", "expected"), CHOICES)
def test_an_unknown_choice_is_one_line_in_python_too(
    kind: type, name: str, value: Any, expected: str
) -> None:
    config = kind()
    object.__setattr__(config, name, value)  # the constructor's types are checked in tests
    with pytest.raises(ValueError, match=f"^{re.escape(expected)}") as caught:
        config.__post_init__()
    assert "\n" not in str(caught.value)


@pytest.mark.slow
def test_an_unknown_choice_in_stored_values_is_refused() -> None:
    # In a process of its own, where types are not checked.
    script = "from grok.config import *; from_dict({'model': {'norm': {'kind': 'batch'}}})"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    expected = "ValueError: model.norm.kind='batch': allowed are layer, rms, l2, centre"
    assert done.stderr.splitlines()[-1] == expected


def test_every_choice_of_a_field_is_allowed() -> None:
    for kind in (OptimConfig, StopConfig, TrackingConfig, RunConfig, NormConfig, TransformerConfig):
        for name, hint in get_type_hints(kind).items():
            if get_origin(hint) is Literal:
                # Sequences ask for a mask, so that no choice of theirs stands alone.
                beside: dict[str, Any] = {}
                for value in get_args(hint):
                    if name == "problem" and value not in ("pairs", "toy", "images"):
                        beside = {"model": TransformerConfig(causal=True)}
                    if name == "schedule":
                        beside = {"horizon": 9} if value in ("linear", "cosine") else {}
                    assert getattr(kind(**{name: value}, **beside), name) == value
    assert OptimConfig(decay_exempt=("embed", "norm")).decay_exempt == ("embed", "norm")


NORMS = "none, attn, pre, mlp, qk, v, pre_v, post, peri, sublayer, qk_norm, No LN, off, A*"


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ("--model.d_modl=3", "no field 'model.d_modl'; did you mean model.d_model or "),
        ("--lr=3", "no field 'lr'; did you mean optim.lr?"),
        ("--qqq=3", "no field 'qqq'; see grok train --help"),
        ("--optim.lr=abc", "optim.lr=abc: expected a number"),
        ("--optim.lr=nan", "optim.lr=nan: expected a number"),
        ("--optim.kind=", "optim.kind=: expected one of adamw, adam, sgd, adafactor"),
        ("--optim.kind=adamax", "optim.kind=adamax: expected one of adamw, adam, sgd, adafactor"),
        ("--n_steps=1e3", "n_steps=1000.0: expected a whole number"),
        ("--n_steps=0", "n_steps=0 must be 1 or more"),
        ("--n_steps=null", "n_steps=None: expected a whole number"),
        ("--model.init_seed=True", "model.init_seed=True: expected a whole number"),
        ("--model.causal=maybe", "model.causal=maybe: expected true or false"),
        ("--seed=True", "seed=True: expected a whole number, 0 or more"),
        ("--seed=0.0", "seed=0.0: expected a whole number, 0 or more"),
        ("--seed=-1", "seed=-1: expected a whole number, 0 or more"),
        ("--seed=4294967296", "data.split_seed=4294967296: allowed are 0 to 4294967295"),
        ("--data.operation=div --data.p=9", "data.p=9: operation 'div' needs a prime p"),
        ("--data.p=1", "data.p=1: allowed are 2 to 2000"),
        ("--data.train_fraction=1e-9", "data.train_fraction=1e-09 leaves 0 training and 12769"),
        ("--data.train_fraction=1", "data.train_fraction=1.0: allowed are values between 0 and 1"),
        ("--data.operation=compose --data.group=Q8", "data.group: unknown group 'Q8'; allowed: C"),
        ("--data.group=S3", "data.group='S3': allowed only with data.operation='compose'"),
        ("--data.batch_size=99999", "data.batch_size=99999: allowed are 1 to 3830"),
        ("--model.n_heads=3", "model.n_heads=3 does not divide model.d_model=128"),
        ("--model.norm=foo", f"model.norm=foo is unknown; allowed: {NORMS}"),
        ("--model.norm=on", f"model.norm=on is unknown; allowed: {NORMS}"),
        ("--model.norm=None", f"model.norm=None is unknown; allowed: {NORMS}"),
        ("--model.norm.z=true", "no field 'model.norm.z'; did you mean model.norm."),
        ("--optim.lr=None", "--optim.lr=None: write null, or leave the flag out"),
        ("--optim.lr", "--optim.lr needs a value: --optim.lr=VALUE"),
        ("--jsonn", "no field 'jsonn'; did you mean json?"),
        ("--optim.lrr --seed=3", "no field 'optim.lrr'; did you mean optim.lr or "),
        ("--retrian --optim.lr=abc", "no field 'retrian'; did you mean retrain?"),
        ("--optim.lr --seed=3", "--optim.lr needs a value: --optim.lr=VALUE"),
        ("optim.lr=3", "unexpected argument 'optim.lr=3'; fields are set as --field=value"),
        ("-x", "unexpected argument '-x'; fields are set as --field=value"),
        ("--optim.betas=0.9", "optim.betas=0.9: expected a list such as [0.9,0.98]"),
        ("--optim.betas=(0.9,0.98)", "optim.betas=(0.9,0.98): expected a list such as"),
        ("--optim.betas=[0.9]", "optim.betas=[0.9]: expected tuple with 2 elements"),
        ("--optim.decay_exempt=[foo]", "optim.decay_exempt=foo: expected one of embed, unembed"),
        ("--optim={'lr':1,'foo':1}", "no field 'optim.foo'; did you mean "),
        ("--optim=3", "optim=3: expected some of the fields kind, lr, "),
        ("--model={'norm':'foo'}", f"model.norm=foo is unknown; allowed: {NORMS}"),
        ("--measures.task=3", "measures.task=3: expected some of the fields enabled, schedule"),
        ("--measures.norm.schedule.every=-1", "schedule.every=-1 is negative"),
        ("--device=tpu", "device=tpu: expected one of auto, cpu, cuda"),
    ],
)
def test_a_bad_flag_is_one_line_that_names_key_value_and_what_is_allowed(
    flags: str, expected: str
) -> None:
    assert complaint("progress_measures/modular_addition", *flags.split()).startswith(expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("foo: 1", "no field 'foo'; see grok train --help"),
        ("data: {q: 7}", "no field 'data.q'; did you mean data.p "),
        ("data: 7", "data=7: expected some of the fields operation, p, group, "),
        ("measures: {task: {schedule: 3}}", "measures.task.schedule=3: expected some of the field"),
        ("tracking: offline", "tracking=offline: expected some of the fields mode, project, "),
        ("optim: {lr: abc}", "optim.lr=abc: expected a number"),
        ("optim: {lr: yes}", "optim.lr=True: expected a number"),
        ("n_steps: 1e3", "n_steps=1000.0: expected a whole number"),
        ("n_steps:", "n_steps=null: expected a value, or leave the field out"),
        ("data: {p: }", "data.p=null: expected a value, or leave the field out"),
        ("seed: true", "seed=True: expected a whole number, 0 or more"),
        ("seed: [1]", "seed=[1]: expected a whole number, 0 or more"),
        ("model: {norm: {q: 1}}", "model.norm.q=1: expected true or false"),
        ("model: {norm: on}", f"model.norm=True is unknown; allowed: {NORMS}"),
        ("model: {norm: 3}", f"model.norm=3 is unknown; allowed: {NORMS}"),
        ("1: 2", "Key must be a string, got: 1"),
    ],
)
def test_a_bad_value_in_a_file_is_one_line_that_names_it(
    text: str, expected: str, write: Callable[[str], str]
) -> None:
    assert complaint(write(text)).startswith(expected)


@pytest.mark.parametrize("text", ["[1, 2]", "layernorm", "3"])
def test_a_file_that_is_no_mapping_is_refused_by_its_name(
    text: str, write: Callable[[str], str]
) -> None:
    path = write(text)
    assert complaint(path) == f"{path} is not a mapping of fields to values"


@pytest.mark.parametrize("text", ["a: [", "a: b: c", "\t- x", "{'a': 1"])
def test_a_file_that_is_no_yaml_is_refused_by_name_and_line(
    text: str, write: Callable[[str], str]
) -> None:
    path = write(text)
    message = complaint(path)
    assert message.startswith(f"{path}: ")
    assert "line 1" in message or "line 2" in message


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_bytes(b"\xff\xfe\x00")
    assert complaint(str(tmp_path / "x.yaml")).startswith(f"{tmp_path / 'x.yaml'}: ")


def test_an_absent_file_is_refused() -> None:
    assert complaint("nothing.yaml") == "no such file: nothing.yaml"


def test_an_empty_file_and_empty_sections_are_the_default_run(write: Callable[[str], str]) -> None:
    assert parse_run(write("")) == parse_run(write("data:\nmodel:\ntracking:\n"))
    assert run_key(parse_run(write(""))) == run_key(RunConfig())


# Norms by their published names.

# Which paths pass through a norm: dossier on inductive bias, section 2.
PLACEMENT_TABLE = {
    ("No LN", "off", "none"): "",
    ("A*", "attn-pre", "attn"): "q k v",
    ("M+A*", "pre", "pre_ln"): "q k v mlp",
    ("M", "mlp-pre", "mlp"): "mlp",
    ("A^qk", "attn-pre-qk", "qk"): "q k",
    ("A^v", "attn-pre-v", "v"): "v",
    ("M+A^v", "pre-v", "pre_v"): "v mlp",
    ("post", "post_ln"): "post",
    ("peri",): "q k v mlp peri",
    ("sublayer", "sublayer_ln"): "peri",
    ("qk_norm",): "qk_proj",
    ("mlp-inpnorm",): "mlp",
    ("pre_ln_final",): "q k v mlp final",
}
PLACEMENTS = [(name, flags) for names, flags in PLACEMENT_TABLE.items() for name in names]


@pytest.mark.parametrize(("name", "flags"), PLACEMENTS)
def test_a_published_name_normalises_the_published_paths(
    name: str, flags: str, write: Callable[[str], str]
) -> None:
    expected = tuple(flag in flags.split() for flag in FLAGS)
    quoted = yaml.safe_dump({"model": {"norm": name}})
    for config in (
        parse_run("layernorm", [f"--model.norm={name}"]),
        parse_run("layernorm", ["--model.norm", name]),
        parse_run("layernorm", [f"--model={{'norm': '{name}'}}"]),
        parse_run(write(quoted)),
    ):
        assert config.model.norm.flags == expected


def test_every_name_of_a_norm_is_in_the_table() -> None:
    assert {name for name, _ in PLACEMENTS} == set(NORM_NAMES)


@pytest.mark.parametrize("text", ["off", "'off'", "false", "none", "No LN"])
def test_off_is_a_name_although_yaml_reads_it_as_false(
    text: str, write: Callable[[str], str]
) -> None:
    config = parse_run(write(f"model: {{norm: {text}}}"))
    assert config.model.norm == NormConfig()


def test_a_name_leaves_the_other_fields_of_the_norm_alone() -> None:
    assert parse_run("layernorm").model.norm.eps == 0.0
    config = parse_run("layernorm", ["--model.norm.kind=rms", "--model.norm=A*"])
    assert config.model.norm == norm_config("A*", eps=0.0, kind="rms")


def test_the_probe_norm_is_a_division_by_the_length_and_nothing_else() -> None:
    norm = parse_run("weight_decay", ["--model.norm=mlp-inpnorm"]).model.norm
    assert (norm.kind, norm.affine, norm.eps) == ("l2", "none", 0.0)


# Sources of values.


def seeds(config: RunConfig) -> tuple[int, int, int]:
    """Split, initialisation and order."""
    return config.data.split_seed, config.model.init_seed, config.data.order_seed


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ((), (0, 0, 0)),
        (("--seed=3",), (3, 3, 3)),
        (("--seed", "3"), (3, 3, 3)),
        (("--seed=3", "--data.split_seed=1"), (1, 3, 3)),
        (("--data.split_seed=1", "--seed=3"), (1, 3, 3)),
        (("--model.init_seed=2", "--seed=3", "--data.order_seed=4"), (3, 2, 4)),
    ],
)
def test_one_seed_sets_three_and_an_explicit_one_wins(
    flags: tuple[str, ...], expected: tuple[int, int, int]
) -> None:
    assert seeds(parse_run("layernorm", flags)) == expected


def test_a_seed_in_a_file_sets_three_and_flags_win(write: Callable[[str], str]) -> None:
    path = write("seed: 5\ndata: {split_seed: 1}")
    assert seeds(parse_run(path)) == (1, 5, 5)
    assert seeds(parse_run(path, ["--seed=7"])) == (7, 7, 7)
    assert seeds(parse_run(path, ["--model.init_seed=7"])) == (1, 7, 5)


def test_with_seed_is_the_flag() -> None:
    config = parse_run("layernorm")
    assert with_seed(config, 3) == parse_run("layernorm", ["--seed=3"])


def test_flags_of_other_programs_survive() -> None:
    assert parse_run("layernorm", ["--_wandb={'x': 1}"]) == parse_run("layernorm")


def test_nested_sweep_parameters_are_merged_into_their_section() -> None:
    config = parse_run("learning_rate", ["--optim={'lr': 0.5}", "--optim.warmup=7"])
    other = parse_run("learning_rate", ["--optim.warmup=7", "--optim={'lr': 0.5}"])
    assert config == other
    assert (config.optim.lr, config.optim.warmup) == (0.5, 7)
    assert config.optim.hold == "eta_lambda"  # of the experiment


@pytest.mark.parametrize("text", ["1e-3", "1.0e-3", "0.001", "1E-3"])
def test_a_power_of_ten_is_a_number_in_files_and_flags(
    text: str, write: Callable[[str], str]
) -> None:
    assert parse_run(write(f"optim: {{lr: {text}}}")).optim.lr == 1e-3
    assert parse_run("learning_rate", [f"--optim.lr={text}"]).optim.lr == 1e-3


def test_lists_are_tuples(write: Callable[[str], str]) -> None:
    text = "optim: {betas: [0.9, 0.999], decay_exempt: [bias, norm]}"
    config = parse_run(write(text), ["--tracking.tags=[a,b]"])
    assert config.optim.betas == (0.9, 0.999)
    assert config.optim.decay_exempt == ("bias", "norm")
    assert config.tracking.tags == ("a", "b")


def test_the_group_is_the_experiment_unless_said_otherwise() -> None:
    assert parse_run("layernorm").tracking.group == "inductive_bias/layernorm"
    assert parse_run("layernorm", ["--tracking.group=g"]).tracking.group == "g"


# Experiments.


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory of one's own."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def put_experiment(directory: Path, name: str, text: str = "n_steps: 7\n") -> None:
    path = directory / "configs" / f"{name}.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"# Title of {name}.\n{text}")


def test_shipped_experiments_are_found_from_anywhere(elsewhere: Path) -> None:
    assert {"layernorm", "modular_addition"} <= {e.name for e in experiments()}
    assert parse_run("layernorm").model.norm.name == "mlp"


def test_experiments_of_the_working_directory_come_first(elsewhere: Path) -> None:
    put_experiment(elsewhere, "inductive_bias/layernorm")
    put_experiment(elsewhere, "mine/new")
    assert parse_run("layernorm").n_steps == 7
    assert parse_run("new").n_steps == 7
    assert find_experiment("new").title == "Title of mine/new."
    assert len(experiments()) == len({(e.paper, e.name) for e in experiments()})


def test_a_name_may_say_its_paper_either_way() -> None:
    expected = find_experiment("layernorm")
    assert find_experiment("inductive_bias/layernorm") == expected
    assert find_experiment("inductive-bias/layernorm") == expected


def test_an_ambiguous_name_lists_both(elsewhere: Path) -> None:
    put_experiment(elsewhere, "one/same")
    put_experiment(elsewhere, "two/same", "n_steps: 9\n")
    assert complaint("same") == "'same' is ambiguous; say one/same or two/same"
    assert parse_run("two/same").n_steps == 9


@pytest.mark.parametrize("name", ["nothing", "norm_growth/layernorm", ""])
def test_an_unknown_name_lists_what_there_is(name: str) -> None:
    message = complaint(name)
    assert message.startswith(f"no experiment named {name!r}; there are: ")
    assert " layernorm, " in message
    assert "modular_addition" in message


# Plain values.

SHIPPED = experiments()


@pytest.mark.parametrize("experiment", SHIPPED, ids=lambda e: e.name)
def test_a_shipped_config_survives_plain_values_and_yaml(experiment: Any) -> None:
    config = load_run(experiment.path)
    values = to_dict(config)
    assert from_dict(values) == config
    assert from_dict(yaml.safe_load(yaml.safe_dump(values))) == config
    assert run_key(from_dict(values)) == run_key(config)


def test_fields_that_are_not_given_take_their_default() -> None:
    assert from_dict({"optim": {"lr": 0.5}}) == RunConfig(optim=OptimConfig(lr=0.5))


@pytest.mark.parametrize(
    ("values", "names"), [({"foo": 1}, "foo"), ({"model": {"norm": {"z": 1}}}, r"model\.norm\.z")]
)
def test_unknown_plain_values_are_refused(values: dict[str, Any], names: str) -> None:
    with pytest.raises(ValueError, match=f"^unknown key {names}; allowed: "):
        from_dict(values)


def test_dotted_keys_are_the_flags() -> None:
    assert flatten({"a": {"b": 1, "c": {"d": 2}}, "e": [3]}) == {"a.b": 1, "a.c.d": 2, "e": [3]}
    defaults = flatten(to_dict(RunConfig())).items()
    assert parse_run("layernorm", [f"--{leaf}={value}" for leaf, value in defaults]) == RunConfig()


@pytest.mark.parametrize("text", ["[4.1,2.1.1.1]", "['4.1', '2.1.1.1']", "[4.1, '2.1.1.1']"])
def test_names_of_irreps_that_look_like_numbers_stay_as_they_are_written(text: str) -> None:
    flags = ["--measures.irrep.enabled=true", f"--measures.irrep.keys={text}"]
    irrep = parse_run("s5_composition", flags).measures.irrep
    assert irrep.key_names == ("4.1", "2.1.1.1")
    with pytest.raises(ConfigError, match=r"measures\.irrep\.keys has 3: allowed are 4\.1, 3\.2, "):
        parse_run("s5_composition", ["--measures.irrep.keys=[4.1,3]"])


def test_every_field_has_help() -> None:
    lines = field_help(RunConfig()).splitlines()
    below = {line.split("=")[0].strip(): text for line, text in pairwise(lines)}
    for leaf in LEAVES:
        assert below[f"--{leaf}"].strip(), leaf
        assert not below[f"--{leaf}"].lstrip().startswith("--"), leaf


# Run keys.


def test_keys_never_change() -> None:
    # Runs are stored under them: a change here orphans everything that was ever trained.
    assert run_key(RunConfig()) == "add113-none-s0-44136fa355"
    assert run_key(parse_run("readout_scale")) == "add113-none-s0-914bf19a73"
    assert run_key(parse_run("layernorm", ["--seed=3", "--model.norm=A*"])) == (
        "add113-attn-s3-e1bafec5e3"
    )


def test_the_same_run_has_one_key_from_whichever_experiment() -> None:
    assert run_key(parse_run("layernorm", ["--model.norm=none"])) == run_key(
        parse_run("weight_decay")
    )
    assert run_key(parse_run("learning_rate")) == run_key(parse_run("weight_decay"))
    assert run_key(parse_run("readout_scale", ["--n_steps=10000"])) == run_key(
        parse_run("weight_decay", ["--model.readout_scale=0.5", "--optim.lr=4.0e-3"])
    )


KEPT = {"layernorm": "mlp-s0-c4c735ade1", "layernorm --model.norm=none": "none-s0-bfab1c1150"}


@pytest.mark.parametrize(("words", "key"), KEPT.items())
def test_keys_of_runs_with_an_exact_epsilon_never_change(words: str, key: str) -> None:
    experiment, *flags = words.split()
    assert run_key(parse_run(experiment, flags)) == f"add113-{key}"


SAME_VALUES = [
    ("optim.weight_decay", 3, 3.0),
    ("optim.weight_decay", 1, 1.0),
    ("optim.weight_decay", -0.0, 0.0),
    ("optim.lr", 1, 1.0),
    ("optim.betas", (0, 0.5), (0.0, 0.5)),
    ("optim.decay_exempt", ("norm", "bias"), ("bias", "norm")),
    ("optim.decay_exempt", ("bias", "bias"), ("bias",)),
    ("model.readout_scale", 2, 2.0),
    ("model.init_seed", 1.0, 1),
    ("model.d_mlp", 64.0, 64),
    ("model.causal", 1, True),
]


@pytest.mark.parametrize(("path", "one", "other"), SAME_VALUES)
def test_a_value_written_in_two_ways_gives_one_key(path: str, one: Any, other: Any) -> None:
    def key(value: Any) -> str:
        config = from_dict(nested(path, other))
        parent, _, name = path.rpartition(".")
        # The constructor's types are checked in tests, and outside of them are not.
        object.__setattr__(at(config, parent), name, value)
        return run_key(config)

    assert key(one) == key(other)


def test_a_fraction_in_the_place_of_a_whole_number_is_not_rounded_into_another_run() -> None:
    halves = from_dict({})
    object.__setattr__(halves.optim, "warmup", 2.5)
    assert run_key(halves) != run_key(RunConfig(optim=OptimConfig(warmup=2)))


OTHER_PARTS = [
    RunConfig(n_steps=7),
    RunConfig(device="cpu", threads=2),
    RunConfig(stop=StopConfig(when="sustained", accuracy=0.5)),
    RunConfig(checkpoint=CheckpointConfig(every=7, seconds=1.0)),
    RunConfig(tracking=TrackingConfig(mode="disabled", project="p", tags=("t",))),
    RunConfig(measures=from_dict({"measures": {"norm": {"enabled": False}}}).measures),
]


@pytest.mark.parametrize("config", OTHER_PARTS, ids=range(len(OTHER_PARTS)))
def test_what_changes_no_parameter_is_not_in_the_key(config: RunConfig) -> None:
    assert config != RunConfig()
    assert run_key(config) == run_key(RunConfig())


# A run on which every field has an effect: a table drawn from a seed, mini-batches, a norm.
SENSITIVE = RunConfig(
    data=DataConfig(operation="random", p=13, batch_size=8),
    model=TransformerConfig(norm=norm_config("A*"), readout_scale=0.5),
    optim=OptimConfig(lr_rule="inverse_square_readout", hold="eta_lambda"),
)
SGD = replace(SENSITIVE, optim=OptimConfig(kind="sgd"))
RMS, L2, CENTRE = (
    with_field(SENSITIVE, "model.norm.kind", kind) for kind in ("rms", "l2", "centre")
)
COMPOSE = RunConfig(data=DataConfig(operation="compose", group="S3"))


IN_KEY = ("data", "model", "optim", "dtype", "matmul_precision")


def in_key(config: Any, prefix: str = "") -> list[str]:
    """Dotted fields of the parts that determine the parameters."""
    found = []
    for field in fields(config):
        value = getattr(config, field.name)
        if not prefix and field.name not in IN_KEY:
            continue
        path = f"{prefix}{field.name}"
        found += in_key(value, f"{path}.") if is_dataclass(value) else [path]
    return found


def alternatives(config: RunConfig, path: str) -> list[Any]:
    """Other legal values of a field."""
    parent, _, name = path.rpartition(".")
    part, value = (at(config, parent) if parent else config), at(config, path)
    hint = get_type_hints(type(part))[name]
    if get_origin(hint) is Literal:
        # Of the operations this one has fields of its own, tested on a run that has it.
        return [v for v in get_args(hint) if v not in (value, "compose")]
    special: dict[str, list[Any]] = {
        "data.group": ["S4", "C6"],
        "data.train_fraction": [0.5],
        "model.n_heads": [2],
        "model.d_model": [64],
        "model.dropout": [0.1],
        "optim.betas": [(0.9, 0.999), (0.8, 0.98)],
        "optim.momentum": [0.9],
        "optim.final_rate": [0.1],
        "optim.embed_weight_decay": [0.5],
        "optim.decay_exempt": [("bias",), ("bias", "norm")],
    }
    if path in special:
        return special[path]
    if isinstance(value, bool):
        return [not value]
    return [value + 1] if isinstance(value, int) else [2 * value + 0.25]


SCHEDULED = replace(
    SENSITIVE,
    optim=OptimConfig(schedule="cosine", flat_steps=5, horizon=99, final_rate=0.5),
)
SCHEDULE = ["optim.flat_steps", "optim.horizon", "optim.final_rate"]
OF_OTHERS = ("data.group", "optim.momentum", "model.positions", "optim.schedule", *SCHEDULE)
"""Fields that have one value on such a run, or no effect there."""
CHANGES = [
    (base, path, value)
    for base, paths in (
        (SENSITIVE, [p for p in in_key(SENSITIVE) if p not in OF_OTHERS]),
        (SGD, ["optim.momentum"]),
        (SCHEDULED, SCHEDULE),
        (L2, ["model.norm.eps"]),
        (RMS, ["model.norm.eps", "model.norm.affine"]),
        (COMPOSE, ["data.group"]),
    )
    for path in paths
    for value in alternatives(base, path)
]


@pytest.mark.parametrize(
    ("base", "path", "value"), CHANGES, ids=[f"{path}={value}" for _, path, value in CHANGES]
)
def test_whatever_changes_parameters_changes_the_key(
    base: RunConfig, path: str, value: Any
) -> None:
    assert run_key(with_field(base, path, value)) != run_key(base)


ATTENTION = RunConfig(model=TransformerConfig(attn_only=True))
FACTORED, ROOT = (
    RunConfig(optim=OptimConfig(kind="adafactor")),
    RunConfig(optim=OptimConfig(schedule="inverse_sqrt")),
)
IRRELEVANT = [
    (ATTENTION, "model.d_mlp", 64),
    (ATTENTION, "model.act", "relu"),
    (ATTENTION, "model.bias_mlp", False),
    (RunConfig(), "data.table_seed", 1),
    (RunConfig(), "data.order_seed", 1),
    (RunConfig(), "model.norm.eps", 0.0),
    (RunConfig(), "model.norm.kind", "rms"),
    (RunConfig(), "model.norm.affine", "none"),
    (RunConfig(), "model.norm.build_unused", True),
    (L2, "model.norm.affine", "none"),
    (CENTRE, "model.norm.affine", "frozen"),
    (CENTRE, "model.norm.eps", 0.0),
    (RunConfig(), "optim.momentum", 0.9),
    (RunConfig(), "optim.reference_lr", 0.5),
    (RunConfig(), "optim.lr_rule", "inverse_square_readout"),
    (RunConfig(), "optim.hold", "eta_lambda"),
    (SGD, "optim.betas", (0.5, 0.5)),
    (SGD, "optim.eps", 0.5),
    (FACTORED, "optim.betas", (0.5, 0.5)),
    (FACTORED, "optim.eps", 0.5),
    (FACTORED, "optim.momentum", 0.5),
    (ROOT, "optim.flat_steps", 1),
    (RunConfig(dtype="float64"), "matmul_precision", "high"),
]


@pytest.mark.parametrize(
    ("base", "path", "value"), IRRELEVANT, ids=[f"{path}={value}" for _, path, value in IRRELEVANT]
)
def test_a_value_without_effect_is_not_in_the_key(base: RunConfig, path: str, value: Any) -> None:
    assert run_key(with_field(base, path, value)) == run_key(base)


@pytest.mark.parametrize("base", [SENSITIVE, COMPOSE])
def test_keys_begin_with_what_a_person_looks_for(base: RunConfig) -> None:
    data = base.data
    table = data.group or f"{data.operation}{data.p}"
    assert run_key(with_seed(base, 3)).startswith(f"{table}-{base.model.norm.name}-s3-")


def test_rates_are_those_after_the_rules() -> None:
    config = parse_run("readout_scale")
    assert config.lr == pytest.approx(4e-3)
    assert config.weight_decay == 1.0
    config = parse_run("learning_rate", ["--optim.lr=5.0e-3"])
    assert config.lr * config.weight_decay == pytest.approx(1e-3)


def test_a_config_survives_outside_the_checkout(elsewhere: Path) -> None:
    shutil.copy(find_experiment("layernorm").path, elsewhere / "copy.yaml")
    copied, shipped = parse_run("copy.yaml"), parse_run("layernorm")
    assert replace(copied, tracking=shipped.tracking) == shipped


# Runs on sequences.

SUMS, SUBSEQUENCES, TRIGRAMS = (
    RunConfig(problem=problem, model=TransformerConfig(causal=True))
    for problem in ("digit_addition", "repeated_subsequence", "skip_trigram")
)
FIXED = replace(SUMS, sequence=SequenceConfig(n_train=700, batch_size=0))
IN_BATCHES = with_field(FIXED, "sequence.batch_size", 100)
SEQUENCE_CHANGES = [
    *[(base, f"sequence.{name}", 99) for base in (SUMS, TRIGRAMS) for name in ("n_test",)],
    *[(base, "sequence.batch_size", 9) for base in (SUMS, SUBSEQUENCES, TRIGRAMS, FIXED)],
    *[(base, "data.order_seed", 9) for base in (SUMS, SUBSEQUENCES, TRIGRAMS, IN_BATCHES)],
    *[(base, "data.split_seed", 9) for base in (SUMS, FIXED)],
    (FIXED, "sequence.n_train", 701),
    (SUMS, "sequence.n_digits", 4),
    (SUBSEQUENCES, "sequence.length", 88),
    (SUBSEQUENCES, "sequence.vocab", 64),
    (SUBSEQUENCES, "sequence.subseq_len", 8),
    (SUBSEQUENCES, "sequence.n_repeats", 2),
    (TRIGRAMS, "sequence.n_queries", 2),
    (TRIGRAMS, "sequence.n_answers", 12),
    (TRIGRAMS, "model.attn_only", True),
]
SEQUENCE_IRRELEVANT = [
    (FIXED, "data.order_seed", 9),
    (SUMS, "data.p", 7),
    (SUMS, "data.operation", "sub"),
    (SUMS, "data.train_fraction", 0.5),
    (SUMS, "data.split", "torch_randperm"),
    (SUMS, "data.table_seed", 9),
    (SUMS, "model.output_equals", False),
    (SUMS, "sequence.vocab", 64),
    (SUMS, "sequence.n_queries", 2),
    (SUBSEQUENCES, "sequence.n_digits", 4),
    (TRIGRAMS, "sequence.n_digits", 4),
    (TRIGRAMS, "sequence.length", 88),
    (RunConfig(), "sequence.n_digits", 4),
    (RunConfig(), "sequence.n_test", 4),
]


def named(cases: list[Any]) -> list[str]:
    return [f"{base.problem} {path}={value}" for base, path, value in cases]


@pytest.mark.parametrize(("base", "path", "value"), SEQUENCE_CHANGES, ids=named(SEQUENCE_CHANGES))
def test_whatever_changes_a_run_on_sequences_changes_its_key(
    base: RunConfig, path: str, value: Any
) -> None:
    assert run_key(with_field(base, path, value)) != run_key(base)


@pytest.mark.parametrize(
    ("base", "path", "value"), SEQUENCE_IRRELEVANT, ids=named(SEQUENCE_IRRELEVANT)
)
def test_what_a_run_on_sequences_does_not_read_is_not_in_its_key(
    base: RunConfig, path: str, value: Any
) -> None:
    assert run_key(with_field(base, path, value)) == run_key(base)


def test_every_field_of_sequences_has_an_effect_on_some_problem() -> None:
    runs = (SUMS, SUBSEQUENCES, TRIGRAMS, replace(SUMS, problem="majority"))
    used = {name for run in runs for name in run.sequence.used_by(run.problem)}
    assert used == {field.name for field in fields(SequenceConfig)}


def test_keys_of_runs_on_sequences_never_change() -> None:
    in_64s = parse_run("digit_addition", ["--sequence.batch_size=64"])
    assert run_key(in_64s) == "digit_addition-none-s0-2a86e73c83"
    assert (
        run_key(parse_run("repeated_subsequence_fixed", ["--seed=3"]))
        == "repeated_subsequence512-none-s3-dab6f59a76"
    )


@pytest.mark.parametrize(
    ("experiment", "flags", "expected"),
    [
        ("skip_trigram", "--model.causal=false", "model.causal=false: problem=skip_trigram predi"),
        ("skip_trigram", "--data.batch_size=9", "data.batch_size=9 is of pairs; problem=skip_trig"),
        ("digit_addition", "--sequence.n_digits=18", "sequence.n_digits=18: allowed are 1 to 17"),
        ("digit_addition", "--sequence.n_digit=3", "no field 'sequence.n_digit'; did you mean seq"),
        ("digit_addition", "--sequence.n_train=9", "sequence.batch_size=512: allowed are 0 to 9"),
        ("digit_addition", "--problem=sums", "problem=sums: expected one of pairs, toy, images"),
        (
            "digit_addition",
            "--model.subtract_initial=true",
            "model.subtract_initial=true is of pairs; problem=digit_addition has it not",
        ),
        (
            "digit_addition",
            "--measures.kernel.enabled=true",
            "measures.kernel.enabled=true needs pairs (a, b), which problem=digit_addition has not",
        ),
        (
            "digit_addition",
            "--measures.progress.enabled=true",
            "measures.progress.enabled=true needs pairs (a, b), which problem=digit_addition has",
        ),
        (
            "modular_addition",
            "--model.attn_only=true",
            "measures.progress.enabled=true needs neurons, which model.attn_only=true has not",
        ),
    ],
)
def test_what_sequences_cannot_have_is_one_line(experiment: str, flags: str, expected: str) -> None:
    assert complaint(experiment, *flags.split()).startswith(expected)


def test_a_schedule_is_in_the_key_and_the_number_of_steps_is_not() -> None:
    keys = {run_key(with_field(SCHEDULED, "optim.schedule", kind)) for kind in ("linear", "cosine")}
    keys |= {run_key(SENSITIVE), run_key(ROOT), run_key(FACTORED)}
    assert len(keys) == 5
    assert run_key(replace(SCHEDULED, n_steps=7)) == run_key(SCHEDULED)
