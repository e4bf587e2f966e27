"""Runs a reader of somebody else's making in a process of its own: limited memory, processor time, patience, output.

The child knows no settings, no secrets and no database: it is started bare (`python -I -S`), with an empty
environment, gets bytes and gives bytes. Whatever it dies of is a refusal of the message, never a fault of ours (G7).
"""

from __future__ import annotations

import io
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from tracking.reasons import Reason, sentence
from tracking.types import Unreadable

REFUSED: Final = 3  # the child's exit code for a refusal in words: its output is then `reason`, a line end, a sentence
_TOO_MUCH: Final = frozenset({signal.SIGXCPU, signal.SIGKILL, signal.SIGXFSZ, signal.SIGABRT})
_OUT_OF_MEMORY: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much a reader may take of anything."""

    memory_bytes: int = 384 * 1024 * 1024  # of address space, the interpreter's own included
    cpu_seconds: int = 10
    wall_seconds: int = 20
    output_bytes: int = 48 * 1024 * 1024


ORDINARY: Final = Limits()


def read(script: Path, raw: bytes, *, arguments: Sequence[str] = (), limits: Limits = ORDINARY) -> bytes:
    """What the script writes about the bytes. Raises Unreadable: too_slow, parser_failed, or the script's own reason.

    Its first three arguments are the limits of memory, processor time and output: it puts them on itself before it
    looks at a byte, which no fork of a threaded server could do for it.
    """
    with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as taken:
        given.write(raw)
        given.seek(0)
        code = _run(script, given, taken, arguments, limits)
        size = taken.seek(0, io.SEEK_END)
        taken.seek(0)
        if code == 0 and size < limits.output_bytes:
            return taken.read()
        if code == REFUSED:
            raise _refusal(taken.read(2_000))
    if code == _OUT_OF_MEMORY or size >= limits.output_bytes or -code in _TOO_MUCH:
        raise Unreadable(Reason.TOO_SLOW, str(sentence(Reason.TOO_SLOW)))
    raise Unreadable(Reason.PARSER_FAILED, str(sentence(Reason.PARSER_FAILED)))


def _run(script: Path, given: BinaryIO, taken: BinaryIO, arguments: Sequence[str], limits: Limits) -> int:
    bounds = (limits.memory_bytes, limits.cpu_seconds, limits.output_bytes)
    command = [sys.executable, "-I", "-S", str(script), *map(str, bounds), *arguments]
    child = subprocess.Popen(
        command, stdin=given, stdout=taken, stderr=subprocess.DEVNULL, env={}, cwd="/", start_new_session=True
    )
    try:
        return child.wait(limits.wall_seconds)
    except subprocess.TimeoutExpired:
        return -signal.SIGKILL
    finally:
        if child.poll() is None:
            child.kill()
            child.wait()


def _refusal(told: bytes) -> Unreadable:
    reason, _line, detail = told.decode("utf-8", "replace").partition("\n")
    if reason not in list(Reason):
        return Unreadable(Reason.PARSER_FAILED, str(sentence(Reason.PARSER_FAILED)))
    return Unreadable(reason, f"{sentence(reason)} {detail}".strip()[:400])
