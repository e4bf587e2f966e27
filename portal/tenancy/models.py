"""Tenants, people, keys and the audit trail.

What tenants bought stands in tiers, what they ship in tracking.
"""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.postgres.fields import ArrayField
from django.core.validators import RegexValidator
from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower
from django.utils.crypto import salted_hmac
from django.utils.translation import gettext_lazy as _

from portal.tenancy.context import OPERATOR_ID
from portal.tenancy.managers import TenantManager
from portal.tenancy.owned import TenantForeignKey, TenantOwned, code_field, public_id_field
from portal.tenancy.walls import RowSecurity

__all__ = [
    "ApiKey", "AuditEntry", "CallWindow", "Installation", "Invitation", "Member", "Role", "Tenant", "TenantForeignKey",
    "User",
]  # fmt: skip


class TenantKind(models.TextChoices):
    """The operator's own scope, or a customer."""

    OPERATOR = "OPERATOR", _("Operator")
    ACCOUNT = "ACCOUNT", _("Account")


class Role(models.TextChoices):
    """What a member may do (design 1). The first two belong to accounts, the others to the operator."""

    MEMBER = "MEMBER", _("Member")
    MANAGER = "MANAGER", _("Manager")
    OPS = "OPS", _("Operations")
    ACCOUNT_MANAGER = "ACCOUNT_MANAGER", _("Account manager")
    FINANCE = "FINANCE", _("Finance")
    ADMIN = "ADMIN", _("Administrator")


ACCOUNT_ROLES = (Role.MEMBER, Role.MANAGER)
STAFF_ROLES = (Role.OPS, Role.ACCOUNT_MANAGER, Role.FINANCE, Role.ADMIN)
STRONG_ROLES = (Role.MANAGER, *STAFF_ROLES)  # a second factor is mandatory (A2)


class Installation(models.Model):
    """The one operator of this installation: name, code, zone, currency. Holds nothing of any customer."""

    name = models.CharField(max_length=120)
    code = code_field(32)
    zone = models.CharField(max_length=64)
    currency = code_field(3)
    accent = code_field(7, blank=True, default="")  # #rrggbb of buttons and links; empty: Plimsoll's own
    logo_digest = code_field(64, blank=True, default="")  # of the picture that portal.brand keeps; empty: none
    sender_name = models.CharField(max_length=80, blank=True, default="")  # of mails; empty: as MAIL_FROM says
    sender = models.CharField(max_length=254, blank=True, default="")
    sending_paused = models.BooleanField(default=False)
    parameters = models.JSONField(default=dict, blank=True)  # overrides of the defaults of docs/parameters.md

    class Meta:
        constraints: ClassVar[list[Any]] = [
            models.CheckConstraint(condition=Q(id=1), name="installation_is_one"),
        ]


class Tenant(models.Model):
    """A customer company (account), or the operator's own scope under the reserved id 1. Walled by its own id."""

    owner_field: ClassVar[str] = "id"

    public_id = public_id_field()
    code = code_field(32, unique=True, validators=[RegexValidator(r"\A[A-Z0-9][A-Z0-9_-]{0,31}\Z")])
    name = models.CharField(max_length=120)
    kind = models.CharField(max_length=16, choices=TenantKind.choices, default=TenantKind.ACCOUNT)
    zone = models.CharField(max_length=64, blank=True, default="")  # empty: the operator's
    is_active = models.BooleanField(default=True)
    created_at = models.DateTimeField()

    objects = TenantManager()

    class Meta:
        base_manager_name = "objects"
        constraints: ClassVar[list[Any]] = [
            RowSecurity(name="tenancy_tenant_wall", column="id"),
            models.CheckConstraint(
                condition=Q(kind=TenantKind.OPERATOR, id=OPERATOR_ID)
                | (Q(kind=TenantKind.ACCOUNT) & ~Q(id=OPERATOR_ID)),
                name="tenant_operator_is_reserved",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def tenant_id(self) -> int | None:
        """A tenant belongs to itself."""
        return self.pk

    @property
    def is_operator(self) -> bool:
        """Whether this is the operator's own scope."""
        return self.pk == OPERATOR_ID


class UserManager(BaseUserManager["User"]):
    """Users by e-mail."""

    def get_by_natural_key(self, username: str | None) -> User:
        """E-mail is compared without case."""
        return self.get(email__iexact=username)

    def create_user(self, email: str, password: str | None = None) -> User:
        """A sign-in identity; who it is for which tenant stands in Member."""
        user = self.model(email=email.strip().lower())
        user.set_password(password)
        user.save(using=self._db)
        return user


class User(AbstractBaseUser):
    """A sign-in identity: e-mail and password hash only, known before any scope is (so it carries no tenant).

    The person's name, role and tenant stand in `Member`, behind the wall.
    """

    email = models.EmailField(unique=True)
    is_active = models.BooleanField(default=True)
    session_epoch = models.PositiveIntegerField(default=0)  # counted up, it ends every session of this person (A4)

    objects = UserManager()

    USERNAME_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    class Meta:
        constraints: ClassVar[list[Any]] = [models.UniqueConstraint(Lower("email"), name="user_email_once")]

    def __str__(self) -> str:
        return self.email

    def _get_session_auth_hash(self, secret: str | None = None) -> str:
        """Django compares it on each request: a new password or a new epoch ends all sessions at once (A4, A7)."""
        words = f"{self.password}:{self.session_epoch}"
        return salted_hmac("portal.tenancy.User.session", words, secret=secret, algorithm="sha256").hexdigest()


class Member(TenantOwned):
    """A person in one tenant with one role; the operator's staff are members of the operator's scope."""

    public_id = public_id_field()
    user = models.OneToOneField(User, on_delete=models.PROTECT, related_name="+")
    name = models.CharField(max_length=120)
    role = models.CharField(max_length=16, choices=Role.choices)
    zone = models.CharField(max_length=64, blank=True, default="")
    language = models.CharField(max_length=8, blank=True, default="")  # empty: as the browser asks
    is_active = models.BooleanField(default=True)
    created_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar[list[Any]] = [
            models.CheckConstraint(
                condition=Q(tenant_id=OPERATOR_ID, role__in=[r.value for r in STAFF_ROLES])
                | (~Q(tenant_id=OPERATOR_ID) & Q(role__in=[r.value for r in ACCOUNT_ROLES])),
                name="member_role_fits_tenant",
            ),
        ]
        indexes: ClassVar[list[Any]] = [models.Index(fields=["tenant", "role"], name="member_by_role")]

    def __str__(self) -> str:
        return self.name

    @property
    def is_staff(self) -> bool:
        """Whether this person works for the operator."""
        return self.tenant_id == OPERATOR_ID

    @property
    def label(self) -> str:
        """How the person is named in records."""
        return f"{self.name} <{self.user.email}>"


class Invitation(TenantOwned):
    """An invitation by mail; the token is kept hashed, used once, and ends."""

    public_id = public_id_field()
    email = models.EmailField()
    name = models.CharField(max_length=120)
    role = models.CharField(max_length=16, choices=Role.choices)
    token_hash = code_field(64, unique=True)
    invited_by = TenantForeignKey(Member, on_delete=models.PROTECT, null=True, related_name="+")
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    accepted_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes: ClassVar[list[Any]] = [models.Index(fields=["tenant", "-created_at"], name="invitation_newest")]


class ApiKey(TenantOwned):
    """A key of a tenant's system (`read`) or of a source (`events:write`): shown once, kept hashed (A6)."""

    public_id = public_id_field()
    label = models.CharField(max_length=80)
    scope = models.CharField(max_length=24, default="read")
    source_key = code_field(40, blank=True, default="")  # for `events:write`: the source it may report as
    prefix = code_field(16)
    secret_hash = code_field(64)
    created_at = models.DateTimeField()
    created_by = models.CharField(max_length=200, default="")
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(fields=["tenant", "prefix"], name="apikey_prefix_once"),
            models.CheckConstraint(
                condition=Q(scope="read", source_key="") | (Q(scope="events:write") & ~Q(source_key="")),
                name="apikey_scope_known",
            ),
        ]


class AuditEntry(TenantOwned):
    """Who did what, when, to what; written in the transaction of its cause and never changed (L1)."""

    append_only = True

    at = models.DateTimeField()
    actor = models.CharField(max_length=200)  # a person's label, a key's label, or SYSTEM
    action = code_field(64)  # for example `sign_in.succeeded`
    object_type = code_field(64, blank=True, default="")
    object_id = code_field(64, blank=True, default="")
    details = models.JSONField(default=dict)

    class Meta:
        indexes: ClassVar[list[Any]] = [models.Index(fields=["tenant", "-at", "-id"], name="audit_newest")]


class AttemptWindow(models.Model):
    """Counts tries per account or network in a time window, exactly, under concurrency (A3).

    Known before any scope is; `subject` is a keyed digest, never an address or a name.
    """

    subject = code_field(64)
    starts_at = models.DateTimeField()
    tries = models.PositiveIntegerField(default=0)

    class Meta:
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(fields=["subject", "starts_at"], name="attempts_once_per_window"),
        ]


class KeptReply(TenantOwned):
    """What a call that changes something was answered, so that its repetition is answered alike (W7)."""

    owner = code_field(64)  # whose call: the public id of a key
    call = code_field(8 + 300)  # method and path
    key = code_field(120)  # the Idempotency-Key
    body_digest = code_field(64)
    status = models.PositiveSmallIntegerField()
    body = models.BinaryField()
    kept_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(fields=["tenant", "owner", "call", "key"], name="keptreply_once"),
        ]
        indexes: ClassVar[list[Any]] = [models.Index(fields=["tenant", "kept_at"], name="keptreply_by_age")]

    def __str__(self) -> str:
        return self.call


class CallWindow(TenantOwned):
    """How often a key, a person, or all of an account called the API in the last minute: a row each (F1)."""

    subject = code_field(40)  # `key:<public id>`, `member:<public id>` or `account`
    second = models.BigIntegerField()  # the second, counted from 1970, that the first number is of
    calls = ArrayField(models.IntegerField())  # passed calls by second, the newest first

    class Meta:
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(fields=["tenant", "subject"], name="callwindow_once"),
        ]
