"""Folders of tiny models of every family: stored and initial weights, random tokens and text."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from grok.formats.hub import transformers_library
from grok.formats.hub_models import random_model, read_config, stored_model
from grok.inputs import InputError
from grok.offline.hub_model import HubOptions, HubReading, hub_reading
from grok.offline.hub_saturation import model_saturation
from grok.offline.hub_tokens import random_tokens
from tests.formats.test_damaged_files import Trap
from tests.hugging import CONFIGS, folder_of, network, word_tokenizer

FAMILIES = list(CONFIGS)
TEXT = """# A heading

the cat sat on the mat and the dog sat on the cat

= another =

the dog

cat
"""


def same(one: HubReading, other: HubReading) -> bool:
    return one.as_dict()["stacks"] == other.as_dict()["stacks"]


@pytest.mark.parametrize("family", FAMILIES)
def test_stored_weights_are_those_that_are_read(family: str, tmp_path: Path) -> None:
    model = network(family).float()
    found = hub_reading(str(folder_of(model, tmp_path)), HubOptions(n_texts=3, max_tokens=9))
    assert (found.kind, found.n_texts, found.n_positions) == (f"{family}Model", 3, 27)
    pad = model.config.pad_token_id
    drawn = random_tokens(61, n_texts=3, length=9, seed=0, but=[] if pad is None else [pad])
    expected = model_saturation(model.double(), [drawn])
    for name, stack in found.stacks.items():
        assert stack.layers == expected[name].layers
        assert len(stack.layers) == 3


@pytest.mark.parametrize("family", FAMILIES)
def test_initial_weights_need_no_stored_ones_and_are_read_without_dropout(
    family: str, tmp_path: Path
) -> None:
    folder_of(network(family), tmp_path)
    (tmp_path / "model.safetensors").unlink()
    state = torch.get_rng_state()
    options = {"random_init": True, "n_texts": 2, "max_tokens": 9}
    found = hub_reading(str(tmp_path), HubOptions(**options))
    assert torch.equal(torch.get_rng_state(), state)
    assert same(found, hub_reading(str(tmp_path), HubOptions(**options)))
    assert not same(found, hub_reading(str(tmp_path), HubOptions(seed=1, **options)))
    for stack in found.stacks.values():
        assert stack.layers[0].mean == pytest.approx(1, abs=1e-6)
        assert all(-1 <= layer.mean <= 1 + 1e-12 for layer in stack.layers)
        assert stack.layers[-1].mean < 0.999


@pytest.mark.parametrize("family", FAMILIES)
def test_a_text_is_read_by_paragraphs(family: str, tmp_path: Path) -> None:
    folder_of(network(family), tmp_path / "model")
    word_tokenizer(tmp_path / "model")
    text = tmp_path / "text.txt"
    text.write_text(TEXT)
    options = {"text": text, "max_tokens": 6}
    found = hub_reading(str(tmp_path / "model"), HubOptions(**options))
    assert (found.n_texts, found.n_positions) == (3, 6 + 2 + 1)
    assert found.tokens == f"paragraphs of {text}"
    alone = hub_reading(str(tmp_path / "model"), HubOptions(batch_size=1, **options))
    exact = 1e-5 if family == "T5" else 1e-9  # its norms are in float32
    for name, stack in found.stacks.items():
        means = [layer.mean for layer in alone.stacks[name].layers]
        assert [layer.mean for layer in stack.layers] == pytest.approx(means, abs=exact)
    fewer = hub_reading(str(tmp_path / "model"), HubOptions(n_texts=1, **options))
    assert (fewer.n_texts, fewer.n_positions) == (1, 6)


@pytest.mark.parametrize(
    ("family", "most"),
    [("Bert", 40), ("Roberta", 38), ("GPT2", 40), ("GPTNeoX", 40), ("XLNet", 50), ("T5", 50)],
)
def test_a_text_is_cut_where_the_table_of_positions_ends(
    family: str, most: int, tmp_path: Path
) -> None:
    """RoBERTa's first position is the third row of its table; XLNet and T5 have none."""
    folder_of(network(family), tmp_path)
    found = hub_reading(str(tmp_path), HubOptions(n_texts=1, max_tokens=50))
    assert found.n_positions == most


@pytest.mark.parametrize(
    ("family", "ending"),
    [
        ("Bert", "ForMaskedLM"),
        ("GPT2", "LMHeadModel"),
        ("GPTNeoX", "ForCausalLM"),
        ("XLNet", "LMHeadModel"),
        ("T5", "ForConditionalGeneration"),
    ],
)
def test_heads_of_a_task_are_left_out(family: str, ending: str, tmp_path: Path) -> None:
    model = network(family, ending).float()
    base = getattr(model, model.base_model_prefix, None) if family != "T5" else None
    found = hub_reading(str(folder_of(model, tmp_path / "a")), HubOptions(n_texts=2, max_tokens=5))
    assert found.kind == f"{family}Model"
    if base is not None:
        plain = hub_reading(
            str(folder_of(base, tmp_path / "b")), HubOptions(n_texts=2, max_tokens=5)
        )
        assert same(found, plain)


@pytest.mark.parametrize("kind", ["bin", "gamma", "half", "said half"])
def test_weights_are_read_in_every_form(kind: str, tmp_path: Path) -> None:
    model = network("Bert").half().float() if kind == "half" else network("Bert").float()
    expected = hub_reading(str(folder_of(model, tmp_path / "a")), HubOptions(n_texts=2))
    folder = folder_of(model, tmp_path / "b")
    state = {name: x.contiguous() for name, x in model.state_dict().items()}
    (folder / "model.safetensors").unlink()
    if kind == "said half":  # what the configuration says of the numbers is not asked
        config = json.loads((folder / "config.json").read_text())
        (folder / "config.json").write_text(json.dumps(config | {"dtype": "float16"}))
        save_file(state, folder / "model.safetensors")
    elif kind == "bin":
        torch.save(state, folder / "pytorch_model.bin")
    elif kind == "gamma":  # as BERT's first authors called them
        old = {"LayerNorm.weight": "LayerNorm.gamma", "LayerNorm.bias": "LayerNorm.beta"}
        for new, name in old.items():
            state = {n.replace(new, name): x for n, x in state.items()}
        save_file(state, folder / "model.safetensors")
    else:
        save_file({n: x.half() for n, x in state.items()}, folder / "model.safetensors")
    assert same(hub_reading(str(folder), HubOptions(n_texts=2)), expected)


def test_models_are_made_in_eval_mode_and_in_the_type_that_is_asked(tmp_path: Path) -> None:
    folder = folder_of(network("Bert").float(), tmp_path)
    initial = random_model(read_config(folder), dtype=torch.float64, seed=0)
    for model in (initial, stored_model(folder, dtype=torch.float64)):
        assert not model.training
        assert {p.dtype for p in model.parameters()} == {torch.float64}


def damaged(kind: str, folder: Path) -> None:
    """A folder whose weights cannot be used."""
    state = {name: x.contiguous() for name, x in network("GPT2").float().state_dict().items()}
    if kind == "trap":
        (folder / "model.safetensors").unlink()
        torch.save(state | {"x": Trap(folder / "mark")}, folder / "pytorch_model.bin")
    elif kind == "missing":
        del state["h.1.attn.c_attn.weight"]
        save_file(state, folder / "model.safetensors")
    elif kind == "shape":
        state["h.1.attn.c_attn.weight"] = torch.zeros(16, 3)
        save_file(state, folder / "model.safetensors")
    elif kind == "cut":
        (folder / "model.safetensors").write_bytes(b"1234")
    elif kind == "no weights":
        (folder / "model.safetensors").unlink()
    elif kind == "no config":
        (folder / "config.json").unlink()
    elif kind == "code":
        config = json.loads((folder / "config.json").read_text())
        names = {"AutoConfig": "trap.Config", "AutoModel": "trap.Model"}
        config |= {"model_type": "of-nobody", "auto_map": names}
        (folder / "config.json").write_text(json.dumps(config))
        (folder / "trap.py").write_text(f"import os; os.mkdir({str(folder / 'mark')!r})")


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("trap", "which is never run"),
        ("missing", "lacks weights of GPT2Model: h.1.attn.c_attn.weight"),
        ("shape", "h.1.attn.c_attn.weight of GPT2Model has shape (16, 3), not (16, 48)"),
        ("cut", "is a damaged safetensors file"),
        ("no weights", "has no weights"),
        ("no config", "config.json"),
        ("code", ""),
    ],
)
def test_a_folder_that_cannot_be_used_is_one_line(kind: str, message: str, tmp_path: Path) -> None:
    folder_of(network("GPT2").float(), tmp_path)
    damaged(kind, tmp_path)
    with pytest.raises(InputError) as caught:
        hub_reading(str(tmp_path), HubOptions(n_texts=1))
    assert message in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1
    assert not (tmp_path / "mark").exists()


def test_a_model_that_reads_no_tokens_is_one_line(tmp_path: Path) -> None:
    transformers_library().ViTConfig(hidden_size=8).save_pretrained(tmp_path)
    with pytest.raises(InputError, match=r"of the kind vit has no vocabulary"):
        hub_reading(str(tmp_path), HubOptions(random_init=True))


def test_a_tokenizer_that_is_missing_or_of_another_model_is_one_line(tmp_path: Path) -> None:
    folder, text = folder_of(network("GPT2"), tmp_path / "model"), tmp_path / "text.txt"
    text.write_text(TEXT)
    with pytest.raises(InputError, match=r"model has no tokenizer$") as caught:
        hub_reading(str(folder), HubOptions(text=text))
    assert len(str(caught.value).splitlines()) == 1
    word_tokenizer(folder, first=70)
    with pytest.raises(InputError, match=r"^the tokenizer gives token 7., but the model has 61"):
        hub_reading(str(folder), HubOptions(text=text))


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"# only\n\n= headings =\n", "has no paragraph"), (b"\xff\xfe", "is no text in UTF-8")],
)
def test_a_text_that_cannot_be_read_is_one_line(
    content: bytes, message: str, tmp_path: Path
) -> None:
    text = tmp_path / "text.txt"
    text.write_bytes(content)
    for file, said in ((text, message), (tmp_path / "absent", "cannot be read: No such file")):
        with pytest.raises(InputError, match=f"^text={file} {said}"):
            hub_reading(str(folder_of(network("GPT2"), tmp_path / "m")), HubOptions(text=file))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_texts": 0}, "n_texts=0 must be 1 or more"),
        ({"batch_size": 0}, "batch_size=0 must be 1 or more"),
        ({"factor": 0.0}, "factor=0 must be above 0"),
        ({"factor": float("nan")}, "factor=nan must be above 0"),
    ],
)
def test_impossible_options_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        HubOptions(**options)
