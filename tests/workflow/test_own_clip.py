"""`make clip`: what its words become."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from hoi.errors import InputError
from hoi.own_clip import name_of, own_clip
from hoi.table import read_table

from .conftest import ROOT

RECORDER = '#!/bin/sh\n[ "$2" = hoi ] && printf "%s\\n" "$@" >> words\nexit 0\n'


@pytest.fixture
def folder(tmp_path):
    """A checkout in which `python` and `snakemake` write down what they are told."""
    shutil.copy(ROOT / "Makefile", tmp_path)
    for name in ("pyproject.toml", "environment.post-deploy.sh", "scripts/system_libraries.sh"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / ".venv/bin").mkdir(parents=True)
    for name in ("python", "snakemake"):
        (tmp_path / ".venv/bin" / name).write_text(RECORDER)
        (tmp_path / ".venv/bin" / name).chmod(0o755)
    (tmp_path / ".venv/ready").touch()
    return tmp_path


def make(folder, *words, **environment):
    done = subprocess.run(
        ["make", "clip", *words], cwd=folder, env=os.environ | environment, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return (folder / "words").read_text().splitlines()


@pytest.mark.parametrize(
    "video",
    ["my mug.mov", "$(shell touch evil)", "`touch evil`", '"; touch evil; "', "a'; touch evil #", "$HOME", "--help", "ü$$.mp4"],
)  # fmt: skip
def test_no_word_is_read_as_code(folder, video):
    words = make(folder, f"VIDEO={video}", f"CATEGORY={video}", f"HINT_BOX={video}")
    assert {f"--video={video}", f"--category={video}", f"--hint_box={video}"} <= set(words)
    assert not (folder / "evil").exists()


def test_words_come_from_the_command_line_alone(folder):
    words = make(folder, "VIDEO=a.mp4", "FIRST=3", NAME="my-computer")
    assert {"--video=a.mp4", "--first=3", "--name=", "--side=", "--hint_frame=", "--hint_click="} <= set(words)


def test_the_table_of_one_row_is_read_as_it_was_said(tmp_path):
    video = tmp_path / 'it\'s "my" $(mug) [1].mov'
    video.touch()
    own_clip(str(video), tmp_path / "t.tsv", category="my mug", side="left", first="2", last="9", focal_px="900.5")
    (row,) = read_table(tmp_path / "t.tsv").values()
    assert (row.clip, row.source, row.path) == ("it_s_my_mug_1", "video", str(video))
    assert (row.category, row.side, row.first, row.last, row.focal_px) == ("my mug", "left", 2, 9, 900.5)


def test_a_folder_and_its_clip_have_the_folders_name(tmp_path):
    folder = tmp_path / "glue gun.2"
    folder.mkdir()
    assert name_of(folder) == "glue_gun_2" == name_of(folder / "clip.mp4")
    assert name_of(tmp_path / "???.mp4") == "clip"
    own_clip(str(folder), tmp_path / "t.tsv")
    assert read_table(tmp_path / "t.tsv")["glue_gun_2"].source == "folder"


@pytest.mark.parametrize(
    ("words", "told"),
    [({"video": ""}, "no video was named"),
     ({"video": "gone.mp4"}, "VIDEO=gone.mp4\n  found:    no such file"),
     ({"side": "middle"}, "SIDE=middle\n.*\n  expected: right or left"),
     ({"name": "../up"}, "NAME=../up\n.*\n.*letters, digits"),
     ({"category": "cup/glass"}, "CATEGORY=cup/glass\n.*\n.*letters, digits, spaces, - and _\n"),
     ({"first": "2s"}, "FIRST=2s\n.*\n.*from 0\n.*seconds"),
     ({"focal_px": "26mm"}, "FOCAL=26mm\n.*\n.*pixels.*\n.*1324"),
     ({"first": "5", "last": "2"}, "FIRST=5 LAST=2\n.*\n.*LAST must be greater than FIRST"),
     ({"hint_click": "3 4"}, "HINT_CLICK=3 4\n.*\n.*a hint has HINT_FRAME"),
     ({"hint_frame": "1", "hint_box": "1 2 3"}, "HINT_BOX=1 2 3\n.*\n.*four")],
)  # fmt: skip
def test_bad_words_are_refused_by_their_names_before_the_first_job(tmp_path, words, told):
    (tmp_path / "a.mp4").touch()
    with pytest.raises(InputError, match=told) as error:
        own_clip(**{"video": str(tmp_path / "a.mp4"), "table": tmp_path / "t.tsv"} | words)
    assert not (tmp_path / "t.tsv").exists(), "nothing is left for the workflow to run on"
    assert "tsv" not in str(error.value) and "column" not in str(error.value), "nothing that its owner never saw"


@pytest.mark.parametrize("name", ["a.jpg", "IMG_1.HEIC", "a.png"])
def test_a_picture_is_refused_as_one(tmp_path, name):
    (tmp_path / name).touch()
    with pytest.raises(InputError, match="a picture"):
        own_clip(str(tmp_path / name), tmp_path / "t.tsv")


def test_words_are_taken_as_people_write_them(tmp_path, capsys):
    (tmp_path / "a.mp4").touch()
    words = {"name": "my mug", "category": " Théière ", "side": "Right", "hint_frame": "7", "hint_box": "1, 2, 30, 40"}
    own_clip(str(tmp_path / "a.mp4"), tmp_path / "t.tsv", **words)
    (row,) = read_table(tmp_path / "t.tsv").values()
    assert (row.clip, row.category, row.side) == ("my_mug", "théière", "right")
    assert (row.hint_frame, row.hint_box) == (7, (1, 2, 30, 40))
    told = capsys.readouterr().out
    assert "config/own_clip.yaml" in told and "'théière' is no known category" in told
    own_clip(str(tmp_path / "a.mp4"), tmp_path / "t.tsv", category="3D print", hint_frame="0", hint_click="5 6")
    (row,) = read_table(tmp_path / "t.tsv").values()
    assert (row.category, row.hint_click) == ("3d print", (5, 6))
    capsys.readouterr()
    own_clip(str(tmp_path / "a.mp4"), tmp_path / "t.tsv", category="Cup")
    own_clip(str(tmp_path), tmp_path / "t.tsv")
    assert "known category" not in (told := capsys.readouterr().out) and "no category" not in told, (
        "a folder may say it"
    )


def test_an_own_clip_is_planned(checkout):
    own_clip(str(ROOT / "clips/bottle_cup"), checkout.path / "results/own_clip.tsv", category="bottle")
    jobs = checkout.planned("--configfile", "config/config.yaml", "config/own_clip.yaml")
    stages = ("prepare_clip", "track_hand", "mask_clip", "fit_clip", "show_clip", "score_clip")
    assert jobs == dict.fromkeys((*stages, "make_table", "report_clip", "make_report"), 1)


@pytest.mark.slow
def test_a_clip_without_a_hand_ends_badly_and_says_what_to_do(checkout):
    """`make clip` itself, on the installed environment."""
    video = checkout.path / "wall.mp4"
    writer = cv2.VideoWriter(str(video), cv2.VideoWriter_fourcc(*"mp4v"), 10, (160, 120))
    for grey in (150, 155, 160, 165):
        writer.write(np.full((120, 160, 3), grey, np.uint8))
    writer.release()
    shutil.copy(ROOT / "Makefile", checkout.path)
    (checkout.path / ".venv").mkdir()
    (checkout.path / ".venv/ready").touch()
    words = [f"VIDEO={video}", "CATEGORY=Cup", f"PATH={Path(sys.executable).parent}:{os.environ['PATH']}"]
    command = ["make", "-o", ".venv/ready", "clip", *words]
    done = subprocess.run(
        command, cwd=checkout.path, env=checkout.environment, capture_output=True, text=True, timeout=600
    )
    assert done.returncode != 0, done.stdout
    end = done.stdout.split("results/fits/diffhoi/wall/")[-1]
    assert "no result: track_hand: the clip's frames" in end and "no hand in any of 4" in end
    assert "next:     film in better light" in end and ".ply" not in end
    table = (checkout.path / "results/tables/main.md").read_text()
    assert "next: film in better light" in table
    assert "film in better light" in (checkout.path / "results/report/clips/wall/index.html").read_text()
