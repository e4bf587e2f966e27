"""How long boxes of an account may stay without charge, by terminal or port, from when to when (R8.9)."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q

from portal.tenancy.owned import TenantOwned, code_field, public_id_field


class FreeTerm(TenantOwned):
    """One agreed term. Days are local to the place; `last_day` is the last one on which a clock may begin under it."""

    public_id = public_id_field()
    kind = code_field(12)  # a freetime.FreeKind
    place = code_field(16)
    facility = code_field(32, blank=True, default="")  # empty: every terminal of the place
    free_days = models.PositiveSmallIntegerField()
    start = code_field(12, default="NEXT_DAY")  # a rules.FreeTimeStart
    working_days = models.BooleanField(default=False)
    holidays = ArrayField(models.DateField(), default=list, blank=True)  # not counted with working days
    first_day = models.DateField()
    last_day = models.DateField(null=True, blank=True)
    changed_at = models.DateTimeField()
    changed_by = models.CharField(max_length=200)

    class Meta:
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(fields=["tenant", "kind", "place", "facility", "first_day"], name="freeterm_once"),
            models.CheckConstraint(
                condition=Q(last_day__isnull=True) | Q(last_day__gte=F("first_day")), name="freeterm_runs_forward"
            ),
            models.CheckConstraint(condition=Q(free_days__gte=1, free_days__lte=365), name="freeterm_has_days"),
        ]
