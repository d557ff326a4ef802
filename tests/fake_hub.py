"""A hub of Hugging Face that is a few folders, and the cache of its library."""

import json
import shutil
from collections.abc import Mapping, Sequence
from fnmatch import fnmatch
from hashlib import sha1
from pathlib import Path
from types import SimpleNamespace as Namespace
from typing import Any

import huggingface_hub
import pytest

NOWHERE = "http://127.0.0.1:9"
"""An address at which nobody answers."""


def commit_of(folder: Path) -> str:
    """The commit whose content a folder is."""
    return sha1(str(folder).encode()).hexdigest()


def empty_cache(folder: Path, patch: pytest.MonkeyPatch) -> Path:
    """A cache of the library, and no hub to be reached."""
    folder.mkdir()
    for module in ("constants", "utils._cache_manager"):
        patch.setattr(f"huggingface_hub.{module}.HF_HUB_CACHE", str(folder))
    patch.setattr("huggingface_hub.constants.ENDPOINT", NOWHERE)
    return folder


def put(
    cache: Path, repo: str, branch: str, content: Path, patterns: Sequence[str] = ("*",)
) -> Path:
    """A branch in the cache, as the library puts it there with the list of what the hub has."""
    place, commit = cache / f"models--{repo.replace('/', '--')}", commit_of(content)
    snapshot = place / "snapshots" / commit
    for folder in (snapshot, place / "blobs", place / "refs", place / "trees"):
        folder.mkdir(parents=True, exist_ok=True)
    names = [file.name for file in content.iterdir()]
    for name in names:
        if any(fnmatch(name, pattern) for pattern in patterns):
            blob = place / "blobs" / sha1(f"{commit} {name}".encode()).hexdigest()
            shutil.copy(content / name, blob)
            (snapshot / name).unlink(missing_ok=True)
            (snapshot / name).symlink_to(Path("../../blobs") / blob.name)
    (place / "refs" / branch).write_text(commit)
    files = {name: {"size": 1, "blob_id": "0"} for name in names}
    listing = {"format_version": 1, "files": files}
    (place / "trees" / f"{commit}.json").write_text(json.dumps(listing))
    return snapshot


class FakeHub:
    """Repositories with branches, each a folder; what is asked of the network is answered here.

    Args:
        repos: Folder of each branch, by repository.
        cache: Of :func:`empty_cache`.
        patch: Undoes it.
    """

    def __init__(
        self, repos: Mapping[str, Mapping[str, Path]], cache: Path, patch: pytest.MonkeyPatch
    ) -> None:
        self.repos, self.cache, self.downloads = repos, cache, []
        self.real = huggingface_hub.snapshot_download
        patch.setattr(huggingface_hub, "HfApi", lambda: self)
        patch.setattr(huggingface_hub, "snapshot_download", self.snapshot_download)

    def list_repo_refs(self, repo: str) -> Any:
        """Branches."""
        if repo not in self.repos:
            raise OSError(f"404 Client Error.\n\nRepository Not Found for {repo}")
        found = self.repos[repo].items()
        branches = [Namespace(name=name, target_commit=commit_of(path)) for name, path in found]
        return Namespace(branches=branches)

    def list_models(self, *, author: str, search: str, full: bool) -> Any:
        """Repositories of an owner, with their commits if asked in full."""
        found = [r for r in self.repos if r.startswith(f"{author}/") and search in r]
        return [Namespace(id=r, sha=commit_of(self.repos[r]["main"]) if full else None)
                for r in found]  # fmt: skip

    def model_info(self, repo: str, *, revision: str | None) -> Any:
        """Files."""
        folder = self.repos[repo][revision or "main"]
        return Namespace(siblings=[Namespace(rfilename=file.name) for file in folder.iterdir()])

    def snapshot_download(
        self,
        repo: str,
        *,
        revision: str | None,
        allow_patterns: Sequence[str],
        local_files_only: bool = False,
        local_dir: str | None = None,
    ) -> str:
        """From the cache by the library itself, else copied."""
        if local_files_only:
            options = {"local_files_only": True, "allow_patterns": allow_patterns}
            return self.real(repo, revision=revision, **options)
        content = self.repos[repo][revision or "main"]
        self.downloads.append((repo, revision))
        if local_dir is None:
            return str(put(self.cache, repo, revision or "main", content, allow_patterns))
        for file in content.iterdir():
            if any(fnmatch(file.name, pattern) for pattern in allow_patterns):
                shutil.copy(file, local_dir)
        return local_dir
