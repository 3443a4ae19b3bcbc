"""What a settings file says, and what is said of one that is wrong."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from fas_core.access import settings
from fas_core.cli import server
from fas_core.errors import BadInputError
from tests.conftest import Result, message

WHOLE = """
[server]
host = "0.0.0.0"
port = 8600
names = ["FAS.example.org"]
behind = "proxy"
proxies = ["10.0.0.2", "fd00::/120"]

[login]
kind = "oidc"
issuer = "https://login.example.org/realms/faces"
client_id = "fas"
client_secret_env = "FAS_TEST_SECRET"

[session]
idle_minutes = 5

[roles.viewer]
groups = ["staff"]
"""
OIDC = 'kind = "oidc"\nissuer = "https://login.example.org"\nclient_id = "fas"\n'
SECRET = "s3cret-of-the-provider"


def read(tmp_path: Path, text: str) -> settings.Settings:
    path = tmp_path / "fas.toml"
    path.write_text(text)
    return settings.read(path)


def test_a_file_is_read_by_its_types(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAS_TEST_SECRET", f"{SECRET}\n")
    told = read(tmp_path, WHOLE)
    assert (told.server.host, told.server.port, told.names) == ("0.0.0.0", 8600, ("fas.example.org",))
    assert told.server.is_https
    assert told.session == settings.Session(idle_minutes=5, longest_minutes=480)
    assert isinstance(told.login, settings.Oidc)
    assert told.login.client_secret() == SECRET
    assert SECRET not in repr(told)
    assert told.section("roles") == {"viewer": {"groups": ["staff"]}}
    assert told.section("audit") == {}
    settings.require_safe(told, "0.0.0.0")
    of_proxy = ["10.0.0.2", "::ffff:10.0.0.2", "fd00::17"]
    assert [told.server.is_proxy(peer) for peer in [*of_proxy, "10.0.0.3", "127.0.0.1", "", "nobody"]] == [
        *[True] * 3,
        *[False] * 4,
    ]
    monkeypatch.setenv(settings.CONFIG, str(tmp_path / "fas.toml"))
    assert settings.of_process() == told
    monkeypatch.delenv(settings.CONFIG)
    assert settings.of_process() == settings.Settings()


WRONG = {
    "[sever]\n": "there is no section [sever]. Sections are [server], [login]",
    "server = 3\n": "'server' is a section. Write [server]",
    "[server\n": "is not TOML",
    '[server]\nhots = "x"\n': "[server]: there is no 'hots'. Keys are host, port",
    '[server]\nport = "x"\n': "'port' should be a whole number",
    "[server]\nport = 70000\n": "Ports are from 1 to 65535",
    '[server]\nnames = ["https://fas.example.org"]\n': "Write it as fas.example.org",
    '[server]\nnames = ["*.example.org"]\n': "there are no patterns",
    '[server]\ncertificate = "pyproject.toml"\n': "key is missing",
    '[server]\ncertificate = "none.pem"\nkey = "none.pem"\n': "none.pem is no file",
    '[server]\nbehind = "nginx"\n': 'Write "proxy"',
    '[server]\nbehind = "proxy"\n': "proxies belong together",
    '[server]\nproxies = ["10.0.0.2"]\n': "proxies belong together",
    '[server]\nbehind = "proxy"\nproxies = ["nginx"]\n': "'nginx' is no address",
    '[server]\nbehind = "proxy"\nproxies = ["0.0.0.0/0"]\n': "half the world",
    "[login]\n": 'Write kind = "oidc" or kind = "headers"',
    '[login]\nkind = "oidc"\nissuer = "https://a"\n': "has no 'client_id'",
    '[login]\nkind = "oidc"\nissuer = "http://login.example.org"\nclient_id = "fas"\n': "beginning with https://",
    f"[login]\n{OIDC}client_secret = '{SECRET}'\n": "A secret stands in a file or a variable, never here",
    f"[login]\n{OIDC}client_secret_env = '{SECRET}'\n": "The variable that [login] client_secret_env names is empty",
    f"[login]\n{OIDC}client_secret_file = '{SECRET}'\n": "Cannot read the file that [login] client_secret_file names",
    f"[login]\n{OIDC}scopes = ['profile']\n": '"openid" is missing',
    f"[login]\n{OIDC}groups = ''\n": "groups is empty",
    '[login]\nkind = "headers"\nsubject = "X Forwarded"\n': "is no header",
    '[login]\nkind = "headers"\nsubject = "X-User"\nsign_out = "http://a"\n': "sign_out: write a path",
    "[session]\nidle_minutes = 0\n": "from 1 to 10080",
    "[session]\nidle_minutes = 60\nlongest_minutes = 30\n": "more than longest_minutes",
}


@pytest.mark.parametrize("text", WRONG)
def test_what_is_wrong_is_named_with_its_remedy(text: str, tmp_path: Path) -> None:
    with pytest.raises(BadInputError) as refused:
        read(tmp_path, text)
    assert WRONG[text] in str(refused.value)
    assert SECRET not in str(refused.value)


def test_files_that_are_none_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match=r"Cannot read .*nothing\.toml"):
        settings.read(tmp_path / "nothing.toml")
    with pytest.raises(BadInputError, match="no regular file"):
        settings.read(Path("/dev/zero"))
    (tmp_path / "two").write_text(f"{SECRET}\nmore\n")
    with pytest.raises(BadInputError, match="should hold one line"):
        read(tmp_path, f"[login]\n{OIDC}client_secret_file = '{tmp_path / 'two'}'\n")


LOGIN = settings.Oidc("https://login.example.org", "fas")
HEADERS = settings.Headers("X-User")
CERTIFIED = settings.Server(names=("fas.example.org",), certificate=Path("c"), key=Path("k"))
PROXIED = settings.Server(names=("fas.example.org",), behind="proxy", proxies=("10.0.0.2",))


@pytest.mark.parametrize(
    ("host", "login", "server", "lacking"),
    [
        ("127.0.0.1", None, settings.Server(), []),
        ("::1", LOGIN, settings.Server(), []),
        ("0.0.0.0", LOGIN, CERTIFIED, []),
        ("127.0.0.1", HEADERS, PROXIED, []),
        ("0.0.0.0", None, settings.Server(), ["[login]", "names", "certificate"]),
        ("::", LOGIN, settings.Server(), ["names", "certificate"]),
        ("", None, CERTIFIED, ["[login]"]),
        ("fas.example.org", LOGIN, settings.Server(names=("fas.example.org",)), ["certificate"]),
        ("127.0.0.1", None, PROXIED, ["[login]"]),
        ("127.0.0.1", LOGIN, settings.Server(behind="proxy", proxies=("10.0.0.2",)), ["names"]),
        ("0.0.0.0", HEADERS, CERTIFIED, ["whose headers are believed"]),
    ],
)
def test_nobody_serves_others_without_login_names_and_tls(
    host: str, login: settings.Oidc | settings.Headers | None, server: settings.Server, lacking: list[str]
) -> None:
    told = settings.Settings(server=server, login=login)
    if not lacking:
        settings.require_safe(told, host)
        return
    with pytest.raises(BadInputError) as refused:
        settings.require_safe(told, host)
    wanted = str(refused.value).partition("Set in ")[2].partition("Then:")[0]
    assert len(wanted.split("; ")) == len(lacking)
    assert all(what in wanted for what in lacking)
    assert "fas app --config" in str(refused.value)


def test_the_settings_of_the_readme_are_read(tmp_path: Path) -> None:
    readme = (Path(__file__).resolve().parents[2] / "README.md").read_text()
    text = readme.partition("```toml\n# /etc/fas.toml")[2].partition("```")[0].partition("\n")[2]
    (tmp_path / "secret").write_text(f"{SECRET}\n")
    told = read(tmp_path, text.replace("/run/secrets/fas", str(tmp_path / "secret")))
    settings.require_safe(told, told.server.host or settings.DEFAULT_HOST)
    assert isinstance(told.login, settings.Oidc)
    defaults = settings.Oidc(told.login.issuer, "fas")
    assert (told.login.groups, told.login.scopes, told.session) == (
        defaults.groups,
        defaults.scopes,
        settings.Session(),
    )


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "", "fas.example.org"])
def test_the_app_refuses_to_serve_others_without_settings(
    host: str, fas: Callable[..., Result], tmp_path: Path
) -> None:
    said = message(fas("app", "--host", host))
    assert "[login] kind" in said
    assert "[server] names" in said
    (tmp_path / "fas.toml").write_text(f'[server]\nhost = "{host}"\n')
    assert message(fas("app", "--config", tmp_path / "fas.toml")).count("[server]") == said.count("[server]")
    assert "there is no section [sever]" in message(fas("app", "--config", written(tmp_path, "[sever]\n")))


OF_PROXY = """
[server]
host = "192.0.2.7"
names = ["fas.example.org"]
behind = "proxy"
proxies = ["127.0.0.1"]
[login]
kind = "headers"
subject = "X-User"
"""
OF_PROVIDER = OF_PROXY.partition("[login]")[0] + f"[login]\n{OIDC}"


@pytest.mark.parametrize(
    ("mistake", "said"),
    [
        ('[[roles.viewer]]\npersons = ["*"]', "persons"),
        ('[[roles.analist]]\ngroups = ["lab"]', "'analist'"),
        ("[[roles.face_reader]]", "'face_reader' to nobody"),
        ("[roles]\nsecondperson = true", "second_person = true"),
        ("[faces]\nminuts = 15", "minuts"),
        ("[audit]\nfoldr = 'a'", "foldr"),
    ],
)
@pytest.mark.parametrize("login", [OF_PROXY, OF_PROVIDER])
def test_a_mistake_about_people_is_refused_before_anybody_comes(
    login: str, mistake: str, said: str, fas: Callable[..., Result], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = written(tmp_path, f"{login}\n{mistake}\n")  # its host is no address here: what is served ends with that
    monkeypatch.setenv("FAS_CONFIG", str(path))
    for arguments in ([], ["--config", path]):
        refused = message(fas("app", *arguments, "--cache", tmp_path / "cache"))
        assert f"{path}, [{mistake.strip('[').partition(']')[0].partition('.')[0]}]" in refused
        assert said in refused


def written(folder: Path, text: str) -> Path:
    (folder / "other.toml").write_text(text)
    return folder / "other.toml"


def test_where_people_find_the_app_is_said() -> None:
    named = settings.Server(names=("fas.example.org",))
    served = replace(named, certificate=Path("c.pem"), key=Path("k.pem"))
    behind = replace(named, behind="proxy", proxies=("127.0.0.1",))
    assert server._address("127.0.0.1", 8501, settings.Server()) == "http://127.0.0.1:8501"
    assert server._address("127.0.0.1", 8501, named) == "http://fas.example.org:8501"
    assert server._address("0.0.0.0", 443, served) == "https://fas.example.org"
    said = server._address("127.0.0.1", 8502, behind)
    assert said == "https://fas.example.org, by a proxy: this server has port 8502"
