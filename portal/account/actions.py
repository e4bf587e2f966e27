"""The words for what the audit trail records; an action without words is shown by its code."""

from __future__ import annotations

from typing import Final

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

_LABELS: Final[dict[str, Promise]] = {
    "account.created": _("Account made"),
    "account.entered": _("Staff looked at an account"),
    "installation.created": _("Installation set up"),
    "tenancy.crossed": _("List over accounts opened"),
    "sign_in.succeeded": _("Signed in"),
    "sign_in.failed": _("Sign-in failed"),
    "sign_out": _("Signed out"),
    "sessions.ended": _("All sessions ended"),
    "password.reset_requested": _("Password reset requested"),
    "password.reset": _("Password reset"),
    "password.changed": _("Password changed"),
    "second_factor.activated": _("Second factor set up"),
    "second_factor.removed": _("Second factor taken away"),
    "second_factor.recovery_codes_renewed": _("New recovery codes"),
    "second_factor.recovery_code_used": _("Recovery code used"),
    "member.created": _("Member added"),
    "member.role_changed": _("Role changed"),
    "member.deactivated": _("Access taken away"),
    "member.reactivated": _("Access given back"),
    "invitation.created": _("Invited"),
    "invitation.revoked": _("Invitation revoked"),
    "invitation.accepted": _("Invitation accepted"),
    "key.created": _("Key made"),
    "key.revoked": _("Key revoked"),
    "share.created": _("Share link made"),
    "share.revoked": _("Share link revoked"),
    "source.created": _("Source added"),
    "source.secret_rotated": _("Secret of a source changed"),
    "quarantine.replayed": _("Event of the quarantine replayed"),
    "quarantine.discarded": _("Event of the quarantine set aside"),
    "quarantine.corrected": _("Event of the quarantine corrected as a new message"),
    "source.code_changed": _("Meaning of a source's code set"),
    "place.zone_set": _("Time zone of a place set"),
    "tier.opened": _("Tier changed"),
    "entitlement.overridden": _("Feature of the tier switched"),
    "agreement.prepared": _("Agreement prepared"),
    "agreement.approved": _("Agreement approved"),
    "agreement.ended": _("Agreement ended"),
    "snapshot.closed": _("Month closed"),
    "snapshot.downloaded": _("Closed month downloaded"),
    "credits.assessed": _("Credits worked out"),
    "credit.in_review": _("Credit sent to review"),
    "credit.approved": _("Credit approved"),
    "credit.rejected": _("Credit rejected"),
    "credit.issued": _("Credit issued"),
    "credit.applied": _("Credit set off"),
    "ledger.posted": _("Posted to the ledger"),
    "sending.paused": _("Sending paused"),
    "sending.resumed": _("Sending resumed"),
    "outbox.retried": _("Work tried again"),
    "delivery.resolved": _("Uncertain mail settled"),
    "mail.wording_set": _("Words around an account's mails set"),
    "address.released": _("Mail address released"),
    "address.suppressed": _("Mail address no longer used: it comes back"),
    "webhook.created": _("Webhook endpoint made"),
    "webhook.changed": _("Webhook endpoint changed"),
    "webhook.verified": _("Webhook endpoint answered its ping"),
    "webhook.secret_rotated": _("Secret of a webhook endpoint replaced"),
    "webhook.disabled": _("Webhook endpoint switched off"),
    "webhook.switched_off": _("Webhook endpoint switched off by Plimsoll"),
    "webhook.removed": _("Webhook endpoint taken away"),
    "webhook.replayed": _("Webhook messages sent again"),
}


def action_label(action: str) -> str | Promise:
    """The words, or the code itself."""
    return _LABELS.get(action, action)
