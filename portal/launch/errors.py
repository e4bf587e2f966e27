"""The one exception of the launcher: a sentence a person can act on.

manage.py prints it without a traceback and exits with `exit_code`.
"""


class LaunchError(Exception):
    """Something outside this program is missing or in the way; the text says what to do about it."""

    def __init__(self, message: str, *, exit_code: int = 2) -> None:
        super().__init__(message)
        self.exit_code = exit_code
