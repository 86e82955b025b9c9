"""Reading pickles of others (MANO, HOI4D, HO3D) without running them: numpy arrays, scipy's sparse csc, chumpy's nodes.

A pickle is a program. This reader lets it call nothing but what is listed below, all of it ours: what it makes are
records of what the file says, from which `numbers` makes arrays after it has looked at them. The first other name ends
the reading, before anything of it is imported.
"""

import io
import math
import pickle
import re
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from hoi.errors import InputError

MOST = 10**7  # numbers in a dense matrix or a list, which may be larger than what the file spends on them
CODE = re.compile(r"b1|[iu][1248]|f[248]|[SU][1-9]\d{0,3}")  # numpy's names of plain types
_Reader = pickle._Unpickler  # Python's own, in Python: the one in C takes memory by the file's word


class _Node:
    """Stands in for an object of another package: holds its state and does nothing with it."""

    def __setstate__(self, state: Any) -> None:
        if not isinstance(state, dict):
            raise pickle.UnpicklingError("a state that is not a dict")
        self.state = state

    def array(self) -> np.ndarray:
        """The numbers that it stands for."""
        raise pickle.UnpicklingError("no numbers")


class _Dtype(_Node):
    """numpy.dtype: the name of a type, and the order of its bytes."""

    def __init__(self, code: Any, *_rest: Any) -> None:
        self.code, self.order, self.whole = code, "=", True

    def __setstate__(self, state: Any) -> None:
        _version, self.order, *parts = state[:5]
        self.whole = all(part is None for part in parts)

    def dtype(self) -> np.dtype:
        """numpy's own; objects, records and raw memory are refused."""
        if not (self.whole and isinstance(self.code, str) and CODE.fullmatch(self.code)):
            raise pickle.UnpicklingError("an array of objects, records or other types that are not plain")
        return np.dtype(self.code).newbyteorder(self.order)


class _Array(_Node):
    """numpy.ndarray: shape, type, order and bytes."""

    def __setstate__(self, state: Any) -> None:
        _version, self.shape, self.type, self.by_columns, self.raw = state

    def array(self) -> np.ndarray:
        """A copy, in this machine's order of bytes."""
        dtype = self.type.dtype()
        raw = self.raw.encode("latin1") if isinstance(self.raw, str) else self.raw
        if min(self.shape, default=0) < 0 or math.prod(self.shape) * dtype.itemsize != len(raw):
            raise pickle.UnpicklingError("an array of another size than its bytes")
        view = np.ndarray(self.shape, dtype, raw, order="F" if self.by_columns else "C")
        return view.astype(dtype.newbyteorder("="))


class _Ch(_Node):
    """chumpy.ch.Ch: an array `x`."""

    def array(self) -> np.ndarray:
        """The array `x`."""
        return _held(self.state["x"], _Array)


class _Select(_Node):
    """chumpy.reordering.Select: some of `a`'s elements, in a shape of their _Reader."""

    def array(self) -> np.ndarray:
        """The elements that were selected."""
        chosen = _held(self.state["a"], _Array, _Ch).ravel()[_held(self.state["idxs"], _Array)]
        return chosen.reshape(self.state["preferred_shape"]) if "preferred_shape" in self.state else chosen


class _Csc(_Node):
    """scipy.sparse's csc_matrix: compressed columns."""

    def array(self) -> np.ndarray:
        """The matrix, dense."""
        rows, columns = self.state.get("_shape") or self.state["shape"]
        starts, indices, data = (_held(self.state[key], _Array) for key in ("indptr", "indices", "data"))
        if rows * columns > MOST or starts[0] != 0 or starts[-1] != len(indices):
            raise pickle.UnpicklingError("a matrix of another size than its numbers")
        dense = np.zeros((rows, columns), data.dtype)
        np.add.at(dense, (indices, np.repeat(np.arange(columns), np.diff(starts.astype(int)))), data)
        return dense


def _held(value: Any, *kinds: type[_Node]) -> np.ndarray:
    """The numbers of a node's part, which is one of these kinds: nodes do not nest further."""
    if not isinstance(value, kinds):
        raise pickle.UnpicklingError(f"a {type(value).__name__} in place of an array")
    array = value.array()
    if array.dtype.kind not in "biuf":
        raise pickle.UnpicklingError("text in place of numbers")
    return array


def _listed(values: list[Any] | tuple[Any, ...]) -> np.ndarray:
    """An array of a list of numbers, or of a list of lists of numbers."""
    rows = values if values and isinstance(values[0], list | tuple) else [values]
    if sum(len(row) for row in rows) > MOST:
        raise pickle.UnpicklingError(f"a list of more than {MOST} numbers")
    if not all(isinstance(value, int | float | np.number) for row in rows for value in row):
        raise pickle.UnpicklingError("a list of other things than numbers")
    return np.array(values)


def _new_node(kind: Any, base: Any, _state: Any) -> _Node:
    """copy_reg._reconstructor, for nodes alone."""
    if kind not in (_Ch, _Select, _Csc) or base is not object:
        raise pickle.UnpicklingError("an object of another class")
    return kind()


def _new_array(kind: Any, _shape: Any, _code: Any) -> _Array:
    """numpy's _reconstruct: an array, whose state follows."""
    if kind is not _Array:
        raise pickle.UnpicklingError("an array of another class")
    return _Array()


def _array_of_buffer(raw: Any, dtype: Any, shape: Any, order: Any) -> _Array:
    """numpy's _frombuffer, as protocol 5 has arrays."""
    array = _Array()
    array.__setstate__((1, shape, dtype, order == "F", raw))
    return array


def _new_scalar(dtype: Any, raw: Any) -> Any:
    """numpy's scalar, from its bytes."""
    if len(raw) > 1000:
        raise pickle.UnpicklingError(f"a scalar of {len(raw)} bytes")
    return _array_of_buffer(raw, dtype, (), "C").array()[()]


def _as_text(text: Any, _encoding: Any) -> Any:
    """_codecs.encode, as Python 3 writes bytes in old protocols: left as text, which arrays take too."""
    return text


def _no_bytes() -> bytes:
    """`bytes`, which old protocols call for empty ones."""
    return b""


def _unsorted(values: Any) -> Any:
    """`set`: nobody reads one, and finding places for values in it takes their word for what they are."""
    return values


def _plainly_keyed(load: Callable[["_Unpickler"], None], keys: slice) -> Callable[["_Unpickler"], None]:
    """Loading into a dict from the stack, where these are words or numbers: a deep tuple's hash overflows the stack."""

    def checked(self: "_Unpickler") -> None:
        """Load, where the keys are."""
        if not all(isinstance(key, str | int) for key in self.stack[keys]):
            raise pickle.UnpicklingError("a key that is neither a word nor a number")
        load(self)

    return checked


class _Unpickler(_Reader):
    """Refuses every name that is not listed."""

    listed: ClassVar[dict[tuple[str, str], Callable[..., Any]]] = {
        ("numpy", "ndarray"): _Array,
        ("numpy", "dtype"): _Dtype,
        ("_codecs", "encode"): _as_text,
        ("chumpy.ch", "Ch"): _Ch,
        ("chumpy.reordering", "Select"): _Select,
        **{(f"numpy.{core}.multiarray", "_reconstruct"): _new_array for core in ("core", "_core")},
        **{(f"numpy.{core}.multiarray", "scalar"): _new_scalar for core in ("core", "_core")},
        **{(f"numpy.{core}.numeric", "_frombuffer"): _array_of_buffer for core in ("core", "_core")},
        **{(f"scipy.sparse.{csc}", "csc_matrix"): _Csc for csc in ("csc", "_csc")},
        **{(module, "_reconstructor"): _new_node for module in ("copy_reg", "copyreg")},
        **{(module, "object"): object for module in ("__builtin__", "builtins")},
        **{(module, "set"): _unsorted for module in ("__builtin__", "builtins")},
        **{(module, "bytes"): _no_bytes for module in ("__builtin__", "builtins")},
    }

    def find_class(self, module_name: str, global_name: str) -> Any:
        """What a listed name stands for here; pickle's hook."""
        try:
            return self.listed[module_name, global_name]
        except KeyError:
            raise pickle.UnpicklingError(f"the name {module_name}.{global_name}") from None

    def load_node(self) -> None:
        """A state, which nodes alone may be given."""
        if not isinstance(self.stack[-2], _Node):
            raise pickle.UnpicklingError("a state of something that has none")
        self.load_build()

    dispatch: ClassVar[dict[int, Callable[..., None]]] = _Reader.dispatch | {
        pickle.BUILD[0]: load_node,
        pickle.SETITEM[0]: _plainly_keyed(_Reader.load_setitem, slice(-2, -1)),
        pickle.SETITEMS[0]: _plainly_keyed(_Reader.load_setitems, slice(0, None, 2)),
        pickle.DICT[0]: _plainly_keyed(_Reader.load_dict, slice(0, None, 2)),
        pickle.EMPTY_SET[0]: _Reader.load_empty_list,
        pickle.ADDITEMS[0]: _Reader.load_appends,
        pickle.FROZENSET[0]: _Reader.load_list,
        pickle.BYTEARRAY8[0]: _Reader.load_binbytes8,
    }


@contextmanager
def _refused(where: object) -> Iterator[None]:
    """What goes wrong while a file's word is taken is the file's fault: an InputError."""
    try:
        yield
    except (
        pickle.UnpicklingError, struct.error, EOFError, ArithmeticError, ValueError, TypeError, LookupError,
        AttributeError, ImportError, MemoryError, RecursionError,
    ) as error:  # fmt: skip
        raise InputError(
            where, f"a pickle with {str(error)[:200] or type(error).__name__}",
            "numpy arrays, scipy's csc, chumpy's Ch and Select, nothing else",
            "do not open it with other programs either: get the file from its owners again",
        ) from error  # fmt: skip


def read_pickle(path: Path) -> dict[str, Any]:
    """The dict that a pickle of numbers holds, for `numbers`; anything else in it is refused, and not run."""
    if not path.is_file():
        raise InputError(path, "no such file", "a pickle of the data set or model", "docs/datasets.md, docs/stack.md")
    with _refused(path):
        content = _Unpickler(io.BytesIO(path.read_bytes()), encoding="latin1").load()
    if not isinstance(content, dict):
        raise InputError(path, f"a {type(content).__name__}", "a dict of arrays", "get the file again")
    return content


def numbers(content: dict[str, Any], name: str, path: Path) -> np.ndarray:
    """The array of numbers that `read_pickle` found under a name, or that what it found stands for."""
    with _refused(f"{path}: {name}"):
        value = content[name]
        if isinstance(value, _Node):
            array = value.array()
        else:
            array = _listed(value) if isinstance(value, list | tuple) else np.asarray(value)
        if array.dtype.kind not in "biuf":
            raise pickle.UnpicklingError(f"a {type(value).__name__} in place of numbers")
    return array
