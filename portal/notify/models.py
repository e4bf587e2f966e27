"""One row for each fact, person and channel, from the moment it is due to its end; and what each person wants.

How a mail is handed over stands in sending.py, how several become one in digests.py.
"""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from portal.tenancy.models import Member
from portal.tenancy.owned import TenantForeignKey, TenantOwned, code_field, public_id_field


class Channel(models.TextChoices):
    """How somebody is told."""

    MAIL = "MAIL", _("Mail")
    BELL = "BELL", _("In the portal")


class Phase(models.TextChoices):
    """Where a delivery stands (O7). After HANDED_OVER nobody can know without an answer: hence UNCERTAIN."""

    QUEUED = "QUEUED", _("Queued")
    CLAIMED = "CLAIMED", _("Being sent")
    HANDED_OVER = "HANDED_OVER", _("Handed over")
    SENT = "SENT", _("Sent")
    UNCERTAIN = "UNCERTAIN", _("Uncertain")
    FAILED = "FAILED", _("Failed")
    SUPPRESSED = "SUPPRESSED", _("Not sent")
    HELD = "HELD", _("Waits for its hour")
    COLLECTED = "COLLECTED", _("In one mail with others")


ENDED = (Phase.SENT, Phase.FAILED, Phase.SUPPRESSED, Phase.COLLECTED)


class HeldFor(models.TextChoices):
    """Why a mail waits."""

    DIGEST = "DIGEST", _("The person's digest")
    QUIET = "QUIET", _("The person's quiet hours")


class Delivery(TenantOwned):
    """A mail to one person; unique by its key, so it is due once (O7).

    A row that is COLLECTED is told by the mail that its `digest` names, and by nothing else.
    """

    public_id = public_id_field()
    key = code_field(64)  # SHA-256 of tenant, fact key, object key, recipient, channel
    fact_key = code_field(64)
    fact = models.JSONField(default=dict)  # its plain form; emptied at the end when it carries a secret link
    recorded_at = models.DateTimeField()  # when the fact was recorded
    member = TenantForeignKey(Member, on_delete=models.PROTECT, null=True, related_name="+")
    email = models.EmailField()
    channel = models.CharField(max_length=8, choices=Channel.choices, default=Channel.MAIL)
    phase = models.CharField(max_length=12, choices=Phase.choices, default=Phase.QUEUED)
    reason = models.CharField(max_length=500, blank=True, default="")
    message_id = code_field(200)  # derived from the key: equal on every attempt (O8)
    subject = models.CharField(max_length=300, blank=True, default="")
    attempts = models.PositiveSmallIntegerField(default=0)
    created_at = models.DateTimeField()
    changed_at = models.DateTimeField()
    lease_until = models.DateTimeField(null=True, blank=True)
    fence = models.BigIntegerField(default=0)
    matter = code_field(100, blank=True, default="")  # what later news of the same overtakes; empty: nothing does
    held_until = models.DateTimeField(null=True, blank=True)
    held_for = models.CharField(max_length=8, choices=HeldFor.choices, blank=True, default="")
    digest = TenantForeignKey("self", on_delete=models.PROTECT, null=True, related_name="+")  # the mail that tells it

    class Meta:
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(fields=["tenant", "key"], name="delivery_key_once"),
            models.CheckConstraint(
                condition=~Q(phase=Phase.HELD) | Q(held_until__isnull=False), name="delivery_held_has_an_end"
            ),
            models.CheckConstraint(
                condition=~Q(phase=Phase.COLLECTED) | Q(digest__isnull=False), name="delivery_collected_has_its_mail"
            ),
        ]
        indexes: ClassVar[list[Any]] = [
            models.Index(fields=["tenant", "phase", "-id"], name="delivery_by_phase"),
            models.Index(fields=["tenant", "member", "-id"], name="delivery_of_member"),
            models.Index(
                fields=["tenant", "member", "held_until"], condition=Q(phase=Phase.HELD), name="delivery_held"
            ),
            models.Index(fields=["tenant", "member", "matter"], condition=~Q(matter=""), name="delivery_by_matter"),
            models.Index(fields=["tenant", "digest"], condition=Q(digest__isnull=False), name="delivery_in_digest"),
        ]

    def __str__(self) -> str:
        return f"{self.fact_key} to {self.email}"


class BellNotice(TenantOwned):
    """What a person is told in the portal: one row a fact and person, kept for 90 days.

    `needs` names what the reader must still have to see it: entitlements, and MANAGER for what only managers are told.
    """

    public_id = public_id_field()
    member = TenantForeignKey(Member, on_delete=models.CASCADE, related_name="+")
    key = code_field(64)  # as of a delivery
    fact_key = code_field(64)
    fact = models.JSONField(default=dict)  # its plain form without long lists
    needs = ArrayField(code_field(40), default=list, blank=True)
    recorded_at = models.DateTimeField()
    read_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(fields=["tenant", "member", "key"], name="bell_once"),
        ]
        indexes: ClassVar[list[Any]] = [
            models.Index(fields=["tenant", "member", "-id"], name="bell_newest"),
            models.Index(fields=["tenant", "member", "-id"], condition=Q(read_at__isnull=True), name="bell_unread"),
            models.Index(fields=["tenant", "recorded_at"], name="bell_oldest"),
        ]

    def __str__(self) -> str:
        return f"{self.fact_key} for {self.member_id}"


class MailMode(models.TextChoices):
    """When a kind of notice comes by mail."""

    NOW = "NOW", _("At once")
    DIGEST = "DIGEST", _("In the digest")
    OFF = "OFF", _("Never")


class Which(models.TextChoices):
    """Of which shipments a person wants to hear."""

    ALL = "ALL", _("All shipments")
    FOLLOWED = "FOLLOWED", _("Those I follow")
    LANES = "LANES", _("Those on my lanes")


class NoticePreference(TenantOwned):
    """A person's word about one kind of notice; without a row: at once by mail, in the portal, of all shipments."""

    member = TenantForeignKey(Member, on_delete=models.CASCADE, related_name="+")
    fact_key = code_field(64)
    mail = models.CharField(max_length=8, choices=MailMode.choices, default=MailMode.NOW)
    bell = models.BooleanField(default=True)
    which = models.CharField(max_length=8, choices=Which.choices, default=Which.ALL)
    always = models.BooleanField(default=False)  # its mails do not wait for the end of quiet hours
    changed_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(fields=["tenant", "member", "fact_key"], name="preference_once"),
        ]


class DigestRhythm(models.TextChoices):
    """How often a digest comes."""

    NONE = "NONE", _("No digest")
    DAILY = "DAILY", _("Every day")
    WEEKLY = "WEEKLY", _("Every week")


class NoticeHabits(TenantOwned):
    """When mails may reach a person, by the clock of the person's own zone, and on which lanes the person works."""

    member = TenantForeignKey(Member, on_delete=models.CASCADE, related_name="+")
    digest = models.CharField(max_length=8, choices=DigestRhythm.choices, default=DigestRhythm.NONE)
    digest_hour = models.PositiveSmallIntegerField(default=7)
    digest_weekday = models.PositiveSmallIntegerField(default=0)  # Monday is 0
    quiet_from = models.TimeField(null=True, blank=True)
    quiet_to = models.TimeField(null=True, blank=True)  # may be on the next day
    quiet_weekend = models.BooleanField(default=False)  # Saturday and Sunday, whole
    lanes = ArrayField(code_field(40), default=list, blank=True)
    changed_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(fields=["tenant", "member"], name="habits_once"),
            models.CheckConstraint(
                condition=Q(quiet_from__isnull=True, quiet_to__isnull=True)
                | (Q(quiet_from__isnull=False, quiet_to__isnull=False) & ~Q(quiet_from=F("quiet_to"))),
                name="habits_quiet_from_and_to",
            ),
            models.CheckConstraint(condition=Q(digest_hour__lte=23, digest_weekday__lte=6), name="habits_on_a_clock"),
        ]


class BounceKind(models.TextChoices):
    """What came back."""

    HARD = "HARD", _("Refused for good")
    SOFT = "SOFT", _("Given up for now")
    COMPLAINT = "COMPLAINT", _("Complained about")


class Bounce(TenantOwned):
    """A mail of ours that came back after its server had taken it; one row a mail, however often we hear of it."""

    delivery = TenantForeignKey(Delivery, on_delete=models.PROTECT, related_name="+")
    email = models.EmailField()  # lower case; where the mail had been sent
    kind = models.CharField(max_length=12, choices=BounceKind.choices)
    status = code_field(16, blank=True, default="")  # RFC 3463, such as 5.1.1
    diagnostic = models.CharField(max_length=300, blank=True, default="")
    received_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(fields=["tenant", "delivery"], name="bounce_once"),
        ]
        indexes: ClassVar[list[Any]] = [
            models.Index(fields=["tenant", "email", "-received_at"], name="bounce_of_address"),
        ]


class SuppressedAddress(TenantOwned):
    """An address that mail must not go to any more, until somebody lifts it: it bounced, or complained (O10)."""

    email = models.EmailField()  # lower case
    reason = models.CharField(max_length=200)
    created_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(fields=["tenant", "email"], name="suppressed_once"),
        ]


class MailWording(TenantOwned):
    """What the operator writes around the mails to one account, in one language; `{name}` is the reader's name."""

    language = code_field(8)  # of settings.LANGUAGES
    greeting = models.CharField(max_length=200, blank=True, default="")
    closing = models.CharField(max_length=600, blank=True, default="")
    changed_at = models.DateTimeField()
    changed_by = models.CharField(max_length=200)

    class Meta:
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(fields=["tenant", "language"], name="wording_once"),
        ]
