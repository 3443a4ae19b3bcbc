"""Groups of samples whose files hold the same bytes."""

import numpy as np
import pandas as pd
import pytest

from fas_core.data import check
from fas_core.data.hashes import Contents


def contents(hashes: list[bytes]) -> Contents:
    sha256 = np.frombuffer(b"".join(hash.ljust(32, b"\0") for hash in hashes), np.uint8).reshape(-1, 32)
    return Contents(sha256, np.array([not hash for hash in hashes], np.bool_), {}, len(hashes))


@pytest.mark.parametrize("begin", [b"", b"alike in 8 bytes"])
def test_groups_are_in_the_order_of_their_first_and_of_all_bytes(begin: bytes) -> None:
    hashes = [b"x", begin + b"b", begin + b"a", b"", begin + b"b", begin + b"c", b"", begin + b"a", begin + b"b"]
    groups = check._duplicates(pd.Series([*"012345678"], dtype="str"), contents(hashes))
    expected = [["1", "4", "8"], ["2", "7"]]
    assert [*groups] == [groups[0], groups[1]] == groups[:] == expected
    assert groups[-1] == expected[1]
    assert len(groups) == 2
    assert len(groups.rows) == 5
    with pytest.raises(IndexError):
        groups[2]


def test_groups_are_the_same_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    hashes = [bytes([1 + number % 5]) for number in range(23)]
    groups = check._duplicates(pd.Series(range(23)).astype("str"), contents(hashes))
    expected = [[str(number) for number in range(first, 23, 5)] for first in range(5)]
    assert [*groups] == expected
    monkeypatch.setattr(check, "STEP", 2)
    assert [*groups] == expected
    assert [*check._duplicates(pd.Series([], dtype="str"), contents([]))] == []
