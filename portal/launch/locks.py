"""File locks: one starter at a time, and who still uses a server.

Locks end with the process that holds them, also after kill -9; nothing here has to be cleaned up.
"""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from portal.launch.errors import LaunchError


def _open(path: Path) -> int:
    path.parent.mkdir(parents=True, exist_ok=True)
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


@contextmanager
def file_lock(path: Path, *, timeout: float = 120.0) -> Iterator[None]:
    """Hold `path` exclusively; raises LaunchError when another process keeps it for `timeout` seconds."""
    descriptor = _open(path)
    try:
        deadline = time.monotonic() + timeout
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise LaunchError(f"Another process has been holding {path} for {timeout:.0f} s.") from None
                time.sleep(0.05)
        yield
    finally:
        os.close(descriptor)


class UseLock:
    """A shared lock held while a process uses a server: the last one to leave may stop it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None

    def acquire(self) -> None:
        if self._descriptor is None:
            self._descriptor = _open(self._path)
            fcntl.flock(self._descriptor, fcntl.LOCK_SH)

    def release(self) -> bool:
        """Let go; true when nobody else holds it. Call it under the start lock, or the answer may be stale."""
        descriptor = self._descriptor if self._descriptor is not None else _open(self._path)
        self._descriptor = None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        finally:
            os.close(descriptor)
        return True


def take_or_none(path: Path) -> int | None:
    """Take `path` exclusively for the life of this process; None when another process has it."""
    descriptor = _open(path)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor
