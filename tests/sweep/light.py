"""A run of a sweep without a network: notes that it ran and tells the server how it ended."""

import json
import os
import sys
from pathlib import Path
from urllib.request import Request, urlopen

_URL = os.environ["WANDB_BASE_URL"]
_RUN = os.environ["WANDB_RUN_ID"]


def _post(path: str, body: object) -> None:
    urlopen(Request(f"{_URL}/{path}", json.dumps(body).encode()), timeout=30).close()


def main() -> int:
    """``light.py FILE --code=C``: appends a line, tells a loss of C and exits with C modulo 10."""
    number = float(sys.argv[2].removeprefix("--code="))
    code = int(number) % 10
    with Path(sys.argv[1]).open("a") as out:
        out.write(f"{sys.argv[2]}\n")
    variables = {"name": _RUN, "config": json.dumps({"code": {"value": code}})}
    _post("graphql", {"query": "mutation UpsertBucket(", "variables": variables})
    history = {"offset": 0, "content": [json.dumps({"step": 1, "loss/test": number})]}
    files = {"wandb-history.jsonl": history}
    end = {"files": files, "complete": True, "exitcode": code}
    _post(f"files/local/grok/{_RUN}/file_stream", end)
    return code


if __name__ == "__main__":
    sys.exit(main())
