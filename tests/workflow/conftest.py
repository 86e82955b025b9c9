"""A copy of the checkout that a test may change, with Snakemake run in it as a user would."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Self

import pytest

ROOT = Path(__file__).parents[2]
CORES = 2
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

    @classmethod
    def at(cls, path: Path) -> Self:
        """One that was made before, as it was left."""
        made = cls.__new__(cls)
        made.path = path
        return made

    @property
    def environment(self) -> dict[str, str]:
        return os.environ | {"PYTHONPATH": str(self.path), "NO_COLOR": "1"}

    def command(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "snakemake", *(() if "--profile" in words else ("--cores", str(CORES))), *words]

    def run(self, *words: str, fails: bool = False) -> str:
        command = self.command(*words)
        done = subprocess.run(
            command, cwd=self.path, env=self.environment, capture_output=True, text=True, timeout=1200
        )
        text = done.stdout + done.stderr
        assert (done.returncode != 0) == fails, text
        return text

    def start(self, *words: str, environment: dict[str, str] | None = None) -> subprocess.Popen[str]:
        """As run, but not waited for; it leads a session of its own, so that a signal reaches what a terminal's would.

        Ctrl-C counts even where the tests run in the background of a shell, which ignores it.
        """
        told = subprocess.STDOUT
        return subprocess.Popen(
            self.command(*words), cwd=self.path, env=environment or self.environment, text=True,
            stdout=subprocess.PIPE, stderr=told, start_new_session=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        )  # fmt: skip

    def planned(self, *words: str) -> dict[str, int]:
        """Jobs by rule in a dry run."""
        text = self.run("--dry-run", "--quiet=reason", *words)
        table = text.split("Job stats:")[-1] if "Job stats:" in text else ""
        rows = [line.split() for line in table.splitlines()]
        return {r[0]: int(r[1]) for r in rows if len(r) == 2 and r[1].isdigit() and r[0] not in ("total", "all")}


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path / "hoi")


class StubbedCheckout(Checkout):
    """A checkout whose stages are stubs (tests/slurm/stub.py): the workflow alone is at work, on clips c0, c1, ..."""

    def __init__(self, path: Path, clips: int = 2) -> None:
        super().__init__(path)
        shutil.copy(ROOT / "tests/slurm/stub.py", path / "hoi/__main__.py")
        rows = [f"c{i}\tprocedural\tmug\ttrain\t{i}\n" for i in range(clips)]
        (path / "config/stub.tsv").write_text("clip\tsource\tcategory\tsplit\tseed\n" + "".join(rows))
        (path / "config/stub.yaml").write_text(
            "clips: config/stub.tsv\nreport_clip: {variants: [diffhoi]}\n"
            "tables: {main: {variants: [diffhoi, oracle], columns: [f5]}}\n"
        )
        (path / "drill").mkdir()

    def end(self) -> bytes:
        """What the last file of the workflow says: a digest of every step before it."""
        return (self.path / TABLE).read_bytes()

    def hold(self, name: str) -> Path:
        """A job that will wait from now on, named by its first output, until the file returned is deleted."""
        path = self.path / "drill" / (name.replace("/", "+") + ".hold")
        path.touch()
        return path


TABLE = "results/tables/main.md"
STUB_CONFIG = ("--configfile", "config/config.yaml", "config/stub.yaml", "--", TABLE)


@pytest.fixture
def stubbed(tmp_path: Path) -> StubbedCheckout:
    return StubbedCheckout(tmp_path / "hoi")


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The last file of a run in which nothing goes wrong."""
    made = StubbedCheckout(tmp_path_factory.mktemp("undisturbed") / "hoi")
    made.run(*STUB_CONFIG)
    return made.end()


TINY = ROOT / "tests/workflow/tiny.yaml"
TINY_CONFIG = ("--configfile", "config/config.yaml", "config/tiny.yaml")


def tiny_checkout(path: Path, *clips: str, overlay: str = "") -> Checkout:
    """A checkout with the tiny benchmark's settings, on one made clip of each category named."""
    made = Checkout(path)
    (path / "config/tiny.yaml").write_text(TINY.read_text() + overlay)
    rows = [f"{category}\tprocedural\t{category}\ttrain\t{seed}\n" for seed, category in enumerate(clips)]
    (path / "config/tiny.tsv").write_text("clip\tsource\tcategory\tsplit\tseed\n" + "".join(rows))
    return made


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """A checkout in which the tiny benchmark has run to its table. Tests must leave it finished."""
    made = tiny_checkout(tmp_path_factory.mktemp("finished") / "hoi", "mug", "bowl")
    made.run(*TINY_CONFIG)
    return made
