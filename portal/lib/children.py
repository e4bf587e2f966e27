"""Work handed to processes of their own, each a Python that starts afresh.

Never forked: a copy of a process that has threads, or has spoken to a broker, holds locks that nobody releases.
"""

from __future__ import annotations

import multiprocessing
from importlib import import_module
from multiprocessing.context import SpawnContext, SpawnProcess
from typing import Any

FRESH: SpawnContext = multiprocessing.get_context("spawn")


def child(target: str, *given: Any) -> SpawnProcess:
    """A process, not started yet, that will call `package.module.function(*given)` with Django set up.

    `given`: plain values, and pipes, counters and barriers of FRESH; nothing that needs Django to be read (models).
    """
    return FRESH.Process(target=_run, args=(target, *given), daemon=True)


def _run(target: str, *given: Any) -> None:
    import django

    django.setup()
    module, _dot, name = target.rpartition(".")
    getattr(import_module(module), name)(*given)
