"""Which files of the package a module needs: the floors test and the workflow's code inputs read it from the sources."""

import ast
from functools import cache
from pathlib import Path

PACKAGE = Path(__file__).parent
SHIPPED = (
    "*.npz",
    "*.html",
    "*.css",
    "*.js",
    "*.svg",
    "weights/*.safetensors",
    "weights/*.json",
)  # data beside the code
NETWORK = ("config.json", "model.safetensors")  # in a folder of weights, beside its card
BLOCKS = ("body", "orelse", "finalbody", "handlers", "cases")  # of a statement: where others, hence imports, stand
PASSED_AS_PARAMETERS = {"hoi.config"}  # settings reach a stage as parameters, which Snakemake watches by itself


def module_file(module: str) -> Path | None:
    """The file of `hoi.a.b`, or None if there is no such module."""
    base = PACKAGE.joinpath(*module.split(".")[1:])
    return next((p for p in (base.with_suffix(".py"), base / "__init__.py") if p.is_file()), None)


@cache
def imported(path: Path) -> frozenset[str]:
    """The modules of this package that a file imports."""
    found: set[str] = set()
    statements: list[ast.AST] = [ast.parse(path.read_text())]
    while statements:
        node = statements.pop()
        statements += [inner for part in BLOCKS for inner in getattr(node, part, ())]
        if isinstance(node, ast.Import):
            found |= {a.name for a in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module} | {f"{node.module}.{a.name}" for a in node.names}
    return frozenset(m for m in found if m.split(".")[0] == "hoi" and module_file(m))


def closure(module: str) -> list[Path]:
    """The module's file and those of all it imports within the package, transitively; sorted."""
    seen: set[str] = set()
    queue = [module]
    while queue:
        name = queue.pop()
        path = module_file(name)
        if name in seen or name in PASSED_AS_PARAMETERS or path is None:
            continue
        seen.add(name)
        queue += imported(path)
    return sorted({p for p in map(module_file, seen) if p is not None})


def stage_code(stage: str) -> list[str]:
    """All files whose edit should rerun a stage: its module, what it imports, and the data that ship beside them."""
    code = closure(f"hoi.stages.{stage}")
    data = {p for folder in {c.parent for c in code} for kind in SHIPPED for p in folder.glob(kind)}
    return [str(p) for p in [*code, *sorted(data)]]


def shipped_masks() -> str:
    """The folder of the weights of the masker's network that come with the package."""
    return shipped("masknet", "weights")


def shipped_prior() -> list[str]:
    """The folder of the prior's weights and the file of its memory that come with the package."""
    return [shipped("prior", name) for name in ("weights", "memory.npz")]


def shipped(*parts: str) -> str:
    """A path in the package, from the working directory where that holds the package: what Snakemake noted of a job's input
    files is then true of a checkout that has moved."""
    path, here = PACKAGE.joinpath(*parts), Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)
