"""Rooted trees and their order conditions (Butcher 2016, section 3; Hairer, Norsett, Wanner I, II.2).

A tree is the sorted tuple of its subtrees, so the single vertex is `()`. A Runge-Kutta method has order p if
b . Phi(tree) = 1 / gamma(tree) for every tree with at most p vertices, and a continuous extension b(theta)
has order p if b(theta) . Phi(tree) = theta^|tree| / gamma(tree) for the same trees and every theta.
"""

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

Tree = tuple[Any, ...]
FloatArray = npt.NDArray[np.float64]


@cache
def trees_of_order(order: int) -> tuple[Tree, ...]:
    """All rooted trees with `order` vertices: 1, 1, 2, 4, 9, 20, 48, 115, 286, ..."""
    return tuple(sorted(_forests(order - 1, order - 1), key=repr))


@cache
def _forests(vertices: int, largest: int) -> tuple[Tree, ...]:
    """All sorted tuples of trees with `vertices` vertices in sum and at most `largest` in one tree."""
    if vertices == 0:
        return ((),)
    found: set[Tree] = set()
    for size in range(1, min(vertices, largest) + 1):
        for tree in trees_of_order(size):
            for rest in _forests(vertices - size, size):
                found.add(tuple(sorted((tree, *rest), key=repr)))
    return tuple(found)


def trees_up_to(order: int) -> tuple[Tree, ...]:
    """All rooted trees with at most `order` vertices."""
    return tuple(tree for size in range(1, order + 1) for tree in trees_of_order(size))


def vertices(tree: Tree) -> int:
    """|tree|, the number of vertices."""
    return 1 + sum(vertices(child) for child in tree)


def gamma(tree: Tree) -> int:
    """The density of a tree: |tree| times the densities of its subtrees."""
    product = vertices(tree)
    for child in tree:
        product *= gamma(child)
    return product


def elementary_weights(a: FloatArray, trees: Sequence[Tree]) -> FloatArray:
    """Phi, shape (trees, stages): Phi_i(tree) is the product over the subtrees of (A Phi(subtree))_i."""
    known: dict[Tree, FloatArray] = {}

    def phi(tree: Tree) -> FloatArray:
        if tree not in known:
            value = np.ones(a.shape[0])
            for child in tree:
                value = value * (a @ phi(child))
            known[tree] = value
        return known[tree]

    return np.stack([phi(tree) for tree in trees])


def order_residuals(a: FloatArray, b: FloatArray, order: int, theta: float = 1.0) -> FloatArray:
    """Residuals b . Phi(tree) - theta^order / gamma(tree) for every tree with exactly `order` vertices."""
    trees = trees_of_order(order)
    exact = np.array([theta**order / gamma(tree) for tree in trees])
    return elementary_weights(a, trees) @ b - exact
