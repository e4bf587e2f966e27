"""Lint rules of our own: what no tool off the shelf knows about this house.

Each rule carries the lines that it must catch and the lines that it must let pass; tests/contracts/test_rules.py tries
both and then reads the whole tree.
"""

from rules.code import RULES as CODE
from rules.migration import RULES as MIGRATION
from rules.page import RULES as PAGE
from rules.rule import Finding, Rule

RULES: tuple[Rule, ...] = (*CODE, *MIGRATION, *PAGE)

__all__ = ["RULES", "Finding", "Rule"]
