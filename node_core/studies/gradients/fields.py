"""The fields whose gradients are studied: their names, looks and sliders. Torch-free."""

from __future__ import annotations

from dataclasses import dataclass

from node_core.fields.systems.system import Parameter


@dataclass(frozen=True)
class Field:
    """A field whose gradient is studied.

    Attributes:
        parameters: the sliders; they are also, with `weights`, what dL/dtheta is taken by.
        theta: names (LaTeX) of the entries of theta; empty for a net, which has too many to name.
        y0, target: the initial state, and the z* of the loss 1/2 sum |z(t_i) - z*|^2.
    """

    key: str
    name: str
    latex: str
    state_names: tuple[str, ...]
    parameters: tuple[Parameter, ...]
    theta: tuple[str, ...]
    y0: tuple[float, ...]
    target: tuple[float, ...]


FIELDS = {
    field.key: field
    for field in (
        Field(
            "learned",
            "Learned spiral (ODE-Net)",
            r"\dot z = W_2 \tanh(W_1 z + b_1) + b_2",
            ("z₁", "z₂"),
            (),
            (),
            (0.25, 0.0),
            (1.0, -0.3),
        ),
        Field(
            "linear",
            "Linear spiral",
            r"\dot z = A z, \qquad A = \begin{pmatrix} -\delta & -\omega \\ \omega & -\delta \end{pmatrix}",
            ("z₁", "z₂"),
            (
                Parameter("delta", r"\delta", 0.2, 0.0, 2.0, step=0.05),
                Parameter("omega", r"\omega", 2.0, 0.0, 5.0, step=0.1),
            ),
            ("A_{11}", "A_{12}", "A_{21}", "A_{22}"),
            (2.0, 0.0),
            (0.5, 0.5),
        ),
        Field(
            "van_der_pol",
            "Van der Pol",
            r"\dot z_1 = z_2, \qquad \dot z_2 = \mu (1 - z_1^2)\, z_2 - z_1",
            ("z₁", "z₂"),
            (Parameter("mu", r"\mu", 5.0, 0.1, 8.0, step=0.1),),
            (r"\mu",),
            (2.0, 0.0),
            (0.5, 0.5),
        ),
    )
}
