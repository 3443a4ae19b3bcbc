import math

import numpy as np
import pytest
import torch
from torch import Tensor

from fas_core.data.images import standard_scaled
from fas_core.errors import BadInputError
from fas_core.models.draws import Draws
from fas_core.training.augment import CUTOUT_GRAY, FREQUENCIES, RANGES, augmented

TABLE_3_5 = [
    ("standard_scaling", 1.0),
    ("random_brightness", 1.0),
    ("random_gaussian_noise", 0.47),
    ("random_contrast", 0.17),
    ("random_cutout", 0.51),
    ("random_rotation", 0.3),
    ("random_translation", 0.3),
    ("random_zoom", 0.3),
    ("right_left_flip", 0.5),
]
CHANGING = [name for name in FREQUENCIES if name != "standard_scaling"]


def pictures(n: int, size: int = 32, low: float = 0.0, high: float = 1.0) -> Tensor:
    """(n, 1, size, size) of smooth structure after standard scaling, shrunk to [low, high]."""
    rough = torch.rand(n, 1, size + 4, size + 4, generator=torch.Generator().manual_seed(5))
    smooth = torch.nn.functional.avg_pool2d(rough, 5, stride=1)
    return low + (high - low) * torch.from_numpy(standard_scaled(smooth.numpy()))


def spots(n: int, size: int, right: float = 0.0, down: float = 0.0) -> Tensor:
    """(n, 1, size, size): a Gaussian spot this many pixels from the image's centre."""
    axis = torch.arange(size) - (size - 1) / 2
    spot = torch.exp(-((axis - right) ** 2 + (axis[:, None] - down) ** 2) / 8)
    return spot.expand(n, 1, size, size)


def positions(x: Tensor) -> Tensor:
    """(n, 2): centre of mass to the right of, and below, the image's centre, in pixels."""
    axis = torch.arange(x.shape[-1]) - (x.shape[-1] - 1) / 2
    mass = x.sum((1, 2, 3))
    return torch.stack([(x * axis).sum((1, 2, 3)) / mass, (x * axis[:, None]).sum((1, 2, 3)) / mass], dim=1)


def changed(x: Tensor, y: Tensor) -> Tensor:
    """(n,) whether any bit of an image differs."""
    return (x != y).flatten(1).any(1)


def fills(values: Tensor, low: float, high: float) -> bool:
    """Whether `values` lie in [low, high] (up to what pixels and floats lose) and come near both ends."""
    slack = (high - low) * 0.02
    inside = low - slack <= values.min() and values.max() <= high + slack
    return bool(inside and values.min() < low + 5 * slack and values.max() > high - 5 * slack)


def test_the_frequencies_are_those_of_table_3_5() -> None:
    assert list(FREQUENCIES.items()) == TABLE_3_5


@pytest.mark.parametrize(
    ("names", "share"),
    [
        *(([name], FREQUENCIES[name]) for name in CHANGING),
        # All but brightness: where none of seven independent things happen, an image stays as it was, to the last bit.
        (CHANGING[1:], 1 - math.prod(1 - FREQUENCIES[name] for name in CHANGING[1:])),
    ],
    ids=[*CHANGING, "together"],
)
def test_each_happens_as_often_as_the_table_says(names: list[str], share: float) -> None:
    n = 4000
    x = pictures(n, size=12)
    observed = changed(x, augmented(x, names, Draws(0, 0, n))).double().mean().item()
    assert abs(observed - share) <= 3 * math.sqrt(share * (1 - share) / n)


def test_flip_mirrors_exactly() -> None:
    x = pictures(64)
    y = augmented(x, ["right_left_flip"], Draws(0, 0, 64))
    flipped = changed(x, y)
    assert 0 < flipped.sum() < 64
    assert torch.equal(y[flipped], x.flip(-1)[flipped])


@pytest.mark.parametrize("size", [32, 96])
def test_translation_moves_by_a_bounded_share_of_the_size(size: int) -> None:
    x = spots(250, size)
    y = augmented(x, ["random_translation"], Draws(0, 0, 250))
    moved = positions(y)[changed(x, y)] / size
    assert fills(moved[:, 0], *RANGES["random_translation"])
    assert fills(moved[:, 1], *RANGES["random_translation"])
    assert abs(np.corrcoef(moved.T)[0, 1]) < 0.3  # right and down are two draws
    torch.testing.assert_close(y.sum((1, 2, 3)), x.sum((1, 2, 3)), rtol=1e-3, atol=0)


@pytest.mark.parametrize("size", [32, 65])
def test_rotation_turns_about_the_centre_by_bounded_degrees(size: int) -> None:
    x = spots(250, size, right=size / 4)
    y = augmented(x, ["random_rotation"], Draws(0, 0, 250))
    right, down = positions(y)[changed(x, y)].T
    assert fills(torch.atan2(down, right).rad2deg(), *RANGES["random_rotation"])
    torch.testing.assert_close(torch.hypot(right, down), torch.full_like(right, size / 4), rtol=0.01, atol=0)


@pytest.mark.parametrize("size", [32, 65])
def test_zoom_scales_about_the_centre_by_a_bounded_factor(size: int) -> None:
    x = spots(250, size, right=size / 5, down=size / 5)
    y = augmented(x, ["random_zoom"], Draws(0, 0, 250))
    right, down = positions(y)[changed(x, y)].T
    assert fills(right / (size / 5), *RANGES["random_zoom"])
    torch.testing.assert_close(down, right, rtol=1e-3, atol=0)  # one factor for both directions
    area = y.sum((1, 2, 3))[changed(x, y)] / x[0].sum()
    torch.testing.assert_close(area, (right / (size / 5)) ** 2, rtol=0.05, atol=0)


def test_rotation_zoom_and_translation_together_are_about_the_centre_too() -> None:
    x = spots(250, 64)
    y = augmented(x, ["random_rotation", "random_zoom", "random_translation", "right_left_flip"], Draws(0, 0, 250))
    assert positions(y).abs().max() / 64 <= RANGES["random_translation"][1]


def test_what_comes_into_view_continues_the_border() -> None:
    x = torch.full((200, 1, 32, 32), 0.7)
    y = augmented(x, ["random_rotation", "random_zoom", "random_translation"], Draws(0, 0, 200))
    torch.testing.assert_close(y, x)


def test_brightness_shifts_every_pixel_alike_before_the_clip() -> None:
    x = pictures(400)
    y = augmented(x, ["random_brightness"], Draws(0, 0, 400))
    unclipped = (x > 0.15) & (x < 0.85)
    shift = torch.stack([(b - a)[where].mean() for a, b, where in zip(x, y, unclipped, strict=True)])
    assert fills(shift, *RANGES["random_brightness"])
    torch.testing.assert_close(y, (x + shift.view(-1, 1, 1, 1)).clamp(0, 1))
    assert y.max() == 1
    assert y.min() == 0


def test_contrast_scales_the_distance_from_the_mean() -> None:
    x = pictures(2000, low=0.2, high=0.7)
    y = augmented(x, ["random_contrast"], Draws(0, 0, 2000))
    x, y = x[changed(x, y)], y[changed(x, y)]
    mean = x.mean((2, 3), keepdim=True)
    factor = y.std((2, 3), keepdim=True) / x.std((2, 3), keepdim=True)
    assert fills(factor, *RANGES["random_contrast"])
    torch.testing.assert_close(y, mean + factor * (x - mean), rtol=0, atol=1e-5)


def test_noise_is_gaussian_white_and_of_a_bounded_deviation() -> None:
    x = torch.full((400, 1, 32, 32), 0.5)
    noise = augmented(x, ["random_gaussian_noise"], Draws(0, 0, 400)) - x
    noise = noise[changed(x, x + noise)]
    deviation = noise.std((2, 3), keepdim=True)
    assert fills(deviation.sort(0).values[:-5], *RANGES["random_gaussian_noise"])  # estimates: the largest overshoot
    standard = (noise / deviation).flatten(1)
    assert standard.mean().abs() < 0.01
    assert abs(standard.abs().mean().item() - math.sqrt(2 / math.pi)) < 0.01  # of a Gaussian
    between_pixels = (standard[:, 1:] * standard[:, :-1]).mean()
    between_images = (standard[1:] * standard[:-1]).mean()
    assert max(between_pixels.abs(), between_images.abs()) < 0.01


@pytest.mark.parametrize(("height", "width"), [(32, 32), (128, 128), (48, 96)])
def test_cutout_is_one_gray_square_of_a_bounded_size_anywhere_inside(height: int, width: int) -> None:
    n = 250
    x = torch.full((n, 1, height, width), 0.9)
    y = augmented(x, ["random_cutout"], Draws(0, 0, n))
    boxes = []
    for cut in (y != x)[changed(x, y), 0]:
        rows, columns = cut.any(1).nonzero()[:, 0], cut.any(0).nonzero()[:, 0]
        top, bottom, left, right = int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1
        assert bottom - top == right - left
        assert cut.sum() == (bottom - top) * (right - left)
        boxes.append((bottom - top, top, left, height - bottom, width - right))
    assert set(y[y != x].tolist()) == {CUTOUT_GRAY}
    side, *gaps = torch.tensor(boxes).T
    low, high = RANGES["random_cutout"]
    assert 0 <= side.min() - math.ceil(low * height) <= 1
    assert 0 <= math.ceil(high * height) - side.max() <= 1
    for gap in gaps:  # to all four borders
        assert 0 <= gap.min() <= 2
    assert abs(np.corrcoef(gaps[0], gaps[1])[0, 1]) < 0.3  # two draws


@pytest.mark.parametrize("size", [32, 96, 128])
def test_everything_at_once_stays_an_image(size: int) -> None:
    x = pictures(64, size)
    y = augmented(x, FREQUENCIES, Draws(0, 0, 64))
    assert y.shape == x.shape
    assert y.dtype == torch.float32
    assert y.min() == 0
    assert y.max() == 1
    assert changed(x, y).all()


@pytest.mark.parametrize("names", [["standard_scaling"], []])
def test_standard_scaling_alone_changes_nothing(names: list[str]) -> None:
    x = pictures(8)
    assert torch.equal(augmented(x, names, Draws(0, 0, 8)), x)


@pytest.mark.parametrize("names", [[name] for name in FREQUENCIES] + [list(FREQUENCIES)])
def test_the_input_is_left_alone(names: list[str]) -> None:
    x = pictures(16)
    before = x.clone()
    augmented(x, names, Draws(0, 0, 16)).zero_()
    assert torch.equal(x, before)


def test_the_draws_alone_decide() -> None:
    x = pictures(16)
    torch.manual_seed(1)
    state = torch.get_rng_state()
    y = augmented(x, FREQUENCIES, Draws(0, 7, 16))
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(2)
    assert torch.equal(augmented(x, FREQUENCIES, Draws(0, 7, 16)), y)
    assert torch.equal(augmented(x, CHANGING[::-1], Draws(0, 7, 16)), y)
    assert changed(y, augmented(x, FREQUENCIES, Draws(0, 8, 16))).all()


def test_a_shared_batch_is_augmented_like_the_whole() -> None:
    n = 16
    x = pictures(n)
    whole = augmented(x, FREQUENCIES, Draws(0, 3, n))
    # Single images too: to some of them none of the moves happen, and they still draw the others' numbers.
    for rows in ([*range(0, n, 2)], [*range(1, n, 2)], *([row] for row in range(n))):
        assert torch.equal(augmented(x[rows], FREQUENCIES, Draws(0, 3, n, rows)), whole[rows])


def test_no_image_feels_the_others() -> None:
    x = pictures(16)
    others = x.clone()
    others[1:] = 1 - others[1:].flip(-2)
    y, z = (augmented(batch, FREQUENCIES, Draws(0, 3, 16)) for batch in (x, others))
    assert torch.equal(y[0], z[0])
    assert changed(y, z)[1:].all()


def test_an_unknown_name_is_answered_with_the_choices() -> None:
    with pytest.raises(
        BadInputError, match=r"no augmentation 'blur'. Augmentations: standard_scaling, .*right_left_flip"
    ):
        augmented(pictures(2), ["random_zoom", "blur"], Draws(0, 0, 2))
