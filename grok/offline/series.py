"""Checkpoints of one run in the order of their steps, wherever they lie."""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from grok.data.hugging_face import PREFIX
from grok.formats.hub import branches, fetched, repositories
from grok.formats.tensors import SUFFIXES, Tensors, open_tensors
from grok.inputs import InputError
from grok.offline.layouts import expression

PATTERN = r"(?:step|checkpoint)[=_-]?(\d+)"
"""Names of revisions: ``step_1000``, ``checkpoint-500``, ``epoch=3-step=2000.ckpt``."""
_BARE = r"^(\d+)(?:\.\w+)*$"
"""Names that are nothing but the step, as those of our own checkpoints."""
_FIELD = "{step}"

Load = Callable[[], AbstractContextManager[Tensors]]
"""Opens the tensors of a revision; they are gone when the context ends, unless read before."""


class Revision(NamedTuple):
    """A checkpoint of a series."""

    step: int
    name: str
    """Folder, file, branch or repository."""
    stamp: str
    """Is another when the content is another: size and time, or the commit."""
    load: Load


class Problem(NamedTuple):
    """What keeps a revision from being analysed."""

    name: str
    text: str


@dataclass(frozen=True)
class CheckpointSeries:
    """The checkpoints of one run. Iterating gives step and loader, steps ascending.

    >>> for step, load in series:
    ...     with load() as tensors:
    ...         tensors["shared.weight"]
    """

    name: str
    revisions: Sequence[Revision]
    problems: Sequence[Problem] = field(default=())
    """Revisions that are missing, or more than one of a step; the latter are all left out."""

    def __iter__(self) -> Iterator[tuple[int, Load]]:
        return ((revision.step, revision.load) for revision in self.revisions)

    def __len__(self) -> int:
        return len(self.revisions)


def series_of(
    source: str,
    *,
    pattern: str = "",
    steps: Sequence[int] = (),
    local_files_only: bool = False,
    keep: bool = False,
) -> CheckpointSeries:
    """The series behind a name.

    Args:
        source: A folder whose entries are checkpoints, folders of Hugging Face or files; a run of
            ours; ``hf:OWNER/NAME``, whose branches are; or ``hf:OWNER/NAME{step}...``, whose
            repositories are.
        pattern: Regular expression found in the names of entries or branches, with one group, the
            step; the default is :data:`PATTERN`, or bare numbers where that finds none. A step that
            a ``k`` follows counts thousands.
        steps: The steps that are wanted; none for all there are.
        local_files_only: Take from the hub what its cache has, and nothing else.
        keep: Leave what is downloaded in the cache.

    Returns:
        The series. A step that is wanted and not there is a problem; without ``steps`` it is one
        where three quarters of the checkpoints or more are equally far apart, and others are twice
        that or another multiple, unless more than half would be missing.

    Raises:
        InputError: If there is no such place or nothing in it has the name of a checkpoint.
    """
    options = {"local_files_only": local_files_only, "keep": keep}
    if not source.startswith(PREFIX):
        entries, loader = _entries(Path(source)), _local
    elif _FIELD in source:
        return _of_repositories(source, pattern, steps, options)
    else:
        repo = source.removeprefix(PREFIX)
        found = branches(repo, local_files_only=local_files_only)
        entries = {name: _Entry(commit, repo, name) for name, commit in found.items()}
        loader = _remote(options)
    numbered = _numbered(entries, pattern, source)
    return _series(source, numbered, entries, loader, steps)


class _Entry(NamedTuple):
    stamp: str
    place: str
    revision: str | None = None


def _entries(folder: Path) -> dict[str, _Entry]:
    """What may be a checkpoint in a folder, or in that of a run."""
    if not folder.is_dir():
        raise InputError(f"{folder} is no folder; a series is one, or hf:OWNER/NAME of the hub")
    if (folder / "config.yaml").is_file() and (folder / "checkpoints").is_dir():
        folder = folder / "checkpoints"
    return {
        path.name: _Entry(_stamp(path), str(path))
        for path in folder.iterdir()
        if not path.name.startswith(".") and (path.is_dir() or path.suffix in SUFFIXES)
    }


def _stamp(path: Path) -> str:
    """Size and time of a file, or of the files in a folder."""
    files = sorted(path.iterdir()) if path.is_dir() else [path]
    stats = [(file.name, file.stat()) for file in files if file.is_file()]
    return " ".join(f"{name}:{stat.st_size}:{stat.st_mtime_ns}" for name, stat in stats)


@contextmanager
def _local(entry: _Entry) -> Iterator[Tensors]:
    yield open_tensors(Path(entry.place))


def _remote(options: Mapping[str, bool]) -> Callable[[_Entry], AbstractContextManager[Tensors]]:
    @contextmanager
    def load(entry: _Entry) -> Iterator[Tensors]:
        commit = entry.stamp or None
        with fetched(entry.place, entry.revision, commit=commit, **options) as folder:
            yield open_tensors(folder)

    return load


def _numbered(names: Mapping[str, _Entry], pattern: str, source: str) -> list[tuple[int, str]]:
    """Steps and names, ascending; names without a step are passed over."""
    patterns = [pattern] if pattern else [PATTERN, _BARE]
    for each in patterns:
        found = [(_step(match), match.string) for match in _found(names, each)]
        if found:
            return sorted(found)
    listed = ", ".join(sorted(names)[:3]) or "nothing"
    raise InputError(f"{source} has {listed}; no name matches {pattern or PATTERN}")


def _found(names: Mapping[str, _Entry], pattern: str) -> list[re.Match[str]]:
    search = expression(pattern, "pattern", 1).search
    return [match for match in map(search, names) if match and _is_number(match[1])]


def _is_number(text: str | None) -> bool:
    return bool(text) and text.isascii() and text.isdigit() and len(text) < 16


def _step(match: re.Match[str]) -> int:
    after = match.string[match.end(1) :]
    is_thousands = re.match(r"[kK](?![a-zA-Z])", after) is not None
    return int(match[1]) * (1000 if is_thousands else 1)


def _series(
    source: str,
    numbered: Sequence[tuple[int, str]],
    entries: Mapping[str, _Entry],
    loader: Callable[[_Entry], AbstractContextManager[Tensors]],
    steps: Sequence[int],
) -> CheckpointSeries:
    """Each step once; the problems by name."""
    count = Counter(step for step, _ in numbered)
    wanted = [(step, name) for step, name in numbered if not steps or step in steps]
    problems = [
        Problem(name, f"is one of {count[step]} of step {step}; none of them is analysed")
        for step, name in wanted
        if count[step] > 1
    ]
    missing = [step for step in steps if step not in count] if steps else _holes(sorted(count))
    problems += [Problem(f"step {step}", "is missing") for step in sorted(missing)]

    def revision(step: int, name: str) -> Revision:
        entry = entries[name]
        return Revision(step, name, entry.stamp, lambda: loader(entry))

    alone = [revision(step, name) for step, name in wanted if count[step] == 1]
    return CheckpointSeries(source, alone, problems)


def _holes(steps: Sequence[int]) -> list[int]:
    """Steps that a series lacks that is otherwise equally spaced."""
    gaps = [after - before for before, after in pairwise(steps)]
    if len(gaps) < 4:
        return []
    usual, n = Counter(gaps).most_common(1)[0]
    if 4 * n < 3 * len(gaps):
        return []
    wide = [pair for pair in pairwise(steps) if (pair[1] - pair[0]) % usual == 0]
    if sum((after - before) // usual - 1 for before, after in wide) > len(steps):
        return []
    return [step for before, after in wide for step in range(before + usual, after, usual)]


def _of_repositories(
    source: str, pattern: str, steps: Sequence[int], options: Mapping[str, bool]
) -> CheckpointSeries:
    """Repositories whose names have a field for the step."""
    owner, slash, name = source.removeprefix(PREFIX).partition("/")
    if not slash or name.count(_FIELD) != 1 or pattern:
        given = f"pattern={pattern} with {source}" if pattern else source
        raise InputError(f"{given}: allowed is hf:OWNER/NAME with {_FIELD} once, and no pattern")
    before, _, after = name.partition(_FIELD)
    found = repositories(owner, before, local_files_only=options["local_files_only"])
    entries = {repo: _Entry(commit, repo) for repo, commit in found.items()}
    named = rf"^{re.escape(f'{owner}/{before}')}(\d+){re.escape(after)}$"
    return _series(source, _numbered(entries, named, source), entries, _remote(options), steps)
