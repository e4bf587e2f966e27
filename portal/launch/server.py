"""What the embedded PostgreSQL and the embedded Valkey have in common: start once, share, stop last.

Says nothing about either; subclasses give the commands.
"""

import os
import shutil
import subprocess
from pathlib import Path

from portal.launch.errors import LaunchError
from portal.launch.locks import UseLock, file_lock

NOBODY = 65534


class EmbeddedServer:
    """A server that lives in one folder. Any number of processes may `start` it; the last `stop` ends it."""

    label = "server"

    def __init__(self, root: Path) -> None:
        self.root = Path(os.path.abspath(root))
        self._use = UseLock(self.root / "use.lock")

    def start(self) -> None:
        """Start it, or join the running one. Returns when it answers; raises LaunchError."""
        self._make_root()
        with file_lock(self.root / "start.lock"):
            self._use.acquire()
            try:
                if not self.running():
                    self._start()
            except BaseException:
                self._use.release()
                raise

    def stop(self) -> bool:
        """Leave it; ends the server when nobody else uses it. True when it is down afterwards."""
        if not self.root.is_dir():
            return True
        with file_lock(self.root / "start.lock"):
            if not self._use.release():
                return False
            self._stop()
            return True

    def running(self) -> bool:
        raise NotImplementedError

    def _start(self) -> None:
        raise NotImplementedError

    def _stop(self) -> None:
        raise NotImplementedError

    def _make_root(self) -> None:
        try:
            self.root.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise LaunchError(f"The folder {self.root} for {self.label} cannot be made: {error.strerror}.") from None
        if not os.access(self.root, os.W_OK | os.X_OK):
            raise LaunchError(f"The folder {self.root} belongs to another user; {self.label} cannot run in it.")


def user_namespace_works() -> bool:
    """True when root may start a process that sees itself as an ordinary user, with nothing changed on disk."""
    unshare = shutil.which("unshare")
    if unshare is None:
        return False
    probe = subprocess.run([unshare, "-U", "--map-user=1000", "true"], capture_output=True, check=False)
    return probe.returncode == 0


def tail(path: Path, lines: int = 3) -> str:
    """The last lines of a log, on one line, for an error message."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return "(no log)"
    return " / ".join(line.strip() for line in text.splitlines()[-lines:])


def program_alive(pid: int, names: tuple[str, ...]) -> bool:
    """False only when it is certain that `pid` is gone, a zombie nobody reaps, or another program."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    try:
        name, _, rest = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")
    except OSError:
        return True  # no /proc here (macOS): let the server judge
    # The kernel keeps 15 letters of a name; Valkey renames its threads and itself after its title.
    return rest.split()[0] != "Z" and name.partition("(")[2].startswith(names)
