"""What other libraries call their methods, and what there is of it here. Loads no array library.

One method has one name: it stands in addresses, in results and in code that is shown. So a name of another library is
not taken silently but answered with ours, and whether ours is the same formula or only its next of kin.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any

# In lower case without signs: what is the same formula here, up to how steps are chosen ...
_SAME = {
    "euler": ("forwardeuler", "expliciteuler"),
    "midpoint": ("rk2", "explicitmidpoint"),
    "heun": ("heun2", "improvedeuler", "explicittrapezoid"),
    "rk4": ("rk4classic", "rungekutta4", "classicalrk4"),
    "bosh3": ("rk23", "ode23", "bs3", "bogackishampine", "bogackishampine32"),
    "fehlberg45": ("rkf45", "rkf54", "fehlberg"),
    "dopri5": ("rk45", "ode45", "dp5", "dormandprince", "dormandprince54"),
    "tsit5": ("tsitouras", "tsitouras54"),
    "semi_implicit_euler": ("symplecticeuler", "eulercromer"),
    "leapfrog": ("verlet", "velocityverlet", "stoermerverlet", "stormerverlet"),
    "yoshida4": ("yoshida", "forestruth"),
    "implicit_euler": ("backwardeuler", "bdf1"),
    "trapezoid": ("trapezoidal", "cranknicolson", "ode23t"),
    "scipy_lsoda": ("lsoda", "odeint"),
    "scipy_radau": ("radau", "radau5", "radauiia5"),
    "scipy_adams": ("vode", "zvode"),
}
# ... or comes next to it.
_NEAR = {
    "rodas5p": (
        *("bdf", "ndf", "qndf", "fbdf", "cvodebdf", "ode15s", "ode23s", "ode23tb", "trbdf2", "rosenbrock23"),
        *("rodas4", "rodas5", "kvaerno3", "kvaerno4", "kvaerno5", "sil3"),
        *("kencarp3", "kencarp4", "kencarp5", "sdirk2", "gl2", "gl4", "gl6", "radauiia3"),
    ),
    "dopri8": ("dop853", "rk853", "ode78", "ode89", "vern6", "vern7", "vern8", "vern9"),
    "bosh3": ("adaptiveheun", "heuneuler", "fehlberg2", "rkf12", "ssprk3"),
    "midpoint": ("reversibleheun", "leapfrogmidpoint", "asynchronousleapfrog", "alf"),
    "scipy_adams": ("ode113", "cvodeadams", "explicitadams", "implicitadams", "fixedadams", "adams"),
}


def meant_by(method: Any, ours: Mapping[str, Any]) -> str:
    """What to say of a method that there is not: how it is called here, what comes next to it, or was misspelt.

    Args:
        method: what was passed: a name, or another library's solver, class or object.
        ours: this library's methods by name; whatever has `stiff` set is made for stiff problems.
    """
    name = method if isinstance(method, str) else getattr(method, "__name__", type(method).__name__)
    bare = "".join(c for c in name.lower() if c.isalnum())
    for known in ours:
        if bare == known.replace("_", "") or bare in _SAME.get(known, ()):
            return f"here it is called {known!r}. All methods"
    for known, others in _NEAR.items():
        if bare in others:
            stiff = " (or 'scipy_radau' and 'scipy_lsoda' of SciPy)" if ours[known].stiff else ""
            return f"there is none here, {known!r} comes next to it{stiff}. All methods"
    closest = difflib.get_close_matches(name.lower(), ours, n=1, cutoff=0.5)
    return f"did you mean {closest[0]!r}? All methods" if closest else "choose one of"
