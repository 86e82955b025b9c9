"""Pickles of strangers: what real files hold is read, all else is refused and not run, and none brings the reader down."""

import copyreg
import os
import pickle
import subprocess
import sys

import numpy as np
import pytest
import scipy.sparse
from numpy._core.multiarray import _reconstruct

from hoi.errors import InputError
from hoi.hand.mano import NAMES, read_mano
from hoi.hand.plain_pickle import numbers, read_pickle

from .synthetic_mano import as_python_2, write_mano

PROTOCOLS = range(6)


class Evil:
    """Calls something when it is unpickled, then sets a state where one is given."""

    def __init__(self, call, *arguments, state=None):
        self.reduced = (call, arguments) if state is None else (call, arguments, state)

    def __reduce__(self):
        return self.reduced


def written(path, content, protocol=2):
    path.write_bytes(content if isinstance(content, bytes) else pickle.dumps(content, protocol))
    return path


# ---- read


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_mano_s_files_are_read(tmp_path, protocol):
    content = write_mano(tmp_path, "right", protocol)
    file = read_mano(str(tmp_path), "right")
    np.testing.assert_array_equal(file.shape_basis, content["shapedirs"])
    np.testing.assert_array_equal(file.joint_regressor, content["J_regressor"].toarray())


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("rename", [as_python_2, bytes], ids=["numpy 1", "numpy 2"])
def test_arrays_come_back(tmp_path, protocol, rename):
    """Of every plain type, order of bytes and of axes; none of numbers; matrices, scalars, lists."""
    rng = np.random.default_rng(0)
    content = {code: (100 * rng.random((3, 4))).astype(code) for code in ("?", "u1", ">i2", "<i8", "f2", "f4", ">f8")}
    content |= {"columns": np.asfortranarray(content["f4"]), "part": content["f4"][::2, 1:], "none": np.zeros((0, 3))}
    content |= {
        "alone": np.array(3.0),
        "scalar": np.float32(0.5),
        "number": 7,
        "list": [[1, 2], [3, 4]],
        "flat": (1, 2.5),
    }
    path = written(tmp_path / "x.pkl", rename(pickle.dumps(content, protocol)))
    read = read_pickle(path)
    for name, value in content.items():
        found = numbers(read, name, path)
        np.testing.assert_array_equal(found, value)
        assert found.dtype == np.asarray(value).dtype.newbyteorder("=")


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_sparse_matrix_comes_back_dense(tmp_path, protocol):
    matrix = scipy.sparse.random(5, 9, 0.3, "csc", random_state=0)
    path = written(tmp_path / "x.pkl", {"a": matrix}, protocol)
    np.testing.assert_array_equal(numbers(read_pickle(path), "a", path), matrix.toarray())


def test_an_array_of_objects_beside_the_numbers_does_no_harm(tmp_path):
    path = written(tmp_path / "x.pkl", {"notes": np.array(["who", None], object), "a": np.arange(3)})
    content = read_pickle(path)
    assert numbers(content, "a", path).tolist() == [0, 1, 2]
    with pytest.raises(InputError, match="objects"):
        numbers(content, "notes", path)


# ---- refused


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("hidden", [False, True])
def test_a_malicious_pickle_is_refused_and_not_run(tmp_path, protocol, hidden):
    trace = tmp_path / "ran"
    evil = Evil(os.mkdir, str(trace))
    content = {"v_template": np.array([evil], object)} if hidden else {"v_template": evil}
    path = written(tmp_path / NAMES["right"], content, protocol)
    with pytest.raises(InputError, match="mkdir"):
        read_mano(str(tmp_path), "right")
    assert not trace.exists()
    with path.open("rb") as file:
        pickle.load(file)  # noqa: S301 -- it was a working attack
    assert trace.exists()


@pytest.mark.parametrize("call", [eval, exec, getattr, __import__, np.load, np.fromfile])
def test_listed_modules_give_nothing_else(tmp_path, call):
    with pytest.raises(InputError, match="the name"):
        read_pickle(written(tmp_path / "x.pkl", {"a": Evil(call, "1")}))


@pytest.mark.parametrize(
    "reduced", [(copyreg._reconstructor, set, object, None), (_reconstruct, set, (0,), b"b"), (np.ndarray, (3,), "u1")]
)
def test_our_own_rebuilders_refuse_other_classes(tmp_path, reduced):
    """_reconstructor and _reconstruct are listed, for chumpy's nodes and plain arrays alone; ndarray is for the latter."""
    with pytest.raises(InputError, match=r"of another class|takes no arguments"):
        read_pickle(written(tmp_path / "x.pkl", {"a": Evil(*reduced)}))


def test_nothing_but_a_record_takes_a_state(tmp_path):
    """A state would be set on what is listed, and stay there after the reading."""
    code = b"\x80\x02}U\x01ac_codecs\nencode\n}U\x04evilK\x01sbs."
    with pytest.raises(InputError, match="a state"):
        read_pickle(written(tmp_path / "x.pkl", code))


def test_damaged_and_foreign_pickles_are_refused(tmp_path):
    whole = pickle.dumps({"a": np.arange(9)}, 4)
    for content in (b"", b"not a pickle", pickle.dumps([1, 2]), *(whole[:n] for n in range(len(whole)))):
        with pytest.raises(InputError):
            read_pickle(written(tmp_path / "x.pkl", content))


# ---- attacks on the reader itself, each in a process of its own: a crash or a full memory is that process's

READ = """
import sys
from pathlib import Path
import numpy as np
from hoi.errors import InputError
from hoi.hand.plain_pickle import numbers, read_pickle
def peak_kB():
    return int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0])
before = peak_kB()
try:
    numbers(read_pickle(Path(sys.argv[1])), "a", Path(sys.argv[1])).astype(np.float64)
except InputError as error:
    print(error)
print("took", peak_kB() - before)
"""
POINTERS = b"A" * (778 * 3 * 8)
RECORD = (3, "|", None, ("x",), {"x": (np.dtype("O"), 0)}, 8, 1, 0)  # a field of objects, flags that deny it


def node(module, kind, state):
    """A pickle of {"a": an object of this class and state}; `state` is a pickle's body."""
    return b"\x80\x02}U\x01a" + f"c{module}\n{kind}\n".encode() + b")\x81" + state + b"bs."


def body(value):
    return pickle.dumps(value, 2)[2:-1]


def nested(depth):
    """A chumpy node whose array is a chumpy node, and so on."""
    return node("chumpy.ch", "Ch", b"}U\x01xcchumpy.ch\nCh\n)\x81" * depth + b"}" + b"bs" * depth)


def lists(length, depth):
    """A list of lists of ... of ones, all of a level the same list."""
    value = 1
    for _ in range(depth):
        value = [value] * length
    return value


ATTACKS = {
    "objects by ndarray": {"a": Evil(np.ndarray, (778, 3), np.dtype("O"), POINTERS)},
    "objects by state": {
        "a": Evil(_reconstruct, np.ndarray, (0,), b"b", state=(1, (778, 3), np.dtype("O"), False, POINTERS))
    },
    "a field of objects": {
        "a": Evil(
            _reconstruct,
            np.ndarray,
            (0,),
            b"b",
            state=(1, (778, 3), Evil(np.dtype, "V8", False, True, state=RECORD), False, POINTERS),
        ),
    },
    "a scalar of objects": {
        "a": Evil(np._core.multiarray.scalar, Evil(np.dtype, "V8", False, True, state=RECORD), POINTERS[:8])
    },
    "an endless ndarray": {"a": Evil(np.ndarray, (10**13,), "u1")},
    "an endless shape": {
        "a": Evil(_reconstruct, np.ndarray, (0,), b"b", state=(1, (10**13,), np.dtype("u1"), False, b"1"))
    },
    "an overflowing shape": {
        "a": Evil(_reconstruct, np.ndarray, (0,), b"b", state=(1, (2**70, 0), np.dtype("u1"), False, b""))
    },
    "an endless matrix": node(
        "scipy.sparse.csc",
        "csc_matrix",
        body(
            {
                "shape": (10**6, 10**6),
                "indptr": np.array([0, 1]),
                "indices": np.array([0]),
                "data": np.array([1.0]),
            }
        ),
    ),
    "endless columns": node(
        "scipy.sparse.csc",
        "csc_matrix",
        body(
            {
                "shape": (2, 1),
                "indptr": np.array([0, 10**9]),
                "indices": np.array([0]),
                "data": np.array([1.0]),
            }
        ),
    ),
    "no array": node("chumpy.ch", "Ch", body({"y": 1})),
    "a chain of nodes": nested(5000),
    "lists of lists of lists": {"a": lists(99, 6)},
    "a large list of one list": {"a": lists(4000, 2)},
    "a deep tuple as a key": b"\x80\x02})" + b"\x85" * 10**6 + b"K\x01s.",
    "a deep tuple in a set": b"\x80\x04}U\x01a\x8f(" + b")" + b"\x85" * 10**6 + b"\x90s.",
    "a large memo": b"\x80\x02}r\xff\xff\xff\x07.",
    "a large text": b"\x80\x05}U\x01a\x96" + (2**40).to_bytes(8, "little") + b"1s.",
}


@pytest.mark.parametrize("name", ATTACKS)
def test_an_attack_on_the_reader_is_refused(tmp_path, name):
    path = written(tmp_path / "x.pkl", ATTACKS[name])
    done = subprocess.run([sys.executable, "-c", READ, str(path)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "x.pkl" in done.stdout and "expected:" in done.stdout
    assert int(done.stdout.split("took")[1]) < 200_000, "kB"
