"""The frames of one video as they come, as a player shows them; and what is wrong with its file."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from fas_core.data import images
from fas_core.errors import BadInputError
from fas_core.files import opened_file

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

# No playlists: they name other files, and addresses.
FORMATS = (
    "mov,mp4,m4a,3gp,3g2,mj2,avi,matroska,webm,asf,mpeg,mpegts,mpegvideo,flv,ogg,mxf,mjpeg,m4v,h264,hevc,ivf,av1,dv,nut"
)


def require_av() -> None:
    """Raises BadInputError where PyAV is not installed."""
    try:
        import av  # noqa: F401
    except ImportError as error:
        raise BadInputError("Reading videos needs PyAV: pip install 'fas-explorer[video]'.") from error


@dataclass(frozen=True)
class Display:
    """How the pictures of a video, stored as `width` x `height`, are shown: their pixels made square, then transposed,
    mirrored left to right, turned upside down."""

    width: int
    height: int
    pixel_ratio: float = 1.0  # width of a pixel by its height
    is_transposed: bool = False
    is_mirrored: bool = False
    is_upside_down: bool = False

    @staticmethod
    def of(frame: VideoFrame, pixel_ratio: float) -> Display:
        """By a frame's display matrix: multiples of 90 degrees."""
        ratio = pixel_ratio if 0.2 < pixel_ratio < 5 else 1.0
        side_data: Any = frame.side_data.get("DISPLAYMATRIX")
        if side_data is None:
            return Display(frame.width, frame.height, ratio)
        # x' = ax + cy, y' = bx + dy
        a, b, _, c, d = (int(x) for x in np.frombuffer(bytes(side_data), np.int32)[:5])
        turn = (True, c < 0, b < 0) if abs(b) > abs(a) else (False, a < 0, d < 0)
        return Display(frame.width, frame.height, ratio, *turn)

    @property
    def is_turned(self) -> bool:
        return self.is_transposed or self.is_mirrored or self.is_upside_down

    @property
    def is_as_stored(self) -> bool:
        return not self.is_turned and self.pixel_ratio == 1

    @property
    def size(self) -> tuple[int, int]:
        """Width and height as shown."""
        level = (max(1, round(self.width * self.pixel_ratio)), self.height)
        return level[::-1] if self.is_transposed else level

    def picture(self, frame: VideoFrame) -> Image.Image:
        """The frame as it is shown, RGB."""
        picture = Image.fromarray(frame.to_ndarray(format="rgb24"))
        if self.pixel_ratio != 1:
            width = max(1, round(picture.width * self.pixel_ratio))
            picture = picture.resize((width, picture.height), Image.Resampling.LANCZOS)
        for is_so, how in (
            (self.is_transposed, Image.Transpose.TRANSPOSE),
            (self.is_mirrored, Image.Transpose.FLIP_LEFT_RIGHT),
            (self.is_upside_down, Image.Transpose.FLIP_TOP_BOTTOM),
        ):
            picture = picture.transpose(how) if is_so else picture
        return picture

    def points(self, stored: NDArray[np.float64]) -> NDArray[np.float64]:
        """(n, 2) x, y in pixels of the stored picture -> in those of the picture as shown."""
        shown = stored * [self.pixel_ratio, 1.0]
        shown = shown[:, ::-1] if self.is_transposed else shown
        width, height = self.size
        x = width - shown[:, 0] if self.is_mirrored else shown[:, 0]
        y = height - shown[:, 1] if self.is_upside_down else shown[:, 1]
        return np.stack([x, y], 1)


def first_picture(path: Path) -> tuple[Image.Image, int, Display]:
    """The first frame of a video that can be read, as it is shown; its number; how it is shown.

    Raises UnreadableImageError with the reason where there is none, BadInputError where PyAV is missing.
    """
    require_av()
    try:
        opened_file(path).close()  # a pipe or device would block or never end
    except OSError as error:
        raise images.UnreadableImageError(f"cannot be read: {error.strerror}") from error
    reading = Reading(path)
    for number, _, frame in reading.frames():
        display = Display.of(frame, reading.pixel_ratio)
        return display.picture(frame), number, display
    reason = "damaged: from its first frame on" if reading.problem == DAMAGED else reading.problem
    raise images.UnreadableImageError(reason)


DAMAGED = "damaged"  # a problem: whoever reads says where


@dataclass
class Reading:
    """Frames as they come, and what goes wrong on the way."""

    path: Path
    problem: str = ""
    notes: set[str] = field(default_factory=set)
    n: int = 0
    pixel_ratio: float = 1.0  # width of a pixel by its height

    def frames(self) -> Iterator[tuple[int, float, VideoFrame]]:
        """(number, seconds, frame) up to the first fault; one at a time, so that memory stays flat."""
        import av

        try:
            with _opened(self.path) as container:
                stream = _stream(container)
                self.pixel_ratio = float(stream.sample_aspect_ratio or 1) or 1.0
                yield from self._timed(stream, self._decoded(container, stream))
                if not self.n and not self.problem:
                    self.problem = "no frames: its video stream is empty"
        except _Unusable as error:
            self.problem = str(error)
        except (av.error.FFmpegError, OSError, ValueError) as error:
            self.problem = self.problem or _reason(self.path, error)

    def _decoded(self, container: InputContainer, stream: VideoStream) -> Iterator[VideoFrame]:
        """Frames up to the first fault, those too that the decoder still held then."""
        import av

        packets = container.demux(stream)
        at_end = False
        while not at_end:
            try:
                packet = next(packets, None)
                if packet is not None and packet.is_corrupt:
                    raise av.error.InvalidDataError(0, "a packet is cut off")
                at_end = packet is None or packet.size == 0  # the empty packet at the end empties the decoder
                shown = [] if packet is None else packet.decode()
            except (av.error.FFmpegError, ValueError):
                self._stop()
                shown, at_end = self._held(stream), True
            for frame in shown:
                if frame.is_corrupt:
                    self._stop()
                    return
                yield frame

    @staticmethod
    def _held(stream: VideoStream) -> list[Any]:
        import av

        try:
            return list(stream.decode(None))
        except (av.error.FFmpegError, ValueError):
            return []

    def _stop(self) -> None:
        self.problem = DAMAGED

    def _timed(self, stream: VideoStream, frames: Iterator[VideoFrame]) -> Iterator[tuple[int, float, VideoFrame]]:
        rate = float(stream.guessed_rate or stream.average_rate or 0)
        first: float | None = None
        last, step = -math.inf, 0.0
        for number, frame in enumerate(frames):
            unit = frame.time_base or stream.time_base
            if frame.pts is not None and unit:
                first = float(frame.pts * unit) if first is None else first
                seconds = float(frame.pts * unit) - first
            elif rate > 0:
                seconds = number / rate
                self.notes.add("its frames have no times, which are taken from its frame rate")
            else:
                seconds = math.nan
                self.notes.add("neither its frames nor its header say when they are shown")
            if seconds < last:
                self.notes.add("the times of its frames go back")
            step, last = seconds - last, seconds
            self.n = number + 1
            yield number, seconds, frame
        header = float(stream.duration * stream.time_base) if stream.duration and stream.time_base else 0.0
        if self.n > 1 and not self.problem and header > 1.1 * (last + 2 * step):
            self.problem = f"cut off: its header says {header:.1f} s"


def _reason(path: Path, error: Exception) -> str:
    """Why a file could not be opened or read on."""
    with opened_file(path) as file:
        head = file.read(12)
    if not head:
        return "not a readable video: the file is empty"
    if isinstance(error, ValueError) and head[4:8] == b"ftyp":
        return "cut off or damaged: its index (moov) is not there, without which no frame can be found"
    if head.startswith(b"\x89HDF"):
        return "HDF5 under another ending: call it .h5"
    reason = getattr(error, "strerror", None) or str(error)
    return f"not a readable video: {reason[:1].lower()}{reason[1:]}"


class _Unusable(Exception):
    """Why a file that was opened gives no frames."""


def _opened(path: Path) -> InputContainer:
    import av

    av.logging.set_level(av.logging.PANIC)  # what is wrong is said once, here
    options = {"protocol_whitelist": "file", "format_whitelist": FORMATS}
    return av.open(f"file:{path.resolve()}", container_options=options, metadata_errors="replace")


def _stream(container: InputContainer) -> VideoStream:
    from av.stream import Disposition

    streams = [s for s in container.streams.video if not s.disposition & Disposition.attached_pic]
    if not streams:
        raise _Unusable(
            "audio only: it has no video stream" if container.streams.audio else "not a readable video: no video stream"
        )
    stream = max(streams, key=lambda s: (s.width or 0) * (s.height or 0))
    if (stream.width or 0) * (stream.height or 0) > images.MAX_PIXELS:
        raise _Unusable(f"too large: declares {stream.width} x {stream.height} pixels")
    if stream.codec_context is None:
        raise _Unusable("not a readable video: no decoder for its codec is at hand")
    stream.codec_context.thread_count = 1  # a process per core has a video of its own
    return stream
