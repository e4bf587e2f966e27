#!/usr/bin/env python3
"""The one command of the project: `python3 manage.py demo`, `python3 manage.py test`, and everything else.

Only decides whether this Python can run it, in words that any Python can parse; the rest is in portal/launch.
"""

import sys

if sys.platform == "win32":
    sys.stderr.write("Plimsoll runs on Linux and macOS; on Windows, run it inside WSL (`wsl --install`).\n")
    sys.exit(2)
if sys.version_info < (3, 11):
    sys.stderr.write(
        "Plimsoll needs Python 3.11 or newer, and this is %d.%d; start it with a newer one, for example "
        "`python3.12 manage.py`.\n" % (sys.version_info[0], sys.version_info[1])
    )
    sys.exit(2)

from portal.launch.cli import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
