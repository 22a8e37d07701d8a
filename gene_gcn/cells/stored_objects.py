"""Read texts and numbers that Python has stored as objects, without running what else the file may hold.

pandas stores a Series of texts as a pickle, which is a program: loading it may run anything. Here the few
instructions that such a Series needs are followed, without importing or calling what they name.
"""

from __future__ import annotations

import pickletools
from typing import Any

import numpy as np

from gene_gcn.errors import ArgumentError

__all__ = ["read_objects"]

_ARRAY_NAMES = {
    *(f"{module} _reconstruct" for module in ("numpy.core.multiarray", "numpy._core.multiarray")),
    "numpy ndarray",
    "numpy dtype",
    "_codecs encode",  # of the letter that stands for the dtype of a new array
}
_MARK = object()
_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_VALUES = {
    *("BININT", "BININT1", "BININT2", "LONG1", "LONG4", "INT", "LONG", "BINFLOAT", "FLOAT"),
    *("SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8", "UNICODE"),
    *("SHORT_BINBYTES", "BINBYTES", "BINBYTES8", "SHORT_BINSTRING", "BINSTRING", "STRING"),
}
_MEMO_PUTS, _MEMO_GETS = {"BINPUT", "LONG_BINPUT", "PUT"}, {"BINGET", "LONG_BINGET", "GET"}


def read_objects(data: bytes) -> np.ndarray:
    """Return the values of a pickled one-dimensional array of texts, numbers, booleans and missing values.

    Raises
    ------
    ArgumentError
        If the pickle holds anything else, or is damaged.
    """
    stack: list[Any] = []
    memo: dict[int, Any] = {}
    states: list[list[Any]] = []
    for code, argument, _ in pickletools.genops(data):
        name = code.name
        if name in _VALUES:
            stack.append(argument)
        elif name in _CONSTANTS:
            stack.append(_CONSTANTS[name])
        elif name in {"EMPTY_LIST", "EMPTY_TUPLE"}:
            stack.append([])
        elif name == "MARK":
            stack.append(_MARK)
        elif name in {"TUPLE", "LIST"}:
            stack.append(_pop_to_mark(stack))
        elif name in {"TUPLE1", "TUPLE2", "TUPLE3"}:
            n = int(name[-1])
            stack[-n:] = [stack[-n:]]
        elif name in {"APPEND", "APPENDS"}:
            values = [stack.pop()] if name == "APPEND" else _pop_to_mark(stack)
            stack[-1].extend(values)
        elif name == "MEMOIZE":
            memo[len(memo)] = stack[-1]
        elif name in _MEMO_PUTS:
            memo[int(str(argument))] = stack[-1]
        elif name in _MEMO_GETS:
            stack.append(memo[int(str(argument))])
        elif name in {"GLOBAL", "STACK_GLOBAL"}:
            if name == "STACK_GLOBAL":
                argument = " ".join(map(str, (stack.pop(-2), stack.pop())))
            if argument not in _ARRAY_NAMES:
                raise ArgumentError("data", f"it names {argument!r}")
            stack.append(_ARRAY_NAMES)  # stands for itself; nothing is called
        elif name == "REDUCE":
            stack[-2:] = [[]]  # an array or a dtype, whose state follows
        elif name == "BUILD":
            states.append(stack.pop())
        elif name not in {"PROTO", "FRAME", "STOP"}:
            raise ArgumentError("data", f"it has the instruction {name}")
    return _array_of(states)


def _pop_to_mark(stack: list[Any]) -> list[Any]:
    at = len(stack) - 1 - next(i for i, value in enumerate(reversed(stack)) if value is _MARK)
    values = stack[at + 1 :]
    del stack[at:]
    return values


def _array_of(states: list[list[Any]]) -> np.ndarray:
    """Return the array whose state, (version, shape, dtype, order, values), comes last."""
    if not states or len(states[-1]) != 5:
        raise ArgumentError("data", "it is not an array of objects")
    _, shape, _, _, values = states[-1]
    if not isinstance(values, list) or shape != [len(values)]:
        raise ArgumentError("data", "it is not a one-dimensional array of objects")
    for value in values:
        if value is not None and not isinstance(value, (str, int, float, bytes)):
            raise ArgumentError("data", f"it holds a {type(value).__name__}")
    array = np.empty(len(values), object)
    array[:] = values
    return array
