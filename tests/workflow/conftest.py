"""A copy of the checkout that a test may change, with Snakemake run in it as a user would."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PARTS = ("Snakefile", "workflow", "hoi", "config", "environment.yml")


class Checkout:
    """A working copy and `snakemake` in it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir()
        for part in PARTS:
            source = ROOT / part
            if source.is_dir():
                shutil.copytree(source, path / part, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy2(source, path / part)
        (path / "profiles").symlink_to("workflow/profiles")
        (path / "clips").symlink_to(ROOT / "clips")

    def run(self, *words: str, fails: bool = False) -> str:
        environment = os.environ | {"PYTHONPATH": str(self.path), "NO_COLOR": "1"}
        command = [sys.executable, "-m", "snakemake", "--cores", "2", *words]
        done = subprocess.run(command, cwd=self.path, env=environment, capture_output=True, text=True, timeout=1200)
        text = done.stdout + done.stderr
        assert (done.returncode != 0) == fails, text
        return text

    def planned(self, *words: str) -> dict[str, int]:
        """Jobs by rule in a dry run."""
        text = self.run(*words, "--dry-run", "--quiet", "reason")
        table = text.split("Job stats:")[-1] if "Job stats:" in text else ""
        rows = [line.split() for line in table.splitlines()]
        return {r[0]: int(r[1]) for r in rows if len(r) == 2 and r[1].isdigit() and r[0] not in ("total", "all")}


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path / "hoi")


TINY = ROOT / "tests/workflow/tiny.yaml"


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """A checkout in which the tiny benchmark has run to its table. Tests must leave it finished."""
    made = Checkout(tmp_path_factory.mktemp("finished") / "hoi")
    shutil.copy(TINY, made.path / "config/tiny.yaml")
    (made.path / "config/tiny.tsv").write_text(
        "clip\tsource\tcategory\tsplit\tseed\nmug\tprocedural\tmug\ttrain\t0\nbowl\tprocedural\tbowl\ttrain\t1\n"
    )
    made.run(*TINY_CONFIG)
    return made


TINY_CONFIG = ("--configfile", "config/config.yaml", "config/tiny.yaml")
