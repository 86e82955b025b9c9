import re
import zipfile

import numpy as np
import pytest

from hoi import artefacts
from hoi.artefacts import check, load_arrays, read_json, read_npz, whole, write_json, write_npz
from hoi.errors import InputError


def masks(n=2, h=3, w=4):
    return {
        "object": np.zeros((n, h, w), bool),
        "hand": np.ones((n, h, w), bool),
        "confidence": np.ones(n, np.float32),
    }


def test_npz_round_trip(tmp_path):
    path = tmp_path / "deep" / "masks.npz"
    write_npz("masks", path, **masks())
    back = read_npz("masks", path)
    assert back["hand"].all() and not back["object"].any() and back["confidence"].dtype == np.float32


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"object": np.zeros((3, 3, 4), bool)}, r"hand.*found: +shape \(2, 3, 4\)"),
        ({"object": np.zeros((2, 3, 4), np.float32)}, "dtype float32"),
        ({"confidence": np.array([1, np.nan], np.float32)}, r"NaN or infinity at index \[1\]"),
        ({"extra": np.zeros(1)}, "unknown keys"),
    ],
)
def test_wrong_arrays_are_refused(change, message):
    with pytest.raises(InputError) as error:
        check("masks", masks() | change, "masks.npz")
    text = str(error.value)
    assert "masks.npz" in text and "expected" in text and "next" in text
    assert re.search(message, text, re.S)


def test_missing_key_is_named():
    content = masks()
    del content["hand"]
    with pytest.raises(InputError, match="'hand'"):
        check("masks", content, "masks.npz")


def test_damaged_file_is_an_input_error(tmp_path):
    path = tmp_path / "masks.npz"
    write_npz("masks", path, **masks())
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(InputError, match=r"masks\.npz"):
        read_npz("masks", path)


def test_pickled_objects_are_refused(tmp_path):
    path = tmp_path / "masks.npz"
    np.savez(path, object=np.array([{"a": 1}], dtype=object), hand=1, confidence=1)
    with pytest.raises(InputError, match="pickle"):
        read_npz("masks", path)


def test_what_a_file_should_not_hold_is_not_unpacked(tmp_path):
    """An array of objects cannot be read without pickle: that reading it does not fail shows that it was not tried."""
    path = tmp_path / "masks.npz"
    np.savez(path, **masks(), extra=np.array([{"a": 1}], dtype=object))
    with pytest.raises(InputError, match=r"unknown keys \['extra'\]"):
        read_npz("masks", path)
    assert set(load_arrays(path, ["hand", "other"])) == {"hand"}


def test_arrays_larger_than_the_limit_are_refused_by_the_file_s_directory(tmp_path, monkeypatch):
    monkeypatch.setattr(artefacts, "MOST_BYTES", 10**6)
    path = tmp_path / "masks.npz"
    np.savez_compressed(path, **masks(n=100, h=100, w=100))
    monkeypatch.setattr(np, "load", None)
    with pytest.raises(InputError, match=r"0\.002 GB of arrays(.|\n)*at most 0\.001 GB"):
        read_npz("masks", path)


def test_an_array_that_claims_more_than_it_holds_is_an_input_error(tmp_path):
    path = tmp_path / "masks.npz"
    with zipfile.ZipFile(path, "w") as file, file.open("hand.npy", "w") as member:
        np.lib.format.write_array_header_1_0(member, {"descr": "|b1", "fortran_order": False, "shape": (10**15,)})
    with pytest.raises(InputError, match=r"masks\.npz"):
        read_npz("masks", path)


def test_files_appear_whole_or_not_at_all(tmp_path):
    target = tmp_path / "out.txt"
    with pytest.raises(RuntimeError), whole(target) as scratch:
        scratch.write_text("half")
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []
    with whole(target) as scratch:
        scratch.write_text("all")
    assert target.read_text() == "all" and list(tmp_path.iterdir()) == [target]


def test_whole_replaces_a_directory(tmp_path):
    target = tmp_path / "clip"
    for content in ("old", "new"):
        with whole(target) as scratch:
            scratch.mkdir()
            (scratch / content).write_text(content)
    assert [p.name for p in target.iterdir()] == ["new"]


def test_json_refuses_nan(tmp_path):
    with pytest.raises(ValueError):
        write_json(tmp_path / "a.json", {"x": float("nan")})
    assert not (tmp_path / "a.json").exists()
    write_json(tmp_path / "a.json", {"x": None})
    assert read_json(tmp_path / "a.json") == {"x": None}
