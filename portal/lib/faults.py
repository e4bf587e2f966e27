"""Named fault points between two durable writes: a test names one, and the process dies there (reliability 14).

Inert unless settings.ALLOW_FAULTS, which only the tests' settings have; production refuses the variable (W2).
"""

from __future__ import annotations

import os
import signal
from collections import Counter
from pathlib import Path

from django.conf import settings

_points: dict[str, str] = {}
_passed: Counter[str] = Counter()


def declare(name: str, says: str) -> None:
    """Makes a fault point known; each module declares its own. Doubles with another meaning are refused."""
    if _points.setdefault(name, says) != says:
        raise RuntimeError(f"two fault points have the name {name!r}")


def points() -> dict[str, str]:
    """Every declared fault point, by name."""
    return dict(sorted(_points.items()))


def fault(name: str) -> None:
    """Kills this process here, without any clean-up, when PLIMSOLL_FAULT is `name` or `name:nth` (the nth passing).

    With PLIMSOLL_FAULT_MARK, a path, it happens once: whoever creates that file dies. KeyError on an undeclared name.
    """
    says = _points[name]
    if not settings.ALLOW_FAULTS:
        return
    wanted, _colon, nth = os.environ.get("PLIMSOLL_FAULT", "").partition(":")
    if wanted != name:
        return
    _passed[name] += 1
    if _passed[name] == int(nth or 1) and _first():
        os.write(2, f"fault point {name}: {says}\n".encode())
        os.kill(os.getpid(), signal.SIGKILL)


def _first() -> bool:
    mark = os.environ.get("PLIMSOLL_FAULT_MARK")
    if not mark:
        return True
    try:
        Path(mark).touch(exist_ok=False)
    except FileExistsError:
        return False
    return True
