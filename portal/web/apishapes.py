"""What shapes of API answers are declared with. They document and are compared with real answers; nothing is rendered
through them, since a list made so costs more than its query (docs/adr).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from rest_framework import serializers


class Shape(serializers.Serializer[Any]):
    """One object of an answer."""

    @classmethod
    def names(cls) -> tuple[str, ...]:
        """Its fields, in order: what `fields` may name."""
        return tuple(cls._declared_fields)


def text(says: str, *, null: bool = False) -> Any:
    """Free text or a code."""
    return serializers.CharField(help_text=says, allow_null=null, required=False)


def word(says: str, words: Iterable[Any], *, null: bool = False) -> Any:
    """One of these words."""
    choices = [str(w) for w in words]
    return serializers.ChoiceField(help_text=says, choices=choices, allow_null=null, required=False)


def instant(says: str) -> Any:
    """A moment in UTC, or null."""
    return serializers.DateTimeField(help_text=says, allow_null=True, required=False)


def day(says: str) -> Any:
    """A local day, or null."""
    return serializers.DateField(help_text=says, allow_null=True, required=False)


def number(says: str, *, null: bool = False) -> Any:
    """A whole number."""
    return serializers.IntegerField(help_text=says, allow_null=null, required=False)


def exact(says: str) -> Any:
    """A decimal number as text, so that nobody rounds it, or null."""
    return serializers.CharField(help_text=says, allow_null=True, required=False)


def flag(says: str, *, null: bool = False) -> Any:
    """Yes or no."""
    return serializers.BooleanField(help_text=says, allow_null=null, required=False)


def texts(says: str) -> Any:
    """A list of texts."""
    return serializers.ListField(child=serializers.CharField(), help_text=says, required=False)


def named(says: str) -> Any:
    """Texts by their names."""
    return serializers.DictField(child=serializers.CharField(), help_text=says, required=False)


def anything(says: str) -> Any:
    """JSON of whatever form."""
    return serializers.JSONField(help_text=says, required=False)


def one(shape: type[Shape], says: str, *, null: bool = False) -> Any:
    """An object inside."""
    return shape(help_text=says, allow_null=null, required=False)


def many(shape: type[Shape], says: str) -> Any:
    """A list of objects."""
    return shape(many=True, help_text=says, required=False)
