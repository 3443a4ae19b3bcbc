"""Keys: what they sign, who is believed, and what is refused when files of theirs cannot be relied on."""

from pathlib import Path

import pytest

from fas_core.access import keys
from fas_core.errors import BadInputError

SEAL = "5" * 64


def made(folder: Path, name: str) -> Path:
    """The private key of somebody, made in a folder of theirs."""
    keys.new(name, folder / name)
    return folder / name


def signed_by(key: Path, monkeypatch: pytest.MonkeyPatch, what: str = "card") -> keys.Signature:
    monkeypatch.setenv(keys.KEY, str(key))
    signature = keys.signature(what, SEAL)
    monkeypatch.delenv(keys.KEY)
    return signature


def test_without_keys_everything_is_unsigned_and_accepted() -> None:
    assert keys.signed("card", SEAL) is None
    stands = keys.standing("card", SEAL, None)
    assert (stands.words, stands.is_accepted, stands.refusal("x", "y")) == ("unsigned", True, "")
    with pytest.raises(BadInputError, match="no key to sign with. Make one: fas keys new"):
        keys.signature("card", SEAL)


def test_a_key_is_its_owners_alone_and_signs_under_its_name() -> None:
    public = keys.new("Ada \u202eLovelace")
    path = keys.key_file()
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.with_name("key.pub").read_text() == f"fas-ed25519 {public.key} Ada Lovelace\n"
    with pytest.raises(BadInputError, match="is there already"):
        keys.new("Eve")
    stands = keys.standing("card", SEAL, keys.signed("card", SEAL))
    assert stands.words == f"signed by Ada Lovelace (key {public.key[:16]})"
    assert (stands.kind, stands.is_accepted) == (keys.OWN, True)
    keys.trust(made(keys.folder(), "Eve").with_name("Eve.pub"))
    stands = keys.standing("card", SEAL, keys.signed("card", SEAL))
    assert "signed by your own key, but only what one of the keys in" in stands.refusal("op.json", "")
    path.chmod(0o640)
    with pytest.raises(BadInputError, match="Others may read the key .*: chmod 600"):
        keys.signed("card", SEAL)


def test_a_locked_key_needs_its_passphrase(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(keys.PASSPHRASE, "horse")
    keys.new("Ada")
    assert "ENCRYPTED" in keys.key_file().read_text()
    assert keys.signed("card", SEAL) is not None
    monkeypatch.setenv(keys.PASSPHRASE, "cow")
    with pytest.raises(BadInputError, match="FAS_KEY_PASSPHRASE does not unlock it"):
        keys.signed("card", SEAL)
    monkeypatch.delenv(keys.PASSPHRASE)
    with pytest.raises(BadInputError, match="is locked: put its passphrase into FAS_KEY_PASSPHRASE"):
        keys.signed("card", SEAL)


def test_what_was_signed_cannot_be_changed_or_moved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ada, eve = made(tmp_path, "Ada"), made(tmp_path, "Eve")
    by_ada, by_eve = signed_by(ada, monkeypatch), signed_by(eve, monkeypatch)
    [trusted] = keys.trust(ada.with_name("Ada.pub"))
    stands = keys.standing("card", SEAL, by_ada)
    assert (stands.kind, stands.by, stands.is_accepted) == (keys.TRUSTED, trusted, True)
    for what, seal, signature in (
        ("run", SEAL, by_ada),  # from a document of another kind
        ("card", "6" * 64, by_ada),  # from another document
        ("card", SEAL, by_ada.__class__(by_ada.key, "Eve", by_ada.when, by_ada.value)),
        ("card", SEAL, by_ada.__class__(by_ada.key, by_ada.name, "2031-01-01T00:00:00+00:00", by_ada.value)),
        ("card", SEAL, by_ada.__class__(by_eve.key, by_ada.name, by_ada.when, by_ada.value)),  # the key swapped
        ("card", SEAL, by_ada.__class__(by_ada.key, by_eve.name, by_eve.when, by_eve.value)),
        ("card", SEAL, keys.Signature("", "", "", "")),
        ("card", SEAL, keys.Signature("zz", "Ada", "", "0" * 128)),
        ("card", SEAL, keys.Signature("0" * 64, "Ada", "", "0" * 128)),
    ):
        stands = keys.standing(what, seal, signature)
        assert (stands.kind, stands.is_accepted) == (keys.CHANGED, False), signature
        assert stands.words == "changed after signing"
        assert "was changed after it was signed" in stands.refusal("op.json", "")
    unknown = keys.standing("card", SEAL, keys.Signature(by_eve.key, by_eve.name, by_eve.when, by_eve.value))
    assert unknown.words == f"signed by an unknown key ({by_eve.key[:16]}, which calls itself Eve)"
    assert "fas keys trust FILE.pub" in unknown.refusal("op.json", "")
    unsigned = keys.standing("card", SEAL, None)
    assert unsigned.refusal("op.json", "fas keys sign op.json").endswith("signs it: fas keys sign op.json")


def test_a_name_is_that_under_which_a_key_is_trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    eve = made(tmp_path, "Ada")  # as Eve calls herself
    public = eve.with_name("Ada.pub")
    public.write_text(public.read_text().replace("Ada", "Eve"))
    by_eve = signed_by(eve, monkeypatch)
    keys.trust(public)
    assert keys.standing("card", SEAL, by_eve).words.startswith("signed by Eve (key ")


def test_trust_that_was_withdrawn_is_not_the_same_as_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ada = made(tmp_path, "Ada")
    by_ada = signed_by(ada, monkeypatch)
    keys.trust(ada.with_name("Ada.pub"))
    with pytest.raises(BadInputError, match=r"'Eve' is no trusted key of .*trusted. Keys: Ada \(key"):
        keys.untrust("Eve")
    assert keys.untrust(by_ada.key[:8]).name == "Ada"
    assert keys.trusted() == ()
    assert keys.standing("card", SEAL, by_ada).kind == keys.UNKNOWN
    assert not keys.standing("card", SEAL, by_ada).is_accepted
    assert not keys.standing("card", SEAL, None).is_accepted


def test_a_list_that_cannot_be_relied_on_is_no_empty_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "team"
    monkeypatch.setenv(keys.TRUSTED_KEYS, str(path))
    with pytest.raises(BadInputError, match="FAS_TRUSTED names .*team, which is not there, so nothing is accepted"):
        keys.trusted()
    for text, message in (
        ("# team\n\nssh-ed25519 AAAA Ada\n", "line 3 is no public key"),
        (f"fas-ed25519 {'0' * 63} Ada", "line 1 is no public key"),
        ("\xff\xfe", "line 1 is no public key"),
    ):
        path.write_text(text, encoding="latin-1")
        with pytest.raises(BadInputError, match=message):
            keys.standing("card", SEAL, None)
    path.unlink()
    keys.trust(made(tmp_path, "Ada").with_name("Ada.pub"))
    path.chmod(0o602)
    with pytest.raises(BadInputError, match="Anybody may write .*: chmod o-w"):
        keys.trusted()
    path.unlink()
    path.mkdir()
    with pytest.raises(BadInputError, match="cannot be read: Is a folder"):
        keys.trusted()
    monkeypatch.setenv(keys.KEY, str(tmp_path / "gone"))
    with pytest.raises(BadInputError, match="FAS_KEY names .*gone, which is not there"):
        keys.signed("card", SEAL)
