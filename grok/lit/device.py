"""Where a run is trained."""

import torch

from grok.inputs import InputError


def pick_device(name: str) -> torch.device:
    """The device a config asks for; ``auto`` is CUDA where there is one.

    Raises:
        InputError: If CUDA is asked for and absent.
    """
    if name == "cuda" and not torch.cuda.is_available():
        raise InputError("device=cuda: no CUDA device was found; allowed here: auto, cpu")
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(name)
