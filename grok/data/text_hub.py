"""WikiText-2 from the Hugging Face hub, where it is asked for.

The files are Parquet, a row to a line of the text; the cache of ``huggingface_hub`` keeps them.
"""

from functools import cache
from pathlib import Path
from typing import Any, Literal

from grok.data.hugging_face import hub_library, in_one_line
from grok.inputs import InputError

Part = Literal["train", "valid", "test"]

REPO, CONFIG = "Salesforce/wikitext", "wikitext-2-v1"
"""Data set, and its configuration with the words that are rare replaced by <unk>."""
SPLITS: dict[Part, str] = {"train": "train", "valid": "validation", "test": "test"}
INSTEAD = (
    "or put WikiText-2's word-tokenised test.txt and train.txt or valid.txt into a folder and name "
    "it in text.directory, with text.source=folder"
)
"""What to do where the hub is of no help."""


@cache
def hub_part(part: Part) -> Path:
    """The file of a part in the cache of the hub's library, downloaded if it is not there.

    Raises:
        InputError: In one line, if the library is not installed, the hub cannot be reached, or it
            has not one file of that part.
    """
    hub = hub_library(INSTEAD)
    try:
        listed = hub.HfApi().list_repo_files(REPO, repo_type="dataset")
        names = [name for name in listed if name.startswith(f"{CONFIG}/{SPLITS[part]}-")]
        if len(names) != 1:
            raise InputError(f"{REPO} has {len(names)} files of {CONFIG}, {SPLITS[part]}, not 1")
        return Path(hub.hf_hub_download(REPO, names[0], repo_type="dataset"))
    except InputError:
        raise
    except Exception as error:
        return _cached(hub, part, error)


def _cached(hub: Any, part: Part, error: Exception) -> Path:
    """What an earlier call downloaded, for a machine that has lost its network."""
    name = f"{CONFIG}/{SPLITS[part]}-00000-of-00001.parquet"
    found = hub.try_to_load_from_cache(REPO, name, repo_type="dataset")
    if isinstance(found, str):
        return Path(found)
    raise InputError(f"{REPO}: {in_one_line(error)}: join a network, {INSTEAD}") from error


def parquet_lines(path: Path) -> bytes:
    """The text of a Parquet file, whose rows are its lines.

    Args:
        path: A file with a column ``text``.

    Returns:
        UTF-8, a newline at the end of each row that has none.

    Raises:
        InputError: If it is no such file; in one line.
    """
    import polars as pl

    try:
        lines = pl.read_parquet(path, columns=["text"])["text"].cast(pl.String).to_list()
        return "".join(x if x.endswith("\n") else f"{x}\n" for x in lines).encode()
    except Exception as error:  # of the decoder, some of them no Exception of polars'
        raise InputError(f"{path}: is no Parquet file with a column text") from error
