"""Schema of the text section of a run's configuration.

Imports no tensor library, so that the command line can print its help at once.
"""

import re
from dataclasses import dataclass
from typing import Literal

from grok.data.image_config import joint_sha256
from grok.inputs import check_choices

SMALL_SHA256 = joint_sha256(
    (
        "f0737ed31fc1329026e95cb8b98e19c2a182c39c240ab909dc31abf2f8af58e8",
        "d790b833ef8cf03a90db7bf1271b7520b83c45ce07ba3c1a9699df81e239eca0",
    )
)
"""Of WikiText-2's word-tokenised validation and test part as published, in this order."""


@dataclass(frozen=True, kw_only=True)
class TextConfig:
    """A text and what is read of it; of no effect where ``problem`` is not language.

    Words are what stands between white space; lines that are blank or begin with ``=`` (headings)
    are left out, and each other line is a paragraph. The order of batches is drawn from
    ``data.order_seed``.
    """

    source: Literal["folder", "hub"] = "folder"
    """folder: files of yours, nothing is downloaded; hub: WikiText-2 from the Hugging Face hub,
    once, which needs a network and the extra hub. Where a text is from is not part of a run's
    key."""
    directory: str = ""
    """Folder with the parts of the text; empty is $GROK_DATA/wikitext-2."""
    train_on: Literal["auto", "train", "valid"] = "auto"
    """Part that trains; the part test evaluates. auto is train where it is there, else valid,
    and is settled when the run is named, as is sha256."""
    sha256: str = ""
    """What the two parts must hold; empty is what the folder holds, or WikiText-2's published
    valid and test part where it has none. It is what `sha256sum TRAINING TEST | cut -c-64 |
    sha256sum` prints."""
    mode: Literal["stream", "paragraph"] = "stream"
    """stream: paragraphs one after another, each with <eos> behind it, cut into windows; paragraph:
    one to a row from <bos> to <eos>, cut off at length, padded with <pad> where it is shorter."""
    vocab: int = 1000
    """V: the V - 1 most frequent words of the training part, <unk> among them, are tokens, and
    <unk> is where it is not; every other word is read as <unk>."""
    length: int = 64
    """T: tokens that the network reads of a window or paragraph; it predicts one more."""
    batch_size: int = 16
    """Windows or paragraphs per update."""
    n_read: int = 160
    """Windows or paragraphs of each part on which loss and everything else is read, at equal
    distances; all if there are fewer."""

    def __post_init__(self) -> None:
        """Refuse values that are impossible by themselves.

        Raises:
            ValueError: In one line that names the key, its value and what is allowed.
        """
        check_choices(self, "text.")
        if self.source == "hub" and self.directory:
            raise ValueError(f"text.directory={self.directory} has no effect with text.source=hub")
        for name, least in {"vocab": 2, "length": 1, "batch_size": 1, "n_read": 1}.items():
            if getattr(self, name) < least:
                raise ValueError(f"text.{name}={getattr(self, name)} must be {least} or more")
        if self.sha256 and not re.fullmatch("[0-9a-f]{64}", self.sha256):
            raise ValueError(
                f"text.sha256={self.sha256}: expected 64 hexadecimal digits in lower case"
            )

    @property
    def trained_part(self) -> Literal["train", "valid"]:
        """Part that trains, where nothing has settled it the validation part."""
        return "valid" if self.train_on == "auto" else self.train_on

    @property
    def digest(self) -> str:
        """What the two parts must hold."""
        return self.sha256 or SMALL_SHA256

    @property
    def name(self) -> str:
        """What a run is called by: wikitext2_small trains on the validation part."""
        return "wikitext2_small" if self.digest == SMALL_SHA256 else f"text_{self.trained_part}"
