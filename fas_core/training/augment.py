"""The thesis' training augmentations (sections 3.2.3 and 3.6.3, table 3.5), on batches, on the batch's device.

They come after standard scaling, which would cancel a change of brightness or contrast. What becomes of an image is a
function of its own pixels and its own draws. Numbers are drawn for all images, also for those that an augmentation
leaves alone: nothing that happens to one image shifts the numbers of another.
"""

from __future__ import annotations

from collections.abc import Collection

import torch
from kornia.geometry.transform import get_affine_matrix2d, warp_affine
from torch import Tensor

from fas_core.errors import BadInputError
from fas_core.models.draws import Draws

FREQUENCIES: dict[str, float] = {
    "standard_scaling": 1.0,  # `images.standard_scaled` does it when the batch is made; here it is only a known name
    "random_brightness": 1.0,
    "random_gaussian_noise": 0.47,
    "random_contrast": 0.17,
    "random_cutout": 0.51,
    "random_rotation": 0.3,
    "random_translation": 0.3,
    "random_zoom": 0.3,
    "right_left_flip": 0.5,
}
"""Table 3.5, in its order: the probability with which each augmentation happens to an image."""

RANGES: dict[str, tuple[float, float]] = {
    "random_brightness": (-0.1, 0.1),  # added to every pixel, in units of [0, 1]
    "random_gaussian_noise": (0.0, 0.05),  # standard deviation, in units of [0, 1]
    "random_contrast": (0.8, 1.2),  # factor on the distance from the image's mean
    "random_cutout": (0.1, 0.25),  # side of one square, as a share of the image's shorter side
    "random_rotation": (-10.0, 10.0),  # degrees about the centre, clockwise
    "random_translation": (-0.06, 0.06),  # to the right and down, as shares of width and height
    "random_zoom": (0.9, 1.1),  # factor on lengths, about the centre
}
"""From where the amount of an augmentation is drawn, uniformly. The ranges are ours: the thesis gives frequencies only.

They suit roughly centred faces that fill the image: each change can be seen, and could come from the camera, the light
or the face detector.
"""

CUTOUT_GRAY = 0.5
"""What fills a cutout: about the mean of any image after standard scaling."""


def require_known(names: Collection[str]) -> None:
    """Raises BadInputError for a name that is not in FREQUENCIES."""
    if unknown := sorted(set(names) - FREQUENCIES.keys()):
        raise BadInputError(f"There is no augmentation '{unknown[0]}'. Augmentations: {', '.join(FREQUENCIES)}.")


def augmented(x: Tensor, names: Collection[str], draws: Draws) -> Tensor:
    """`x` (n, c, H, W) in [0, 1] with the augmentations `names`, as a new tensor of that shape and range.

    `draws` are those of the n images; the order of `names` is of no consequence. An image to which nothing happens
    comes out bit for bit as it was. Call it outside autocast, which would round the coordinates of the warp. Raises
    BadInputError for a name that is not in FREQUENCIES.
    """
    require_known(names)

    def amount(name: str, neutral: float, *shape: int) -> Tensor:
        """(n, *shape) from the range of `name` where it happens to an image, `neutral` elsewhere."""
        if name not in names:
            return x.new_full((len(draws), *shape), neutral)
        happens = draws.happens(FREQUENCIES[name]).view(-1, *(1 for _ in shape))
        return torch.where(happens, draws.uniform(*RANGES[name], *shape), neutral).to(x)

    y = x
    if "right_left_flip" in names:  # not in the warp: turning the rows round is exact
        flips = draws.happens(FREQUENCIES["right_left_flip"]).to(x.device)
        y = torch.where(flips.view(-1, 1, 1, 1), y.flip(-1), y)
    y = _warped(
        y,
        clockwise=amount("random_rotation", 0.0),
        shift=amount("random_translation", 0.0, 2),
        zoom=amount("random_zoom", 1.0),
    )
    # About the mean, and written so that the factor 1 adds an exact zero.
    y = y + (amount("random_contrast", 1.0, 1, 1, 1) - 1) * (y - y.mean((2, 3), keepdim=True))
    y = y + amount("random_brightness", 0.0, 1, 1, 1)
    if "random_gaussian_noise" in names:
        y = y + amount("random_gaussian_noise", 0.0, 1, 1, 1) * draws.normal(*x.shape[1:]).to(x)
    if "random_cutout" in names:
        y = _cut(y, share=amount("random_cutout", 0.0, 1, 1, 1), place=draws.uniform(0, 1, 2, 1, 1, 1).to(x))
    return y.clamp(0, 1)


def _warped(x: Tensor, clockwise: Tensor, shift: Tensor, zoom: Tensor) -> Tensor:
    """`x` turned by degrees (n,) and zoomed by a factor (n,) about its centre, then shifted by (n, 2) of its size.

    One bilinear interpolation for all three. What comes into view continues the border: black there would be an edge
    that no camera makes.
    """
    moves = (clockwise != 0) | (shift != 0).any(1) | (zoom != 1)
    if not moves.any():
        return x
    height, width = x.shape[-2:]
    size = x.new_tensor([width, height])
    centre = ((size - 1) / 2).expand(len(x), 2)
    matrix = get_affine_matrix2d(shift * size, centre, zoom[:, None].expand(-1, 2), clockwise)
    warped = warp_affine(x, matrix[:, :2], (height, width), padding_mode="border")
    return torch.where(moves.view(-1, 1, 1, 1), warped, x)  # an interpolation moves nothing by nothing only nearly


def _cut(x: Tensor, share: Tensor, place: Tensor) -> Tensor:
    """`x` with a gray square, wholly inside, of a share (n, 1, 1, 1) of the shorter side, rounded up to whole pixels.

    `place` (n, 2, 1, 1, 1) in [0, 1): from the top to the bottom, and from the left to the right.
    """
    height, width = x.shape[-2:]
    side = (share * min(height, width)).ceil()
    top = (place[:, 0] * (height - side + 1)).floor()
    left = (place[:, 1] * (width - side + 1)).floor()
    row = torch.arange(height, device=x.device)[:, None]
    column = torch.arange(width, device=x.device)
    inside = (top <= row) & (row < top + side) & (left <= column) & (column < left + side)
    return torch.where(inside, CUTOUT_GRAY, x)
