"""Rules about migrations: named, self-contained, walled, and proven where they move data."""

import ast
import re

from rules.rule import ROOT, Found, Rule, dotted, imported, nodes

OURS = ("portal", "tracking", "kpis", "tiers")
ALLOWED = "portal.tenancy.walls"
SHARED = {"tenancy.tenant", "tenancy.user", "settings.AUTH_USER_MODEL"}  # what a plain constraint may point to
GLOBAL_LABELS = re.compile(r"^(auth|contenttypes|sessions|account|mfa)\.")


def _applies(path: str) -> bool:
    return "/migrations/" in path and not path.endswith("__init__.py")


def _named(source: str, path: str) -> Found:
    name = path.rsplit("/", 1)[-1]
    if not re.fullmatch(r"\d{4}_[a-z][a-z0-9_]*\.py", name) or re.search(r"_auto_|^\d{4}_alter_|_and_more", name):
        yield 1, f"{name} does not say what it is for: makemigrations -n <name>"


def _imports(source: str, path: str) -> Found:
    for node in nodes(source):
        for name in imported(node):
            if name.split(".")[0] in OURS and not (name == ALLOWED or name.startswith(f"{ALLOWED}.")):
                if f"{name}." in f"{ALLOWED}." or name == "portal.tenancy":
                    continue
                yield node.lineno, f"imports {name}; a migration outlives the code: only {ALLOWED}"
                break


def _moves_data(source: str, path: str) -> Found:
    for node in nodes(source):
        if isinstance(node, ast.Call) and dotted(node.func).endswith("RunPython"):
            stem = path.rsplit("/", 1)[-1].removesuffix(".py")
            tests = ROOT / "tests"
            if not any(stem in test.read_text(encoding="utf-8") for test in tests.rglob("test_*.py")):
                yield node.lineno, f"moves data and no test names {stem}"


def _plain_keys(source: str, path: str) -> Found:
    """A foreign key between tenant tables is the composite one; Django's own would not carry the tenant."""
    for node in nodes(source):
        if not (isinstance(node, ast.Call) and dotted(node.func) in ("models.ForeignKey", "models.OneToOneField")):
            continue
        given = {word.arg: word.value for word in node.keywords}
        to = given.get("to")
        name = to.value if isinstance(to, ast.Constant) else dotted(to) if to is not None else ""
        free = given.get("db_constraint")
        if str(name).lower() in {s.lower() for s in SHARED} or GLOBAL_LABELS.match(str(name)):
            continue
        if not (isinstance(free, ast.Constant) and free.value is False):
            yield node.lineno, f"a plain constraint to {name}: use TenantForeignKey"


_HEAD = "import django.db.models.deletion\nfrom django.db import migrations, models\n"

RULES = (
    Rule(
        key="migration-is-named",
        says="A migration's file name says what it does.",
        applies=_applies,
        find=_named,
        example_path="tracking/migrations/0007_auto_20260301.py",
        bad=("x = 1",),
        good=(),
    ),
    Rule(
        key="migration-stands-alone",
        says="A migration imports nothing of ours but portal.tenancy.walls.",
        applies=_applies,
        find=_imports,
        example_path="tracking/migrations/0007_seals.py",
        bad=("from tracking.models import Shipment", "import kpis.services", "from portal.lib import clock"),
        good=(_HEAD + "from portal.tenancy.walls import RowSecurity", "import portal.tenancy.walls"),
    ),
    Rule(
        key="moved-data-is-proven",
        says="A migration that moves data has a test that names it.",
        applies=_applies,
        find=_moves_data,
        example_path="tracking/migrations/0007_seals.py",
        bad=(_HEAD + "x = [migrations.RunPython(move)]",),
        good=(_HEAD + "x = [migrations.RunSQL('select 1')]",),
    ),
    Rule(
        key="keys-carry-the-tenant",
        says="Foreign keys between tenant tables carry the tenant (T5).",
        applies=_applies,
        find=_plain_keys,
        example_path="tracking/migrations/0007_seals.py",
        bad=(
            "x = models.ForeignKey(on_delete=1, to='tracking.shipment')",
            "x = models.OneToOneField(db_constraint=True, on_delete=1, to='kpis.snapshot')",
        ),
        good=(
            "x = models.ForeignKey(db_constraint=False, on_delete=1, to='tracking.shipment')",
            "x = models.ForeignKey(db_index=False, on_delete=1, to='tenancy.tenant')",
            "x = models.ForeignKey(on_delete=1, to=settings.AUTH_USER_MODEL)",
        ),
    ),
)
