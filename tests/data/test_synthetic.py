"""The rendered data set: the same to the byte, true to the thesis' protocol, its attacks no blurred faces."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from scipy import ndimage

from fas_core.data import regions
from fas_core.data.boxes import EYES
from fas_core.data.names import CROP, POINTS
from fas_core.data.synthetic.data_set import render_data_set
from fas_core.data.synthetic.heads import head_at_rest, view_of
from fas_core.data.synthetic.noise import rng_of
from fas_core.data.synthetic.people import sessions_of_subject, traits_of_subject
from fas_core.errors import BadInputError

SHARE = 0.1
SUBSETS = {"train", "live", "seen_paper", "unseen_paper", "seen_mask", "unseen_mask"}


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return render_data_set(tmp_path_factory.mktemp("rendered"), subjects=6, processes=2, share=SHARE)


@pytest.fixture(scope="module")
def table(manifest: Path) -> pd.DataFrame:
    return pd.read_csv(manifest, keep_default_na=False)


@pytest.fixture(scope="module")
def images(manifest: Path, table: pd.DataFrame) -> np.ndarray:
    """(n, 128, 128) in [0, 1], in the manifest's order."""
    return np.stack([np.asarray(Image.open(manifest.parent / path), dtype=np.float32) for path in table["path"]]) / 255


def files(root: Path) -> dict[str, bytes]:
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def correlations(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(n, m) Pearson correlation of every image of `a` with every image of `b`."""
    flat = [v.reshape(len(v), -1) - v.reshape(len(v), -1).mean(axis=1, keepdims=True) for v in (a, b)]
    flat = [v / np.linalg.norm(v, axis=1, keepdims=True) for v in flat]
    return flat[0] @ flat[1].T


def test_bytes_do_not_depend_on_processes(manifest: Path, tmp_path: Path) -> None:
    again = render_data_set(tmp_path, subjects=6, processes=1, share=SHARE)
    assert files(tmp_path) == files(manifest.parent)
    assert again == tmp_path / "manifest.csv"


def test_another_seed_gives_other_images_and_progress_is_told(manifest: Path, tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    render_data_set(
        tmp_path,
        seed=1,
        subjects=6,
        processes=1,
        share=0.01,
        on_progress=lambda done, total: seen.append((done, total)),
    )
    first, other = files(manifest.parent), files(tmp_path)
    shared = [name for name in other if name in first and name.endswith(".png")]
    assert len(shared) > 20
    assert all(first[name] != other[name] for name in shared)
    assert seen == [(done, 6) for done in range(1, 7)]


def test_every_subset_has_its_classes(table: pd.DataFrame) -> None:
    assert set(table["subset"]) == SUBSETS
    for subset, rows in table.groupby("subset"):
        wanted = {""} if subset in ("train", "live") else {"", str(subset).split("_")[1]}
        assert set(rows["pai_species"]) == wanted, subset
    assert ((table["label"] == "attack") == (table["pai_species"] != "")).all()
    assert "mannequin" in set(table.loc[table["subset"] == "unseen_mask", "attack_detail"])
    assert "mannequin" not in set(table.loc[table["subset"] == "seen_mask", "attack_detail"])


def test_nothing_leaks_between_subsets(table: pd.DataFrame) -> None:
    assert table["sample_id"].is_unique
    assert table["path"].is_unique
    for column in ("subset", "subject_id", "label"):
        assert len(table[["session_id", column]].drop_duplicates()) == table["session_id"].nunique(), column
    subjects = {str(name): set(rows["subject_id"]) for name, rows in table.groupby("subset")}
    for apart in ("live", "unseen_paper", "unseen_mask"):
        for other in SUBSETS - {apart}:
            assert not subjects[apart] & subjects[other], (apart, other)
    assert subjects["seen_paper"] | subjects["seen_mask"] == subjects["train"]


def test_default_set_has_the_promised_size() -> None:
    sessions = [session for subject in range(30) for session in sessions_of_subject(0, subject, 1.0)]
    frames = pd.DataFrame([vars(session) for session in sessions])
    assert 2400 <= frames["frames"].sum() <= 2800
    sizes = frames.groupby(["subset", frames["species"] != ""])["frames"].sum()
    assert 1050 <= sizes["train", False] <= 1150
    for subset in sorted(SUBSETS - {"train", "live"}):
        assert 130 <= sizes[subset, False] <= 170, subset
        assert 130 <= sizes[subset, True] <= 170, subset


def test_it_is_told_where_eyes_are_on_heads_prints_and_masks(table: pd.DataFrame, images: np.ndarray) -> None:
    """As a detector sees them: within two pixels mostly."""
    places = regions.placed(table)
    assert places.has_eyes.all()
    some = table.groupby("pai_species").head(6).index
    seen = regions.seen(np.uint8(255 * images[some]))
    off = 128 * np.linalg.norm(seen.eyes - places.eyes[some], axis=2).max(1)
    by_species = pd.Series(off).groupby(table["pai_species"][some].to_numpy()).median()
    assert len(by_species) == 3
    assert (by_species < 4).all()
    assert np.nanmedian(128 * np.linalg.norm(seen.mouth - places.mouth[some], axis=1)) < 4


def test_columns_are_filled(table: pd.DataFrame) -> None:
    free = ["glasses", "hat", "beard", "hand"]
    poses = ["pose_x", "pose_y", "pose_z"]
    named = ["path", "sample_id", "label", "pai_species", "subject_id", "session_id", "subset", "video_id", "frame"]
    assert set(table.columns) == {*named, *poses, *EYES, *POINTS, *CROP, *free, "attack_detail"}
    assert set(np.unique(table[free])) == {"yes", "no"}
    assert (table.drop(columns=["pai_species", "attack_detail"]).astype(str) != "").all(axis=None)
    assert ((table["attack_detail"] != "") == (table["label"] == "attack")).all()
    assert table["pose_x"].std() > 3
    assert table[poses].abs().max().max() < 45


def test_images_are_gray_faces_with_contrast(manifest: Path, table: pd.DataFrame, images: np.ndarray) -> None:
    with Image.open(manifest.parent / table["path"][0]) as image:
        assert (image.size, image.mode, image.format) == ((128, 128), "L", "PNG")
    assert images.shape == (len(table), 128, 128)
    live = images[table["label"] == "bona_fide"]
    assert (images.std(axis=(1, 2)) > 0.05).all()
    assert ((images > 0.99).mean(axis=(1, 2)) < 0.5).all()
    middle, corners = live[:, 40:90, 40:90].mean(axis=(1, 2)), live[:, :16, :16].mean(axis=(1, 2))
    assert (middle > 0.25).all()
    assert np.mean(middle > corners + 0.1) > 0.9  # a bright face before a dark cabin


def test_pose_moves_the_nose() -> None:
    """pose_x turns the tip of the nose right, pose_y lifts it, and pose_z takes the right eye down."""
    head = head_at_rest(rng_of(0), traits_of_subject(0, 0))
    tip, eye = [0.0, 0.3, 1.05], [0.3, -0.05, 0.8]

    def at(point: list[float], *pose: float) -> np.ndarray:
        return np.array(view_of((pose[0], pose[1], pose[2]), 1.0, np.zeros(2)).points(np.array([point]))[0])

    assert head.z.max() > 0.95
    assert at(tip, 20, 0, 0)[0] > at(tip, 0, 0, 0)[0] + 5 > at(tip, -20, 0, 0)[0] + 10
    assert at(tip, 0, 15, 0)[1] < at(tip, 0, 0, 0)[1] - 5
    assert at(eye, 0, 0, 10)[1] > at(eye, 0, 0, 0)[1] + 5


def test_a_print_is_no_blurred_live_image(table: pd.DataFrame, images: np.ndarray) -> None:
    """No live frame of the subject, however blurred, comes near a print of it; neighbouring live frames do."""
    best = []
    for _, rows in table.groupby("subject_id"):
        prints = images[rows.index[rows["pai_species"] == "paper"]]
        live = images[rows.index[rows["label"] == "bona_fide"]]
        if len(prints):
            blurred = [ndimage.gaussian_filter(live, (0, sigma, sigma)) for sigma in (0.0, 1.0, 2.0, 4.0)]
            best.append(max(correlations(prints, some).max() for some in blurred))
    assert len(best) >= 3
    assert max(best) < 0.95


def test_masks_look_unlike_live_faces(table: pd.DataFrame, images: np.ndarray) -> None:
    """The eyes behind a mask lie in dark holes, and its cheeks have neither pores nor stubble."""
    smooth = ndimage.gaussian_filter(images, (0, 1.0, 1.0))
    face = np.median(smooth[:, 30:110, 40:88], axis=(1, 2))
    grain = np.abs(images - ndimage.gaussian_filter(images, (0, 1.5, 1.5)))
    eyes = np.percentile(smooth[:, 44:76, 24:104], 3, axis=(1, 2)) / face
    cheeks = grain[:, 70:110, 36:92].mean(axis=(1, 2)) / face
    for statistic in (eyes, cheeks):
        live, mask = statistic[table["label"] == "bona_fide"], statistic[table["pai_species"] == "mask"]
        assert np.mean(live[:, None] > mask[None, :]) > 0.7


def test_too_few_subjects_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="at least 6"):
        render_data_set(tmp_path, subjects=5)
    assert not list(tmp_path.iterdir())


def test_an_interrupted_rendering_goes_on_and_ends_the_same(manifest: Path, tmp_path: Path) -> None:
    def interrupted(done: int, total: int) -> None:
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        render_data_set(tmp_path, subjects=6, processes=1, share=SHARE, on_progress=interrupted)
    assert not (tmp_path / "manifest.csv").exists()
    first = tmp_path / next(p for p in pd.read_csv(manifest)["path"] if "/s01/" in p)
    stamp = first.stat().st_mtime_ns
    again = render_data_set(tmp_path, subjects=6, processes=1, share=SHARE)
    assert first.stat().st_mtime_ns == stamp  # not rendered twice
    assert again.read_bytes() == manifest.read_bytes()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["images", "manifest.csv"]
