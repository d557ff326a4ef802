"""``grok measure hf:...``."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from grok.cli.common import Parser
from grok.data.hugging_face import PREFIX
from grok.inputs import InputError

DESCRIPTION = """\
Saturation of a transformer of Hugging Face: the cosine of each layer's representations to those of
the same network with all parameters times 1000, and what its heads then attend to. MODEL is a
folder or a repository of the hub. BERT, RoBERTa, XLNet, GPT-2, GPT-NeoX, T5 (encoder and decoder,
which is given the same tokens) and others that give their hidden states. Needs the extra `hub`:
pip install 'grokking-lab[hub]'. No code of a repository is run."""


def hub(arguments: list[str]) -> int:
    """``grok measure hf:...``."""
    options = _options(arguments)
    from grok.lit.status_line import StatusLine
    from grok.offline.hub_model import HubOptions, hub_reading

    chosen = {name: value for name, value in vars(options).items() if value is not None}
    as_json, name = chosen.pop("json"), chosen.pop("model")
    line = StatusLine()
    line.start()

    def tell(done: int, n: int) -> None:
        if n > 1 and line.is_due():
            line.show(f"  {done} / {n} batches")

    try:
        found = hub_reading(name.removeprefix(PREFIX), HubOptions(**chosen), tell).as_dict()
    finally:
        line.end()
    if as_json:
        print(json.dumps(found, allow_nan=False))
        return 0
    from grok.report.hub import print_model

    print_model(found)
    return 0


def _options(arguments: list[str]) -> Any:
    parser = Parser(prog="grok measure hf:MODEL", description=DESCRIPTION)
    add = parser.add_argument
    add("model", help="hf:OWNER/NAME or hf:FOLDER")
    add("--revision", help="branch, tag or commit")
    add("--text", type=Path, help="file whose paragraphs are read (default: random tokens)")
    add("--random_init", "--random-init", action="store_true", help="initial weights instead")
    add("--seed", type=int, help="of initial weights and random tokens (default 0)")
    add("--factor", type=float, help="of the parameters (default 1000)")
    add("--include", help="regular expression: scale only parameters with such names")
    add("--convergence", action="store_true", help="compare with ten times the factor too")
    add("--dtype", choices=("float64", "float32"), help="in which it computes (default float64)")
    add("--n_texts", "--n-texts", type=int, help="texts (default 100; random 16)")
    add("--max_tokens", "--max-tokens", type=int, help="of a text (default 512; random 64)")
    add("--batch_size", "--batch-size", type=int, help="texts at once (default 8)")
    add("--local_files_only", "--local-files-only", action="store_true", help="download nothing")
    add("--json", action="store_true", help="print JSON and nothing else on standard output")
    options = parser.parse_args(arguments)
    if not options.model.startswith(PREFIX):
        raise InputError(f"{options.model}: a model of Hugging Face is {PREFIX}OWNER/NAME, alone")
    return options


def is_hub(arguments: Sequence[str]) -> bool:
    """Whether ``grok measure`` is asked for a model of Hugging Face."""
    return any(each.startswith(PREFIX) for each in arguments)
