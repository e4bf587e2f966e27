"""What kinds of notice are called on the settings page."""

from __future__ import annotations

from dataclasses import fields
from typing import Final

from django.utils.functional import Promise
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from portal.lib.facts import Audience, all_facts

KINDS: Final[dict[str, tuple[str | Promise, str | Promise]]] = {
    "tracking.milestone_reached": (
        _("A shipment reached a milestone"), _("Departure, arrival, gate-out, delivery: once each, when it is news."),
    ),
    "tracking.exception_raised": (
        _("Something goes wrong with a shipment"), _("Once each time that a limit is crossed, with who is at it."),
    ),
    "tracking.exception_worsened": (
        _("A shipment at risk gets later still"), _("At least a day later than last told, twelve hours apart or more."),
    ),
    "tracking.exception_cleared": (
        _("An exception is over"), _("Once, when what ends it is heard or dealt with."),
    ),
    "tracking.exceptions_grouped": (
        _("Many exceptions at once"), _("What goes beyond ten messages an hour about one ship or place, in one."),
    ),
    "tracking.mentioned": (
        _("Somebody names me in a comment"), _("With what was written, on the shipment it is about."),
    ),
    "tracking.comment_posted": (
        _("Comments on shipments of mine"), _("Those that I follow or look after, or have written on."),
    ),
    "tracking.document_added": (
        _("Documents of shipments of mine"), _("A new one, or a new version, on those that I follow or look after."),
    ),
    "tracking.customer_wrote": (
        _("A customer asks, and nobody is at it"), _("A comment on a shipment that nobody of the desk owns yet."),
    ),
    "kpis.snapshot_published": (
        _("A month's service report is ready"), _("When the figures are closed, and when a version is restated."),
    ),
    "credits.credit_approved": (
        _("A service credit is approved"), _("With its amount and how it was worked out."),
    ),
    "webhooks.endpoint_disabled": (
        _("A webhook endpoint was switched off"), _("When it is gone, or took nothing for five days."),
    ),
    "webhooks.deliveries_given_up": (
        _("A webhook message was given up"), _("At most once a day for each endpoint."),
    ),
    "tracking.derivation_differed": (
        _("The nightly check mended a shipment"), _("Never in good health: what was stored differed from the record."),
    ),
    "tracking.subscription_ended": (
        _("Events no longer sent"),
        _("A system of yours takes no events any more, and why."),
    ),
    "tracking.source_silent": (
        _("A source has fallen silent"), _("When nothing came for longer than usual; once for each silence."),
    ),
    "tracking.source_heard_again": (
        _("A silent source is heard again"), _("With how long nothing had come."),
    ),
}  # fmt: skip


# What goes wrong now, or needs somebody to act: told at once even where the rest waits for a digest.
PRESSING: Final = frozenset({
    "tracking.exception_raised", "tracking.exception_worsened", "tracking.exceptions_grouped", "tracking.source_silent",
    "tracking.subscription_ended", "tracking.derivation_differed", "webhooks.endpoint_disabled",
})  # fmt: skip
_DIGEST: Final = "notify.digest"

# How a line of the bell is marked; what is not listed is plain news.
TONES: Final[dict[str, str]] = {
    "tracking.milestone_reached": "info",
    "tracking.exception_raised": "late",
    "tracking.exception_worsened": "late",
    "tracking.exceptions_grouped": "late",
    "tracking.exception_cleared": "ok",
    "credits.credit_approved": "money",
    "tracking.source_silent": "warn",
    "tracking.source_heard_again": "ok",
    "tracking.subscription_ended": "warn",
    "tracking.derivation_differed": "warn",
    "webhooks.endpoint_disabled": "warn",
    "webhooks.deliveries_given_up": "warn",
}


def is_about_a_shipment(fact_key: str) -> bool:
    """Whether such facts speak of one shipment, which people may follow."""
    return "shipment" in {field.name for field in fields(all_facts()[fact_key])}


def kind_label(fact_key: str) -> tuple[str, str]:
    """(name, explanation) of a kind of notice, or of several with `+` between."""
    if fact_key == _DIGEST:
        return gettext("The digest"), gettext("Several pieces of news in one mail, at the person's hour.")
    if "+" in fact_key:
        return ", ".join(kind_label(key)[0] for key in fact_key.split("+")), ""
    label, says = KINDS.get(fact_key, (fact_key, ""))
    return str(label), str(says)


def kinds_for(*, is_staff: bool, is_manager: bool) -> list[str]:
    """Fact keys that a person may choose about, in the order they are declared here, then the rest."""
    wanted = {Audience.STAFF} if is_staff else {Audience.FOLLOWERS} | ({Audience.MANAGERS} if is_manager else set())
    wanted |= {Audience.MEMBERS}
    facts = all_facts()
    order = [*KINDS, *(key for key in facts if key not in KINDS)]
    return [key for key in order if key in facts and facts[key].audience in wanted]
