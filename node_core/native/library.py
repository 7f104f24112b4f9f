"""The compiled kernel as ctypes sees it: found and loaded once, the fastest variant that this machine can run.

A call releases Python's lock, and the library has no state between calls, so that threads may solve side by side.
"""

from __future__ import annotations

import ctypes
import os
from ctypes import c_double, c_int32, c_int64, c_void_p
from functools import cache

import torch

from node_core.native.build import library_path, variants

SWITCH = "NODE_NATIVE"  # "0" turns the kernel off
SUFFIXES = {torch.float32: "float", torch.float64: "double"}
ACTIVATIONS = ("tanh", "softplus", "elu", "relu", "sigmoid")  # by their numbers in vectors.hpp


class Network(ctypes.Structure):
    """The field, as net.hpp has it."""

    _fields_ = (
        ("dim", c_int32),
        ("timed", c_int32),
        ("layers", c_int32),
        ("activation", c_int32),
        ("widths", c_int32 * 3),
        ("parameters", c_void_p),
    )


class Tableau(ctypes.Structure):
    """The method, as solve.hpp has it."""

    _fields_ = (
        *(
            (name, c_int32)
            for name in ("stages", "total", "used", "fsal", "needs_f1", "error_order", "degree")
        ),
        *((name, c_void_p) for name in ("a", "b", "b_error", "c", "dense")),
    )


class Job(ctypes.Structure):
    """One solve, as solve.hpp has it: what is asked for, then what came out."""

    _fields_ = (
        ("network", Network),
        *((name, c_void_p) for name in ("tableau", "y0", "ys", "slope", "ts")),
        *((name, c_int64) for name in ("batch", "n_ts", "max_steps", "tape_bytes")),
        ("rtol", c_double),
        ("atol", c_double),
        ("beta", c_double * 3),
        *((name, c_double) for name in ("safety", "smallest", "largest", "floor")),
        *((name, c_double) for name in ("dt", "dt0", "max_step", "time_limit")),
        ("keep", c_int32),
        ("status", c_int32),
        *((name, c_int64) for name in ("n_outputs", "nfe", "n_rows", "n_steps")),
        ("t_end", c_double),
    )


class Functions:
    """The library's functions for one number type."""

    def __init__(self, library: ctypes.CDLL, suffix: str) -> None:
        def function(name: str, result: type | None, *arguments: type) -> ctypes._NamedFuncPointer:
            found = getattr(library, f"{name}_{suffix}")
            found.restype, found.argtypes = result, arguments
            return found

        self.solve = function("solve", c_void_p, c_void_p)
        self.rows = function("rows", None, c_void_p, c_void_p)
        self.steps = function("steps", None, c_void_p, c_void_p, c_void_p, c_void_p)
        self.back = function("back", c_int64, *[c_void_p] * 2, c_int64, *[c_void_p] * 3)
        self.release = function("release", None, c_void_p)


@cache
def _functions() -> dict[torch.dtype, Functions]:
    """What was compiled, by number type; empty where nothing was, or where it cannot be loaded."""
    try:
        library = ctypes.CDLL(str(library_path("baseline")))
        if "avx2" in variants() and library.has_avx2():
            library = ctypes.CDLL(str(library_path("avx2")))
        return {dtype: Functions(library, suffix) for dtype, suffix in SUFFIXES.items()}
    except OSError:
        return {}


def functions(dtype: torch.dtype) -> Functions | None:
    """The kernel for a number type; None where it was not compiled, or is turned off by NODE_NATIVE=0."""
    return None if os.environ.get(SWITCH) == "0" else _functions().get(dtype)
