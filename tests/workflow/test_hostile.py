"""Clips tables, configurations and clip folders come from strangers: nothing in them is run."""

import json

import pytest

from hoi.clip import read_clip
from hoi.errors import InputError
from hoi.table import ClipRow, row_json

HOSTILE = """it's "a" $(touch pwned) `touch pwned`; touch pwned & %s | *.mp4"""
YAML = "!!python/object/apply:os.system ['touch pwned']"


def test_a_hostile_path_and_category_reach_the_stage_as_words(stubbed):
    folder = stubbed.path / "media"
    folder.mkdir()
    (folder / HOSTILE).write_bytes(b"no video")
    (stubbed.path / "my.tsv").write_text(f"clip\tsource\tpath\tcategory\n-rf\tvideo\tmedia/{HOSTILE}\tmy mug -- x\n")
    row = ClipRow(clip="-rf", source="video", path=f"media/{HOSTILE}", category="my mug -- x")
    stub = stubbed.path / "hoi/__main__.py"
    stub.write_text("import json, sys\njson.dump(sys.argv, open('argv.json', 'w'))\n" + stub.read_text())
    stubbed.run("results/clips/-rf", "--config", "clips=my.tsv")
    words = json.loads((stubbed.path / "argv.json").read_text())
    assert words[words.index("--row") + 1] == row_json(row)
    assert not list(stubbed.path.rglob("pwned")) and (stubbed.path / "results/clips/-rf/content").exists()


@pytest.mark.parametrize("path", ["{x}.mp4", "a}.mp4", "a\nb.mp4", "a\x00"])
def test_a_path_that_snakemake_would_read_as_a_pattern_is_refused(path):
    with pytest.raises(ValueError, match="braces"):
        ClipRow(clip="a", source="video", path=path)


@pytest.mark.parametrize("category", ["mug; touch pwned", "$(x)", "../up", "<script>", "a\nb"])
def test_a_category_is_a_plain_word(category):
    with pytest.raises(ValueError, match="category"):
        ClipRow(clip="a", source="video", path="a.mp4", category=category)


def test_a_configuration_builds_no_objects(stubbed):
    (stubbed.path / "config/mine.yaml").write_text(f"fit_clip: {YAML}\n")
    stubbed.run("--dry-run", "--configfile", "config/config.yaml", "config/mine.yaml", fails=True)
    assert not list(stubbed.path.rglob("pwned"))


def test_a_clip_folder_builds_no_objects(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "clip.yaml").write_text(f"category: {YAML}\n")
    with pytest.raises(InputError, match=r"clip\.yaml"):
        read_clip(tmp_path)
    assert not (tmp_path / "pwned").exists()
