"""The words for why something was not sent, and for how an attempt ended."""

from __future__ import annotations

from typing import Final

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from portal.web.retelling import retold
from portal.webhooks.rules import MOST_TRIES, Tried

ENDPOINT_OFF: Final = "endpoint_off"
NOT_ENTITLED: Final = "not_entitled"
ACCOUNT_INACTIVE: Final = "account_inactive"
REPLACED: Final = "replaced"
REASONS: Final[dict[str, str | Promise]] = {
    ENDPOINT_OFF: gettext_lazy("The endpoint was off"),
    NOT_ENTITLED: gettext_lazy("Not part of your service tier when its turn came"),
    ACCOUNT_INACTIVE: gettext_lazy("The account is closed"),
    REPLACED: gettext_lazy("The address was changed before it was sent"),
}


def reason_says(reason: str) -> str:
    """A stored reason in words."""
    known = REASONS.get(reason)
    return str(known) if known is not None else retold(reason)


def ended(tried: Tried) -> str:
    """How an attempt ended, in a few words."""
    if tried.status is None:
        return tried.why[:300]
    if 300 <= tried.status < 400:
        return _("answered %(status)d: redirects are not followed") % {"status": tried.status}
    return _("answered %(status)d") % {"status": tried.status}


def given_up(last: str) -> str:
    """What stands in the log when the last try has failed."""
    return _("given up after %(n)d tries: %(last)s") % {"n": MOST_TRIES, "last": last}
