"""The house stands as its plan says: floors, pages, and one name a stage."""

import re
from pathlib import Path

import pytest

from hoi import cli
from hoi.artefact_page import artefact_page
from hoi.imports import PACKAGE, closure, imported, stage_code
from hoi.metrics import METRICS

ROOT = PACKAGE.parent
FLOORS = {
    "geometry": 1, "hand": 2, "field": 2,
    "sources": 3, "observe": 3, "fit": 3, "evaluate": 3, "present": 3, "prior": 3, "masknet": 3,
    "stages": 4, "score": 4, "view": 4, "summary": 4, "cli": 4, "__main__": 4,
}  # fmt: skip
MODULES = sorted(p for p in PACKAGE.rglob("*.py"))


def room(module: str) -> str:
    return module.split(".")[1] if "." in module else ""


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_point_down(path):
    here = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    for module in imported(path):
        there = room(module)
        if there == here or there == "":
            continue
        up = FLOORS.get(there, 0) > FLOORS.get(here, 0)
        beside = FLOORS.get(there, 0) == FLOORS.get(here, 0) != 0 and FLOORS.get(here) != 4
        sideways = beside and f"Reads hoi.{there} (" not in (PACKAGE / here / "__init__.py").read_text()
        assert not up and not sideways, f"{path.relative_to(ROOT)} imports {module}"


def test_only_scores_and_the_report_touch_the_truth():
    readers = {p.name for p in MODULES if re.search(r"\bread_truth\b", p.read_text())}
    assert readers == {"clip.py", "score_clip.py", "score.py", "report_clip.py"}


def test_artefact_page_is_the_code():
    assert (ROOT / "results/README.md").read_text() == artefact_page()


def test_every_metric_and_penalty_is_documented():
    page = (ROOT / "docs/evaluation.md").read_text()
    missing = [m.title for m in METRICS.values() if m.title not in page]
    assert missing == []
    penalties = page[page.index("<!-- begin penalties -->") : page.index("<!-- end penalties -->")]
    assert all(f"{m.title} {m.penalty:g}" in penalties for m in METRICS.values() if m.penalty)


def test_a_stage_has_one_name_everywhere():
    rules = re.findall(r"^rule (\w+):", "".join(p.read_text() for p in ROOT.glob("workflow/rules/*.smk")), re.M)
    modules = {p.stem for p in (PACKAGE / "stages").glob("[!_]*.py")}
    assert set(rules) == set(cli.STAGES) == modules
    for stage in cli.STAGES:
        assert cli.stage_function(stage).__name__ == stage


def test_code_inputs_follow_imports():
    code = {Path(p).name for p in stage_code("fit_clip")}
    assert {"fit_clip.py", "rotations.py", "open_hand.npz"} <= code
    assert not any("hoi/config" in str(p) for p in stage_code("fit_clip")), "settings reach a stage as parameters"
    assert {"viewer.js", "clip.html", "style.css"} <= {Path(p).name for p in stage_code("report_clip")} - code
    assert not any("hoi/evaluate" in p for p in stage_code("show_clip")), "a changed metric redraws no picture"
    assert PACKAGE / "geometry/cameras.py" in closure("hoi.geometry.cameras")


def test_rules_are_short_declarations():
    for path in ROOT.glob("workflow/rules/*.smk"):
        text = path.read_text()
        assert len(text.splitlines()) <= 120, path
        for body in re.split(r"^(?=rule )", text, flags=re.M)[1:]:
            assert "lambda" not in body, path
            words = set(re.findall(r"\w+:", body))
            assert {"log:", "conda:", "shell:"} <= words and words & {"benchmark:", "cache:"}, (
                "Snakemake takes one of the two"
            )
            assert "code=code(" in body, "an edit of a stage reruns it"
    assert len((ROOT / "Snakefile").read_text().splitlines()) <= 40


def test_container_recipes_copy_what_an_install_reads():
    copies = [line for line in (ROOT / "Dockerfile").read_text().splitlines() if line.startswith("COPY")]
    docker = [name for line in copies for name in line.split()[1:-1]]
    apptainer = (ROOT / "workflow/container/hoi.def").read_text().split("%files")[1].split("%post")[0].split()[::2]
    assert sorted(docker) == sorted(apptainer)
    assert all((ROOT / name).exists() for name in apptainer)
    installed = re.search(r"^\$\(READY\): (.*)$", (ROOT / "Makefile").read_text(), re.M).group(1).split()
    needed = {name.split("/")[0] for name in installed} | {"Makefile", "README.md", "LICENSE", "hoi"}
    assert needed == set(apptainer)
