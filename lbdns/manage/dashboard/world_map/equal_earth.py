"""The Equal Earth projection: degrees to a plane on which areas are true.

Šavrič, Patterson, Jenny: The Equal Earth map projection, International Journal of Geographical Information Science 33
(2019), equations 3 and 6 on a sphere of radius 1.
"""

from __future__ import annotations

from math import asin, cos, radians, sin, sqrt
from typing import Final

A1: Final = 1.340264
A2: Final = -0.081106
A3: Final = 0.000893
A4: Final = 0.003796
_ROOT_3: Final = sqrt(3)


def project(longitude: float, latitude: float) -> tuple[float, float]:
    """Return x (east) and y (north) of a point in degrees: within 2.7067 and 1.3174 of the middle."""
    theta = asin(_ROOT_3 / 2 * sin(radians(latitude)))
    square = theta * theta
    sixth = square**3
    x = 2 * _ROOT_3 * radians(longitude) * cos(theta)
    x /= 3 * (9 * A4 * sixth * square + 7 * A3 * sixth + 3 * A2 * square + A1)
    return x, theta * (A4 * sixth * square + A3 * sixth + A2 * square + A1)
