"""Finds declarations: one file each in a package, looked up by key; doubles are refused at start-up.

What a declaration means is its own package's business.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator
from typing import Generic, Protocol, TypeVar


class Keyed(Protocol):
    """Anything a registry can hold."""

    @property
    def key(self) -> str:
        """The name it is found by."""


T = TypeVar("T", bound=Keyed)


class Registry(Generic[T]):
    """`Registry("kpis.definitions", of=Kpi)` holds every module-level `Kpi` of that package's files."""

    def __init__(self, package: str, *, of: type[T]) -> None:
        self._package, self._of = package, of
        self._found: dict[str, T] | None = None

    def _all(self) -> dict[str, T]:
        if self._found is None:
            found: dict[str, T] = {}
            package = importlib.import_module(self._package)
            for info in sorted(pkgutil.iter_modules(package.__path__), key=lambda i: i.name):
                module = importlib.import_module(f"{self._package}.{info.name}")
                for thing in vars(module).values():
                    if not isinstance(thing, self._of):
                        continue
                    if found.get(thing.key, thing) is not thing:
                        raise RuntimeError(f"{self._package}: two declarations have the key {thing.key!r}")
                    found[thing.key] = thing
            self._found = found
        return self._found

    def __iter__(self) -> Iterator[T]:
        return iter(self._all().values())

    def __getitem__(self, key: str) -> T:
        return self._all()[key]

    def __contains__(self, key: object) -> bool:
        return key in self._all()

    def get(self, key: str) -> T | None:
        """The declaration of this key, or None."""
        return self._all().get(key)

    def keys(self) -> list[str]:
        """All keys, sorted by file name."""
        return list(self._all())
