import copy

import pytest
import yaml

from hoi.errors import InputError
from hoi.imports import PACKAGE
from hoi.study import check_named, read_study
from hoi.table import ClipRow, read_table

CONFIG = yaml.safe_load((PACKAGE.parent / "config/config.yaml").read_text())


def changed(**changes):
    config = copy.deepcopy(CONFIG) | changes
    if "variants" in changes and "report_clip" not in changes:
        config["report_clip"]["variants"] = list(changes["variants"])[:1]
    return config


def test_config_is_valid_and_oracle_differs_only_where_it_says():
    study = read_study(CONFIG)
    assert study.settings("oracle", "track_hand").tracker == "given"
    plain, oracle = (study.settings(variant, "fit_clip") for variant in ("no_prior", "oracle"))
    assert oracle.start.rounds == 0, "what true hands hold needs no registration"
    assert oracle.outline.frames == 0, "true hands are where they are"
    again = {"rounds": plain.start.rounds, "inflations": plain.start.inflations}
    start = oracle.start.model_copy(update=again)
    assert oracle.model_copy(update={"start": start, "outline": plain.outline}) == plain


@pytest.mark.parametrize(
    ("config", "key"),
    [
        (changed(colour="red"), "colour"),
        (changed(fit_clip=CONFIG["fit_clip"] | {"methud": "sdf"}), "fit_clip.methud"),
        (changed(variants={"x": {"fit_clip": {"methud": "sdf"}}}), "methud"),
        (changed(variants={"x": {"fit": {}}}), "unknown section 'fit'"),
        (changed(variants={"../x": {}}), "../x"),
        (changed(tables={"../../evil": CONFIG["tables"]["main"]}), "tables: '../../evil'"),
        (changed(figures={"a/b": {"kind": "gallery", "variants": ["oracle"]}}), "figures: 'a/b'"),
        (changed(tables={"main": CONFIG["tables"]["main"] | {"variants": ["nobody"]}}), "nobody"),
        (
            changed(report_clip=CONFIG["report_clip"] | {"variants": ["nobody"]}),
            "report_clip: unknown variants ['nobody']",
        ),
        (changed(mask_clip=CONFIG["mask_clip"] | {"masker": "magic"}), "mask_clip.masker"),
        (changed(variants={"truth": {}}), "'truth'"),
        (changed(tables={"main": CONFIG["tables"]["main"] | {"columns": ["f5", "cd_cm"]}}), "tables.main.columns.1"),
        (changed(make_report={"columns": ["cd_cm"]}), "make_report.columns.0"),
        (changed(figures={"a": {"kind": "error", "variants": ["oracle"], "metric": "f55", "x": [0]}}), "f55"),
        (
            changed(figures={"a": {"kind": "error", "variants": ["oracle"], "metric": "f5", "x": [0, 1]}}),
            "2 values of x",
        ),
        (changed(prior_data=CONFIG["prior_data"] | {"held_out": 40}), "none to train on"),
        (changed(mask_data=CONFIG["mask_data"] | {"held_out": 400}), "none to train on"),
        (
            changed(fit_clip=CONFIG["fit_clip"] | {"rates": CONFIG["fit_clip"]["rates"] | {"table": float("inf")}}),
            "finite",
        ),
    ],
)
def test_unknown_keys_and_values_are_refused(config, key):
    with pytest.raises(InputError) as error:
        read_study(config)
    assert key in str(error.value) and "next:" in str(error.value)


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"tables": {"main": CONFIG["tables"]["main"] | {"group_by": "catgory"}}}, "tables.main.group_by"),
        ({"tables": {"main": CONFIG["tables"]["main"] | {"reported": ["hoi4dd"]}}}, "tables.main.reported"),
        ({"figures": {"a": {"kind": "gallery", "variants": ["oracle"], "clips": ["nope"]}}}, "figures.a.clips"),
    ],
)
def test_names_that_are_nowhere_are_refused(changes, found):
    reported = PACKAGE.parent / "config/reported.tsv"
    with pytest.raises(InputError, match=found):
        check_named(read_study(changed(**changes)), ["mug_0"], reported)
    check_named(read_study(CONFIG), ["mug_0"], reported)


def test_names_that_do_not_agree_are_told_without_the_whole_config():
    with pytest.raises(InputError) as error:
        read_study(changed(variants={"../x": {}}))
    assert "found:    variants: '../x': letters" in str(error.value)


def test_equal_stages_are_shared():
    study = read_study(changed(variants={"a": {}, "b": {"fit_clip": {"method": "hull"}}, "c": {}}, tables={}))
    assert study.owner("b", "mask_clip") == "a"
    assert study.owner("b", "fit_clip") == "b"
    assert study.owner("c", "fit_clip") == "a"


def test_a_changed_stage_gives_its_followers_their_own_files():
    study = read_study(changed(variants={"a": {}, "b": {"track_hand": {"tracker": "given"}}}, tables={}))
    assert [study.owner("b", s) for s in ("track_hand", "mask_clip", "fit_clip", "score_clip")] == ["b"] * 4


def table(tmp_path, *rows):
    path = tmp_path / "clips.tsv"
    path.write_text(
        "\n".join(["clip\tsource\tpath\tcategory\tside\tfirst\tlast\tstride\tsplit\tseed\tperson\tshift", *rows]) + "\n"
    )
    return path


def test_table_paths_are_relative_to_the_table(tmp_path):
    rows = read_table(
        table(tmp_path, "a\tvideo\tsub/a.mp4\tmug\tleft\t3\t9\t2", "b\tprocedural\t\tbowl\t\t\t\t\ttest\t1")
    )
    assert rows["a"].path == str(tmp_path / "sub/a.mp4")
    assert (rows["a"].first, rows["a"].last, rows["a"].stride, rows["a"].side) == (3, 9, 2, "left")
    assert rows["b"].seed == 1


@pytest.mark.parametrize(
    ("rows", "found"),
    [
        (["../x\tvideo\ta.mp4"], "../x"),
        (["a b\tvideo\ta.mp4"], "a b"),
        (["a\tvideo\ta.mp4", "a\tvideo\tb.mp4"], "'a' twice"),
        (["a\ttape\ta.mp4"], "tape"),
        (["a\tvideo\ta.mp4\tmug\tmiddle"], "middle"),
        (["a\tprocedural\t\tspoon\t\t\t\t\ttest\t0"], "spoon"),
        (["a\tvideo\ta.mp4\tmug\t\t9\t3"], "last"),
        (["a\tvideo\t"], "path"),
        (["a\tvideo\ta.mp4\tmug\t\t\t\t\t\t\tfirst"], "person"),
        (["a\tvideo\ta.mp4\tmug\t\t\t\t\t\t\t\tdim"], "shift"),
        (["a\tprocedural\t\tmug\t\t\t\t\ttest\t0\t\tfoggy"], "'handheld', 'compressed'"),
        ([], "no rows"),
    ],
)
def test_bad_rows_name_file_row_and_next_step(tmp_path, rows, found):
    with pytest.raises(InputError) as error:
        read_table(table(tmp_path, *rows))
    text = str(error.value)
    assert found in text and "clips.tsv" in text and "next:" in text


def test_unknown_column_is_refused(tmp_path):
    path = tmp_path / "clips.tsv"
    path.write_text("clip\tsource\tpath\tcolour\na\tvideo\ta.mp4\tred\n")
    with pytest.raises(InputError, match="colour"):
        read_table(path)


def test_shipped_tables_are_valid():
    rows = read_table(PACKAGE.parent / "config/clips.tsv")
    made = [r for r in rows.values() if r.source == "procedural"]
    assert len(made) == 12 and all(r.split == "test" for r in made)
    demo = read_table(PACKAGE.parent / "config/demo.tsv")
    assert all(rows[name] == row for name, row in demo.items())


def test_a_variant_may_have_its_own_hand():
    """And shares nothing with variants of another hand, as all that follows is of that hand."""
    mine = {"base": {}, "mano": {"hand": {"model": "mano", "files": "data/mano"}}}
    tables = {"main": CONFIG["tables"]["main"] | {"variants": list(mine)}}
    study = read_study(changed(variants=mine, tables=tables))
    assert study.settings("mano", "hand").model == "mano" and study.settings("base", "hand").model == "open"
    assert study.owner("mano", "track_hand") == "mano" and study.owner("mano", "score_clip") == "mano"


def test_variants_run_on_data_sets_before_their_data_are_there():
    """HO-3D is read without masks; hands are given where MANO's files are."""
    mine = {
        "found": {},
        "hands": {"track_hand": {"tracker": "given"}, "hand": {"files": "data/mano"}},
        "no_mano": {"track_hand": {"tracker": "given"}},
        "masks": {"mask_clip": {"masker": "given"}},
    }
    tables = {"main": CONFIG["tables"]["main"] | {"variants": list(mine)}}
    study = read_study(changed(variants=mine, tables=tables))
    ho3d, hoi4d = (ClipRow(clip="x", source=source, path="/nowhere") for source in ("ho3d", "hoi4d"))
    assert [study.runs_on(v, ho3d) for v in mine] == [True, True, False, False]
    assert [study.runs_on(v, hoi4d) for v in mine] == [True, True, False, True]
