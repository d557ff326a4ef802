"""Models in repositories of Hugging Face, and its library of models, imported when it is needed.

``transformers`` and ``huggingface_hub`` are the extra ``hub``. No code of a repository is run, and
no weights are unpickled: they are read by :mod:`grok.formats.tensors`.
"""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from grok.data.hugging_face import PREFIX, hub_library, in_one_line, not_installed
from grok.formats.tensors import weight_files, weights_among
from grok.inputs import InputError

_ABOUT_MODEL = ["*.json", "*.txt", "*.model"]
"""Files beside the weights: configuration and tokenizer."""


def transformers_library() -> Any:
    """The library of models.

    Raises:
        InputError: If it is not installed.
    """
    try:
        import transformers
    except ImportError:
        raise not_installed("transformers") from None
    transformers.logging.set_verbosity_error()  # what is wrong is an error of ours
    transformers.logging.disable_progress_bar()  # as is what is done and left
    return transformers


@contextmanager
def speaking_of(what: str) -> Iterator[None]:
    """Errors of the libraries as one line that says what it is of."""
    try:
        yield
    except InputError:
        raise
    except Exception as error:
        raise InputError(f"{what}: {in_one_line(error)}") from error


def branches(repo: str, *, local_files_only: bool = False) -> dict[str, str]:
    """Branches of a repository with the commit of each.

    Args:
        repo: Its name, ``owner/name``.
        local_files_only: Only what the cache of ``huggingface_hub`` has.

    Raises:
        InputError: If the library is missing, or the hub cannot be reached or has none such.
    """
    hub = hub_library()
    with speaking_of(f"{PREFIX}{repo}"):
        if local_files_only:
            return _cached().get(repo, {})
        return {ref.name: ref.target_commit for ref in hub.HfApi().list_repo_refs(repo).branches}


def repositories(owner: str, beginning: str, *, local_files_only: bool = False) -> dict[str, str]:
    """Repositories of an owner whose names begin so, with the commit of each where it is told.

    Args:
        owner: User or organisation.
        beginning: Beginning of the name after the owner's.
        local_files_only: As for :func:`branches`.

    Raises:
        InputError: As :func:`branches`.
    """
    hub, start = hub_library(), f"{owner}/{beginning}"
    with speaking_of(f"{PREFIX}{start}"):
        if local_files_only:
            found = {repo: refs.get("main", "") for repo, refs in _cached().items()}
        else:
            listed = hub.HfApi().list_models(author=owner, search=beginning, full=True)
            found = {model.id: model.sha or "" for model in listed}
    return {repo: commit for repo, commit in found.items() if repo.startswith(start)}


def _cached() -> dict[str, dict[str, str]]:
    """Branches and commits of the models in the cache, by repository."""
    hub = hub_library()
    try:
        repos = hub.scan_cache_dir().repos
    except hub.CacheNotFound:
        return {}
    return {
        repo.repo_id: {ref: r.commit_hash for r in repo.revisions for ref in r.refs}
        for repo in repos
        if repo.repo_type == "model"
    }


@contextmanager
def fetched(
    repo: str,
    revision: str | None = None,
    *,
    commit: str | None = None,
    local_files_only: bool = False,
    keep: bool = False,
    with_weights: bool = True,
) -> Iterator[Path]:
    """A folder with the files of one revision.

    What the cache of ``huggingface_hub`` has is used from there. What it lacks is downloaded to a
    temporary folder, which is removed in the end, or into the cache.

    Args:
        repo: Repository, ``owner/name``.
        revision: Branch, tag or commit; None is the main branch.
        commit: The one that the revision is known to have: no other is taken from the cache.
        local_files_only: Download nothing.
        keep: Download into the cache.
        with_weights: Whether weights are needed, and not the configuration alone.

    Raises:
        InputError: If the library or the revision is missing, or the hub cannot be reached.
    """
    hub = hub_library()
    hub.utils.disable_progress_bars()  # a status line of ours says where we are
    what = f"{PREFIX}{repo}" + (f" at {revision}" if revision else "")
    with speaking_of(what):
        folder = _in_cache(hub, repo, commit or revision, with_weights)
    if folder is not None:
        yield folder
        return
    if local_files_only:
        raise InputError(f"{what} is not in the cache, and local_files_only allows no download")
    with speaking_of(what):
        listed = hub.HfApi().model_info(repo, revision=revision).siblings or []
        names = [file.rfilename for file in listed]
        wanted = [*_ABOUT_MODEL, *(weights_among(names) if with_weights else [])]
    with tempfile.TemporaryDirectory(prefix="grok-hub-") as temporary:
        place = {} if keep else {"local_dir": temporary}
        with speaking_of(what):
            found = hub.snapshot_download(repo, revision=revision, allow_patterns=wanted, **place)
        yield Path(found)


def _in_cache(hub: Any, repo: str, revision: str | None, with_weights: bool) -> Path | None:
    """The folder of a revision in the cache, if it has what is needed."""
    # Files that we never ask for may be missing there.
    options = {"local_files_only": True, "allow_patterns": _ABOUT_MODEL}
    try:
        folder = Path(hub.snapshot_download(repo, revision=revision, **options))
    except hub.errors.LocalEntryNotFoundError:
        return None
    if not with_weights:
        return folder if (folder / "config.json").is_file() else None
    try:
        weight_files(folder)
    except InputError:  # none of them, or not all of their parts
        return None
    return folder


@contextmanager
def model_folder(
    name: str,
    revision: str | None,
    *,
    local_files_only: bool = False,
    keep: bool = True,
    with_weights: bool = True,
) -> Iterator[Path]:
    """The folder of a model: a local one, or a revision of a repository.

    Args:
        name: Path of a folder, or repository.
        revision: As for :func:`fetched`; a local folder has none.
        local_files_only: As for :func:`fetched`.
        keep: As for :func:`fetched`.
        with_weights: As for :func:`fetched`.

    Raises:
        InputError: As :func:`fetched`; if a local folder is to have a revision.
    """
    if Path(name).is_dir():
        if revision is not None:
            raise InputError(f"revision={revision}: {name} is a local folder, which has none")
        yield Path(name)
        return
    with fetched(
        name,
        revision,
        local_files_only=local_files_only,
        keep=keep,
        with_weights=with_weights,
    ) as folder:
        yield folder
