"""OULU-NPU (2017): 55 people by six phones in three sessions; two printers, two displays; four protocols.

Train_files/1_1_01_1.avi            phone_session_user_file: file 1 bona fide, 2 and 3 prints, 4 and 5 replays
Dev_files/, Test_files/             users 1 to 20 train, 21 to 35 dev, 36 to 55 test
Train_files/1_1_01_1.txt            the eyes of each frame: frame, x, y, x, y
Protocols/Protocol_1/Train.txt      +1,1_1_01_1; Protocol_3 and 4: Train_1.txt to Train_6.txt, one per phone left out

Needs the lists for nothing: all protocols follow from the names (1 leaves out a session, 2 a printer and a display,
3 a phone, 4 all of them), which they are checked against.
Source: Boulkenafet et al., OULU-NPU, FG 2017; names and lists as bob.db.oulunpu 0.1 reads them; its 4,950 videos.
"""

from __future__ import annotations

from fas_core.data.released import DataSet, Names, Protocol

_SPECIES = {"1": "", "2": "paper", "3": "paper", "4": "replay", "5": "replay"}
_INSTRUMENTS = {"1": "", "2": "printer 1", "3": "printer 2", "4": "display 1", "5": "display 2"}


def _columns(names: Names) -> dict[str, str]:
    return {
        "pai_species": _SPECIES[names["file"]],
        "instrument": _INSTRUMENTS[names["file"]],
        "subject_id": names["subject"],
        "session_id": names["session"],
        "device": f"phone {names['phone']}",
    }


def _protocol(number: int, phone: str = "") -> Protocol:
    by_session, by_instrument = number in (1, 4), number in (2, 4)

    def subset(row: Names) -> str:
        is_test = row["subset"] == "test"
        fits = (
            (not by_session or (row["session"] == "3") == is_test)
            and (not by_instrument or row["file"] in ("135" if is_test else "124"))
            and (not phone or (row["phone"] == phone) == is_test)
        )
        return row["subset"] if fits else ""

    left_out = [
        "session 3" * by_session,
        "printer 2 and display 2" * by_instrument,
        f"phone {phone}" if phone else "",
    ]
    tail = f"_{phone}" if phone else ""
    lists = {ours: (f"Protocol_{number}/{theirs}{tail}.txt",) for ours, theirs in _PARTS.items()}
    return Protocol(f"tested on {', '.join(filter(None, left_out))}", lists, subset)


_PARTS = {"train": "Train", "dev": "Dev", "test": "Test"}

SET = DataSet(
    title="OULU-NPU",
    clips=r"(?P<part>train|dev|test)_files/(?P<phone>[1-6])_(?P<session>[1-3])_(?P<subject>\d\d)_(?P<file>[1-5])",
    entry=r"(?P<phone>[1-6])_(?P<session>[1-3])_(?P<subject>\d\d)_(?P<file>[1-5])",
    columns=_columns,
    published={"train": (360, 1440), "dev": (270, 1080), "test": (360, 1440)},
    protocols={
        "1": _protocol(1),
        "2": _protocol(2),
        **{f"{number}.{phone}": _protocol(number, phone) for number in (3, 4) for phone in "123456"},
    },
    boxes=("{stem}.txt",),
)
