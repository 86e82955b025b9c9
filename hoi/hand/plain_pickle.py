"""Reading pickles of others (MANO, HOI4D, HO3D) without running them: numpy arrays, scipy's sparse csc, chumpy's nodes.

A pickle is a program. This reader lets it call nothing but what is listed below, each our own or a plain constructor;
the first other name ends the reading, before anything of it is imported.
"""

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from hoi.errors import InputError


class _Node:
    """Stands in for an object of another package: holds its state and does nothing with it."""

    def __setstate__(self, state: Any) -> None:
        if not isinstance(state, dict):
            raise pickle.UnpicklingError("a state that is not a dict")
        self.state = state

    def array(self) -> np.ndarray:
        """The numbers that it stands for."""
        raise NotImplementedError


class _Ch(_Node):
    """chumpy.ch.Ch: an array `x`."""

    def array(self) -> np.ndarray:
        """The array `x`."""
        return as_array(self.state["x"])


class _Select(_Node):
    """chumpy.reordering.Select: some of `a`'s elements, in a shape of their own."""

    def array(self) -> np.ndarray:
        """The elements that were selected."""
        chosen = as_array(self.state["a"]).ravel()[as_array(self.state["idxs"])]
        return chosen.reshape(self.state["preferred_shape"]) if "preferred_shape" in self.state else chosen


class _Csc(_Node):
    """scipy.sparse's csc_matrix: compressed columns."""

    def array(self) -> np.ndarray:
        """The matrix, dense."""
        shape = self.state.get("_shape") or self.state["shape"]
        starts = as_array(self.state["indptr"]).astype(int)
        dense = np.zeros(shape, as_array(self.state["data"]).dtype)
        columns = np.repeat(np.arange(shape[1]), np.diff(starts))
        np.add.at(dense, (as_array(self.state["indices"]), columns), as_array(self.state["data"]))
        return dense


def as_array(value: Any) -> np.ndarray:
    """The array that a value of a plain pickle is, or stands for."""
    return value.array() if isinstance(value, _Node) else np.asarray(value)


def _new_node(kind: type, base: type, _state: Any) -> _Node:
    """copy_reg._reconstructor, for nodes alone."""
    if not (isinstance(kind, type) and issubclass(kind, _Node) and base is object):
        raise pickle.UnpicklingError(f"an object of {kind!r}")
    return kind()


def _new_array(kind: type, _shape: Any, _code: Any) -> np.ndarray:
    """numpy's _reconstruct: an empty array, whose state follows."""
    if kind is not np.ndarray:
        raise pickle.UnpicklingError(f"an array of {kind!r}")
    return np.ndarray((0,), np.int8)


def _new_scalar(dtype: np.dtype, data: bytes | str) -> Any:
    """numpy's scalar, from its bytes."""
    if dtype.hasobject:
        raise pickle.UnpicklingError("a scalar that is an object")
    return np.frombuffer(data.encode("latin1") if isinstance(data, str) else data, dtype)[0]


def _as_bytes(text: str, _encoding: str) -> bytes:
    """_codecs.encode, as Python 3 writes bytes in old protocols."""
    return text.encode("latin1")


class _Unpickler(pickle.Unpickler):
    """Refuses every name that is not listed."""

    listed: ClassVar[dict[tuple[str, str], Callable[..., Any]]] = {
        ("numpy", "ndarray"): np.ndarray,
        ("numpy", "dtype"): np.dtype,
        ("_codecs", "encode"): _as_bytes,
        ("chumpy.ch", "Ch"): _Ch,
        ("chumpy.reordering", "Select"): _Select,
        **{(f"numpy.{core}.multiarray", "_reconstruct"): _new_array for core in ("core", "_core")},
        **{(f"numpy.{core}.multiarray", "scalar"): _new_scalar for core in ("core", "_core")},
        **{(f"scipy.sparse.{csc}", "csc_matrix"): _Csc for csc in ("csc", "_csc")},
        **{(module, "_reconstructor"): _new_node for module in ("copy_reg", "copyreg")},
        **{(module, "object"): object for module in ("__builtin__", "builtins")},
        **{(module, "set"): set for module in ("__builtin__", "builtins")},
    }

    def find_class(self, module_name: str, global_name: str) -> Any:
        """What a listed name stands for here; pickle's hook."""
        try:
            return self.listed[module_name, global_name]
        except KeyError:
            raise pickle.UnpicklingError(f"the name {module_name}.{global_name}") from None


def read_pickle(path: Path) -> dict[str, Any]:
    """The dict that a pickle of numbers holds; anything else in it is refused, and not run."""
    if not path.is_file():
        raise InputError(path, "no such file", "a pickle of the data set or model", "docs/datasets.md, docs/stack.md")
    try:
        with path.open("rb") as file:
            content = _Unpickler(file, encoding="latin1").load()
    except (pickle.UnpicklingError, EOFError, ValueError, TypeError, LookupError, AttributeError, ImportError) as error:
        raise InputError(
            path, f"a pickle with {error}", "numpy arrays, scipy's csc, chumpy's Ch and Select, nothing else",
            "do not open it with other programs either: get the file from its owners again",
        ) from error  # fmt: skip
    if not isinstance(content, dict):
        raise InputError(path, f"a {type(content).__name__}", "a dict of arrays", "get the file again")
    return content
