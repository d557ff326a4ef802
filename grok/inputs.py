"""What a user may hand in: the error for what cannot be used, and the check of named choices."""

from collections.abc import Collection
from functools import cache
from typing import Any, Literal, get_args, get_origin, get_type_hints


class InputError(ValueError):
    """Something that the user asked for and that cannot be. The message is one line."""


def find_paper(name: str, papers: Collection[str], what: str) -> str:
    """The paper that a user names, with ``-`` or ``_``.

    Args:
        name: As typed.
        papers: Those there are.
        what: What is asked for of it, in the plural.

    Raises:
        InputError: If there is no such paper; lists those there are.
    """
    found = name.replace("_", "-")
    if found not in papers:
        raise InputError(f"no {what} of a paper {name!r}; there are: {', '.join(papers)}")
    return found


def check_choices(config: Any, section: str = "") -> None:
    """Refuse a value that is none of those its annotation lists.

    The command line's parser knows the annotations; this is for configs made in Python or read
    from a file.

    Args:
        config: A dataclass; fields annotated ``Literal`` or ``tuple[Literal, ...]`` are looked at.
        section: What stands before the field in its flag, such as ``optim.``.

    Raises:
        ValueError: In one line that names the key, its value and what is allowed.
    """
    for name, (allowed, is_tuple) in _choices(type(config)).items():
        value = getattr(config, name)
        several = is_tuple and isinstance(value, tuple)
        for each in value if several else (value,):
            # A lone string in a tuple's place would be read letter by letter.
            if each not in allowed or (is_tuple and not several):
                listed = ", ".join(allowed)
                kind = "tuples of " if is_tuple else ""
                raise ValueError(f"{section}{name}={each!r}: allowed are {kind}{listed}")


@cache
def _choices(kind: type) -> dict[str, tuple[tuple[str, ...], bool]]:
    """For each field of a class that lists its values: these, and whether it takes several."""
    found = {}
    for name, hint in get_type_hints(kind).items():
        is_tuple = get_origin(hint) is tuple
        inner = get_args(hint)[0] if is_tuple else hint
        if get_origin(inner) is Literal:
            found[name] = (get_args(inner), is_tuple)
    return found
