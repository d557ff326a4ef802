"""``make bench``: speed and memory as ratios with targets.

``make bench ARGS='folded-vs-full memory'`` runs some cases; ``--json FILE`` keeps the figures.
Exits 1 when a target is missed. Leave the machine alone while it runs.
"""

import argparse
import sys
from pathlib import Path

import torch

from tests.bench.cases import CASES


def main() -> int:
    """Run the cases asked for."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("cases", nargs="*", help=f"of {', '.join(CASES)}; default all")
    parser.add_argument("--json", type=Path, help="write one JSON object per figure to this file")
    options = parser.parse_args()
    if unknown := set(options.cases) - set(CASES):
        parser.error(f"no case {', '.join(sorted(unknown))}; there are: {', '.join(CASES)}")
    torch.set_flush_denormal(True)
    torch.set_num_threads(1)
    results = []
    for name in options.cases or CASES:
        print(f"{name} ...", file=sys.stderr, flush=True)
        for case in CASES[name]:
            for result in case():
                results.append(result)
                print(result.line(), flush=True)
    if options.json:
        options.json.write_text("".join(result.json() + "\n" for result in results))
    missed = sum(not result.ok for result in results)
    print(f"{len(results) - missed} of {len(results)} targets met")
    return int(missed > 0)


if __name__ == "__main__":
    sys.exit(main())
