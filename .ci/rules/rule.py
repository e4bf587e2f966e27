"""What a rule of ours is: which files it reads, what it finds there, where it may be broken and why.

The rules themselves stand beside this file.
"""

import ast
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CODE_ROOTS = ("portal", "tracking", "kpis", "tiers")
Found = Iterator[tuple[int, str]]


@dataclass(frozen=True)
class Finding:
    """One place where a rule is broken."""

    rule: str
    path: str
    line: int
    what: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.what} [{self.rule}]"


@dataclass(frozen=True)
class Rule:
    """`find(source, path)` yields (line, what is wrong). `listed` names whole files that may, each with its reason.

    A path in `listed` that ends in "/" covers the folder.
    """

    key: str
    says: str
    applies: Callable[[str], bool]
    find: Callable[[str, str], Found]
    bad: tuple[str, ...]
    good: tuple[str, ...]
    example_path: str = "tracking/services.py"
    listed: Mapping[str, str] = field(default_factory=dict)

    def findings(self, source: str, path: str) -> list[Finding]:
        """What this rule has to say about one file."""
        if not self.applies(path) or self.excused(path):
            return []
        return [Finding(self.key, path, line, what) for line, what in self.find(source, path)]

    def excused(self, path: str) -> bool:
        """Whether the file is on the rule's list."""
        return any(path == name or (name.endswith("/") and path.startswith(name)) for name in self.listed)


def product_files(suffix: str = ".py") -> list[str]:
    """Every file of the product with this suffix, relative to the project."""
    return sorted(p.relative_to(ROOT).as_posix() for root in CODE_ROOTS for p in (ROOT / root).rglob(f"*{suffix}"))


def is_code(path: str) -> bool:
    """Our own Python, migrations aside."""
    return path.endswith(".py") and "/migrations/" not in path


def nodes(source: str) -> Iterator[ast.AST]:
    """Every node of the module."""
    return ast.walk(ast.parse(source))


def dotted(node: ast.AST) -> str:
    """`a.b.c` of an attribute chain; "" for what is not one."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        before = dotted(node.value)
        return f"{before}.{node.attr}" if before else node.attr
    return ""


def imported(node: ast.AST) -> list[str]:
    """The dotted names that an import statement brings in."""
    if isinstance(node, ast.Import):
        return [name.name for name in node.names]
    if isinstance(node, ast.ImportFrom) and node.module and not node.level:
        return [node.module, *(f"{node.module}.{name.name}" for name in node.names)]
    return []


def calls(*names: str, what: str) -> Callable[[str, str], Found]:
    """Finds calls whose last part, or whole dotted name, is one of `names`."""

    def find(source: str, path: str) -> Found:
        for node in nodes(source):
            if isinstance(node, ast.Call):
                name = dotted(node.func)
                last = node.func.attr if isinstance(node.func, ast.Attribute) else name
                if name in names or f".{last}" in names:
                    yield node.lineno, f"{name or last}(): {what}"

    return find


def imports(*packages: str, what: str) -> Callable[[str, str], Found]:
    """Finds imports of these packages or of anything inside them."""

    def find(source: str, path: str) -> Found:
        for node in nodes(source):
            for name in imported(node):
                if any(name == package or name.startswith(f"{package}.") for package in packages):
                    yield node.lineno, f"import of {name}: {what}"
                    break

    return find
