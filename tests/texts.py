"""Runs on texts for the tests, and a small text in a folder."""

from pathlib import Path
from typing import Any

from grok.config import RunConfig, TrackingConfig
from grok.data.text_config import TextConfig
from grok.data.text_files import settled
from grok.models.config import NormConfig, TransformerConfig, norm_fields
from tests.builders import changed

VALID = """
 = The cat =

 the cat sat on the mat and the dog sat on the cat .
 the mat was red .

 = = The dog = =

 the dog <unk> the cat and the cat <unk> the dog , and so on and on and on .
"""
TEST = """
 = The end =

 the cat sat on the dog .
 a bird sang .
"""


def text_folder(folder: Path, **parts: str) -> Path:
    """A folder with the parts valid and test, or others."""
    folder.mkdir(parents=True, exist_ok=True)
    for part, text in ({"valid": VALID, "test": TEST} | parts).items():
        (folder / f"{part}.txt").write_text(text, encoding="utf-8")
    return folder


def language_run(folder: Path, norm: str = "sublayer_ln", **overrides: Any) -> RunConfig:
    """A tiny language model of the text in a folder, with some fields replaced."""
    small: dict[str, Any] = {"vocab": 8, "length": 5, "batch_size": 2, "n_read": 4}
    names = TextConfig.__dataclass_fields__
    small |= {name: overrides.pop(name) for name in list(overrides) if name in names}
    model = TransformerConfig(
        n_layers=2,
        d_model=8,
        n_heads=2,
        d_mlp=12,
        act="relu",
        causal=True,
        init="torch",
        norm=NormConfig(**norm_fields(norm)),
    )
    config = RunConfig(
        problem="language",
        model=model,
        text=settled(TextConfig(directory=str(folder), **small)),
        dtype="float64",
        tracking=TrackingConfig(mode="disabled"),
    )
    return changed(config, **overrides)
