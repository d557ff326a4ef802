"""Where experiments are: ``configs/<paper>/<experiment>.yaml``, found by name."""

from pathlib import Path
from typing import NamedTuple

from grok.inputs import InputError


class Experiment(NamedTuple):
    """One YAML file of a run."""

    paper: str
    name: str
    path: Path

    @property
    def title(self) -> str:
        """First line of the file's head comment."""
        first = self.path.read_text(encoding="utf-8").partition("\n")[0]
        return first.lstrip("# ").rstrip()


def _roots(kind: str) -> list[Path]:
    """Folders that may hold configs or sweeps, nearest first."""
    package = Path(__file__).parents[1]
    return [Path.cwd() / kind, package.parent / kind, package / "share" / kind]


def experiments(kind: str = "configs") -> list[Experiment]:
    """Every experiment (or sweep file), sorted; the working directory's come before the package's.

    Args:
        kind: ``configs`` or ``sweeps``.
    """
    found: dict[tuple[str, str], Experiment] = {}
    for root in _roots(kind):
        for path in sorted(root.glob("*/*.yaml")):
            found.setdefault(
                (path.parent.name, path.stem), Experiment(path.parent.name, path.stem, path)
            )
    return [found[key] for key in sorted(found)]


def find_experiment(name: str, kind: str = "configs") -> Experiment:
    """The experiment called ``name``, ``paper/name``, or the YAML file at that path.

    Args:
        name: What is looked for.
        kind: ``configs``, or ``sweeps`` for a sweep file.

    Raises:
        InputError: If there is none or more than one; the message lists what there is.
    """
    path = Path(name)
    if path.suffix in (".yaml", ".yml"):
        if not path.is_file():
            raise InputError(f"no such file: {name}")
        return Experiment(path.resolve().parent.name, path.stem, path)
    what, matches = "sweep" if kind == "sweeps" else "experiment", named(name, kind)
    if not matches:
        names = ", ".join(e.name for e in experiments(kind)) or f"none (no {kind} folder was found)"
        raise InputError(f"no {what} named {name!r}; there are: {names}")
    if len(matches) > 1:
        names = " or ".join(f"{e.paper}/{e.name}" for e in matches)
        raise InputError(f"{name!r} is ambiguous; say {names}")
    return matches[0]


def named(name: str, kind: str) -> list[Experiment]:
    """Those that are called ``name`` or ``paper/name``, of every paper."""
    paper, _, last = name.rpartition("/")
    paper = paper.replace("-", "_")
    return [e for e in experiments(kind) if e.name == last and paper in ("", e.paper)]
