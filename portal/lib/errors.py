"""Expected failures: each has a code, an HTTP status and a sentence for the person at the door.

Surprises are not caught here; they propagate.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _


class PortalError(Exception):
    """An expected refusal. `details` fill the `%(name)s` places of `message`; both may be shown to the caller."""

    code: ClassVar[str] = "error"
    status: ClassVar[int] = 400
    message: ClassVar[str | Promise] = _("This could not be done.")
    headers: Mapping[str, str] = {}  # of the answer, for example Retry-After
    members: Mapping[str, object] = {}  # of the problem+json, beside code and detail

    def __init__(self, **details: object) -> None:
        self.details: Mapping[str, object] = details
        super().__init__(self.sentence())

    def sentence(self) -> str:
        """The message in the reader's language, with its details filled in."""
        text = str(self.message)
        return text % self.details if self.details else text


class NotFound(PortalError):
    """No such thing in the caller's scope; says the same for what belongs to somebody else (T6)."""

    code, status = "not_found", 404
    message = _("There is nothing at this address.")


class Forbidden(PortalError):
    """The caller's role does not allow it."""

    code, status = "forbidden", 403
    message = _("Your role does not allow this.")


class NotEntitled(PortalError):
    """The account's tier does not include it (R5.1)."""

    code, status = "not_entitled", 403
    message = _("Your service tier does not include %(label)s.")


class BadRequest(PortalError):
    """The request itself is malformed; `detail` says how."""

    code, status = "bad_request", 400
    message = _("%(detail)s")


class Busy(PortalError):
    """Somebody else holds what is needed, or it took too long; nothing was changed."""

    code, status = "busy", 503
    message = _("The portal is busy with this at the moment, and nothing was changed. Try again in a few seconds.")
    headers: Mapping[str, str] = {"Retry-After": "5"}
