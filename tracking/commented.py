"""What is told of comments and documents of a shipment: to who is named, to who takes part, to the desk. Plain values.

Facts about what is internal are emitted in the operator's scope, never in the account's.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from portal.lib.facts import Audience, Fact, fact


@dataclass(frozen=True, kw_only=True)
class CommentFact(Fact):
    """What the facts about one comment have in common."""

    comment: str  # public id
    reference: str
    account: str  # its name, for the staff; empty for the account's own people
    author: str
    text: str  # its beginning
    path: str

    @property
    def object_key(self) -> str:
        """Once for each comment."""
        return self.comment

    @classmethod
    def values(cls) -> dict[str, Any]:
        """Of an example: a question of a customer."""
        return {
            "occurred_at": datetime(2026, 3, 12, 9, 30, tzinfo=UTC), "comment": "abcdefghjk0123456789",
            "reference": "MRD-2026-00417", "account": "Acme Ltd", "author": "Mara Jansen",
            "text": "Can the box be delivered on Friday morning?",
            "path": "/shipments/0123456789abcdefghjk/comments#c-abcdefghjk0123456789",
        }  # fmt: skip


@fact("tracking.mentioned", audience=Audience.MEMBERS)
class Mentioned(CommentFact):
    """Somebody was named in a comment on a shipment."""

    members: list[str]  # public ids of those of this scope
    is_internal: bool = False

    @classmethod
    def example(cls) -> Mentioned:
        """One person."""
        return cls(members=["0123456789abcdefghjk"], **cls.values())


@fact("tracking.comment_posted", audience=Audience.MEMBERS)
class CommentPosted(CommentFact):
    """A comment was written on a shipment that these people follow, own or wrote on."""

    members: list[str]  # public ids of those of this scope, without those who are named
    is_internal: bool = False

    @classmethod
    def example(cls) -> CommentPosted:
        """One person."""
        return cls(members=["0123456789abcdefghjk"], **cls.values())


@fact("tracking.customer_wrote", audience=Audience.STAFF)
class CustomerWrote(CommentFact):
    """A customer wrote on a shipment that nobody of the staff owns or has answered on: the desk is told."""

    @classmethod
    def example(cls) -> CustomerWrote:
        """A first question."""
        return cls(**cls.values())


@fact("tracking.document_added", audience=Audience.MEMBERS)
class DocumentAdded(Fact):
    """A document came to a shipment that these people follow, own or wrote on."""

    document: str  # public id
    reference: str
    account: str  # its name, for the staff; empty for the account's own people
    author: str
    kind: str  # a papers.PaperKind
    version: int
    path: str
    members: list[str]  # public ids of those of this scope

    @property
    def object_key(self) -> str:
        """Once for each version."""
        return self.document

    @classmethod
    def example(cls) -> DocumentAdded:
        """A bill of lading."""
        return cls(
            occurred_at=datetime(2026, 3, 12, 9, 30, tzinfo=UTC), document="abcdefghjk0123456789",
            reference="MRD-2026-00417", account="", author="Olga Visser", kind="BILL_OF_LADING", version=2,
            path="/shipments/0123456789abcdefghjk/documents", members=["0123456789abcdefghjk"],
        )  # fmt: skip
