"""A file by URL: verified, resumed, retried, and never fetched from where it must not come."""

import datetime
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import certifi
import pytest
from hub_server import Hub, sha256
from pydantic import ValidationError
from source_rows import load_rows

from configs.sources import UrlSource
from tasks.artifact import StageError
from tasks.data.errors import DataError
from tasks.data.sources import fetch
from tasks.data.sources.addresses import is_public
from tasks.data.sources.fetch import Terms, download_file, shown
from tasks.download import download
from tasks.output import checked_secret

DATA = b"text,label\n" + b"a film,good\n" * 1000
PUBLIC = "93.184.215.14"
"""A public address that `data.example` is said to have; connections to it end on loopback."""


@pytest.fixture(scope="module")
def server() -> Iterator[Hub]:
    hub = Hub()
    yield hub
    hub.stop()


@pytest.fixture
def hub(server: Hub, monkeypatch: pytest.MonkeyPatch) -> Hub:
    server.forget()
    server.files = {"/a.csv": DATA}
    monkeypatch.setattr(fetch, "FIRST_WAIT", 0.01)
    monkeypatch.setenv("NO_PROXY", "*")
    return server


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "downloads").mkdir()
    return tmp_path / "downloads"


def get(hub: Hub, folder: Path, path: str = "/a.csv", data: bytes = DATA) -> bytes:
    found = download_file(hub.url + path, sha256(data), folder, allow_private=True)
    assert [file.name for file in folder.iterdir()] == [sha256(data)]
    return found.read_bytes()


def test_a_file_is_fetched_once(hub: Hub, folder: Path) -> None:
    assert get(hub, folder / "new" / "folder") == DATA
    assert get(hub, folder / "new" / "folder") == DATA
    assert hub.seen() == ["GET /a.csv"]
    (folder / "new" / "folder" / sha256(DATA)).write_bytes(b"rotten")
    assert get(hub, folder / "new" / "folder") == DATA


def test_other_bytes_are_refused_and_nothing_is_kept(hub: Hub, folder: Path) -> None:
    with pytest.raises(DataError, match=f"sha256 is {sha256(DATA)}, not {'0' * 64} as it should be; nothing was kept"):
        download_file(hub.url + "/a.csv", "0" * 64, folder, allow_private=True)
    assert not list(folder.iterdir())
    hub.fault("GET", body=lambda data: data[:-1] + b"!")
    with pytest.raises(DataError, match="nothing was kept"):
        get(hub, folder)
    assert get(hub, folder) == DATA


def test_an_interrupted_transfer_goes_on_where_it_ended(hub: Hub, folder: Path) -> None:
    hub.fault("GET", cut=5000)
    hub.fault("GET", cut=3000)
    assert get(hub, folder) == DATA
    assert hub.seen() == ["GET /a.csv", "GET /a.csv bytes=5000-", "GET /a.csv bytes=8000-"]


def test_what_a_killed_process_left_is_used(hub: Hub, folder: Path) -> None:
    (folder / f"{sha256(DATA)}.part").write_bytes(DATA[:700])
    assert get(hub, folder) == DATA
    (folder / sha256(DATA)).rename(folder / f"{sha256(DATA)}.part")
    assert get(hub, folder) == DATA
    assert hub.seen() == ["GET /a.csv bytes=700-", f"GET /a.csv bytes={len(DATA)}-"]


def test_a_server_without_ranges_sends_everything_again(hub: Hub, folder: Path) -> None:
    hub.fault("GET", cut=5000)
    hub.fault("GET", ranges=False)
    assert get(hub, folder) == DATA
    assert len(hub.requests) == 2


def test_a_wrong_beginning_is_thrown_away(hub: Hub, folder: Path) -> None:
    (folder / f"{sha256(DATA)}.part").write_bytes(b"?" * 700)
    with pytest.raises(DataError, match="nothing was kept"):
        get(hub, folder)
    assert get(hub, folder) == DATA


@pytest.mark.parametrize("fault", [{"status": 500}, {"status": 503}, {"status": 429}, {"hang_up": True}])
def test_errors_that_pass_are_outlived(hub: Hub, folder: Path, fault: dict) -> None:
    hub.fault("GET", times=3, **fault)
    assert get(hub, folder) == DATA
    hub.forget()
    (folder / sha256(DATA)).unlink()
    hub.fault("GET", times=4, **fault)
    with pytest.raises(DataError, match=r"/a\.csv: "):
        get(hub, folder)
    assert len(hub.requests) == 4


@pytest.mark.parametrize("status", [404, 403, 410, 304])
def test_errors_that_stay_are_named_at_once(hub: Hub, folder: Path, status: int) -> None:
    hub.fault("GET", status=status, times=9)
    with pytest.raises(DataError, match=rf"/a\.csv: .*{status}"):
        get(hub, folder)
    assert len(hub.requests) == 1


def test_nobody_listens(hub: Hub, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        with pytest.raises(DataError, match="refused"):
            download_file(f"http://127.0.0.1:{taken.getsockname()[1]}/a", "0" * 64, folder, allow_private=True)

    def unknown(*_: Any) -> None:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(DataError, match=r"data\.example has no address"):
        download_file("https://data.example/a", "0" * 64, folder)


def test_redirects_are_followed_but_not_for_ever(hub: Hub, folder: Path) -> None:
    hub.fault("GET /old", status=302, location="/older")
    hub.fault("GET /older", status=308, location=hub.url + "/a.csv")
    assert get(hub, folder, "/old") == DATA
    assert hub.seen() == ["GET /old", "GET /older", "GET /a.csv"]
    hub.fault("GET /round", status=302, location="/round", times=99)
    with pytest.raises(DataError, match="more than 5 redirects"):
        download_file(hub.url + "/round", "0" * 64, folder, allow_private=True)


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("{loopback}/a.csv", "only https"),
        ("http://data.example/a.csv", "only https"),
        ("https://127.0.0.1:{port}/a.csv", "not a public address"),
        ("https://localhost:{port}/a.csv", "not a public address"),
        ("https://2130706433:{port}/a.csv", "not a public address"),
        ("https://[::1]:{port}/a.csv", "not a public address"),
        ("https://[::ffff:127.0.0.1]:{port}/a.csv", "not a public address"),
        ("https://0.0.0.0:{port}/a.csv", "not a public address"),
        ("https://169.254.169.254/latest/meta-data", "not a public address"),
        ("https://10.0.0.1/a.csv", "not a public address"),
        ("https://192.168.1.1/a.csv", "not a public address"),
        ("https://[fe80::1]/a.csv", "not a public address"),
        ("https://100.64.0.1/a.csv", "not a public address"),
        ("file:///etc/hostname", "only https"),
        ("ftp://data.example/a.csv", "only https"),
        ("https:///a.csv", "only https"),
        ("https://a..b/a.csv", "not an address"),
        ("https://data.example:99999/a.csv", "not an address"),
    ],
)
def test_only_public_https_addresses_are_asked(hub: Hub, folder: Path, url: str, reason: str) -> None:
    with pytest.raises(DataError, match=reason):
        download_file(url.format(loopback=hub.url, port=hub.port), sha256(DATA), folder)
    assert hub.seen() == [] and not list(folder.iterdir())


@pytest.mark.parametrize("url", ["file:///etc/hostname", "ftp://127.0.0.1/a.csv"])
def test_not_even_private_sources_read_files(hub: Hub, folder: Path, url: str) -> None:
    with pytest.raises(DataError, match="only https"):
        download_file(url, "0" * 64, folder, allow_private=True)


@pytest.fixture
def public(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """https://data.example: a public name with a certificate that this process trusts, served here."""
    certificate = tmp_path_factory.mktemp("tls") / "cert.pem"
    write_certificate(certificate, certificate.with_name("key.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, certificate.with_name("key.pem"))
    hub = Hub(lambda plain: context.wrap_socket(plain, server_side=True))
    hub.files["/a.csv"] = DATA
    look_up, connect = socket.getaddrinfo, socket.create_connection

    def find(host: Any, *rest: Any, **more: Any) -> Any:
        return look_up(PUBLIC if host == "data.example" else host, *rest, **more)

    def to_loopback(address: tuple, *rest: Any, **more: Any) -> Any:
        return connect(("127.0.0.1", hub.port) if address[0] == PUBLIC else address, *rest, **more)

    monkeypatch.setattr(socket, "getaddrinfo", find)
    monkeypatch.setattr(socket, "create_connection", to_loopback)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    yield hub
    hub.stop()


def write_certificate(certificate: Path, key: Path) -> None:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    secret, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([])
    today = datetime.datetime.now(datetime.UTC)
    signed = (
        x509.CertificateBuilder(name, name, secret.public_key(), x509.random_serial_number())
        .not_valid_before(today - datetime.timedelta(days=1))
        .not_valid_after(today + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("data.example")]), critical=True)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(secret, hashes.SHA256())
    )
    certificate.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    pem, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    key.write_bytes(secret.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain))


def test_a_public_https_address_is_fetched_and_its_redirects_are_checked(hub: Hub, public: Hub, folder: Path) -> None:
    public.fault("GET /moved", status=302, location="https://data.example/a.csv")
    assert download_file("https://data.example/moved", sha256(DATA), folder).read_bytes() == DATA
    assert public.seen() == ["GET /moved", "GET /a.csv"]
    for place in (
        f"http://127.0.0.1:{hub.port}/a.csv",
        f"https://127.0.0.1:{hub.port}/a.csv",
        f"https://localhost:{hub.port}/a.csv",
        f"//127.0.0.1:{hub.port}/a.csv",
        "http://data.example/a.csv",
        "http://169.254.169.254/latest/meta-data",
        "https://169.254.169.254/latest/meta-data",
        "file:///etc/hostname",
        "https://data.example:99999/",
    ):
        public.forget()
        public.fault("GET /moved", status=302, location=place)
        with pytest.raises(DataError, match=r"only https|not a public address|not an address"):
            download_file("https://data.example/moved", "1" * 64, folder)
        assert public.seen() == ["GET /moved"]
    assert hub.seen() == []
    assert [file.name for file in folder.iterdir()] == [sha256(DATA)]


@pytest.mark.parametrize("private", ["127.0.0.1", "::1", "10.1.2.3"])
def test_a_name_that_is_bound_anew_after_the_check_reaches_nobody(
    hub: Hub, public: Hub, folder: Path, monkeypatch: pytest.MonkeyPatch, private: str
) -> None:
    """The first look-up gives a public address, each further one a private: the one that was checked is connected."""
    look_up, connect, asked, connected = socket.getaddrinfo, socket.create_connection, [], []

    def find(host: Any, *rest: Any, **more: Any) -> Any:
        if host != "data.example":
            return look_up(host, *rest, **more)
        asked.append(host)
        return look_up(PUBLIC if len(asked) == 1 else private, *rest, **more)

    def to(address: tuple, *rest: Any, **more: Any) -> Any:
        connected.append(address[0])
        return connect(address, *rest, **more)

    monkeypatch.setattr(socket, "getaddrinfo", find)
    monkeypatch.setattr(socket, "create_connection", to)
    assert download_file("https://data.example/a.csv", sha256(DATA), folder).read_bytes() == DATA
    assert (connected, public.seen(), hub.seen()) == ([PUBLIC], ["GET /a.csv"], [])
    assert len(asked) == 1
    with pytest.raises(DataError, match="not a public address"):
        download_file("https://data.example/a.csv", "1" * 64, folder)
    assert connected == [PUBLIC]


def test_a_redirect_of_the_same_name_is_looked_up_and_checked_again(
    public: Hub, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    look_up, asked = socket.getaddrinfo, []

    def find(host: Any, *rest: Any, **more: Any) -> Any:
        asked.append(host)
        return look_up(
            host if host != "data.example" else PUBLIC if len(asked) == 1 else "::ffff:127.0.0.1", *rest, **more
        )

    monkeypatch.setattr(socket, "getaddrinfo", find)
    public.fault("GET /moved", status=302, location="/a.csv")
    with pytest.raises(DataError, match="not a public address"):
        download_file("https://data.example/moved", sha256(DATA), folder)
    assert public.seen() == ["GET /moved"]


@pytest.mark.parametrize(
    "address",
    [
        "8.8.8.8",
        "93.184.215.14",
        "2606:4700::1111",
        "2a00:1450::1",
        "64:ff9b::8.8.8.8",
        "2002:808:808::1",
    ],
)
def test_public_addresses(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "address",
    [
        "0.0.0.0",
        "10.0.0.1",
        "100.64.0.1",
        "127.0.0.1",
        "169.254.169.254",
        "172.16.0.1",
        "192.0.0.1",
        "192.0.2.1",
        "192.88.99.1",
        "192.168.0.1",
        "198.18.0.1",
        "198.51.100.1",
        "203.0.113.1",
        "224.0.0.1",
        "239.1.1.1",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::127.0.0.1",
        "::8.8.8.8",
        "::ffff:127.0.0.1",
        "::ffff:8.8.8.8",
        "fe80::1",
        "fe80::1%lo",
        "fec0::1",
        "fc00::1",
        "fd00::1",
        "ff02::1",
        "ff0e::1",
        "100::1",
        "2001::1",
        "2001:db8::1",
        "2001:10::1",
        "3fff::1",
        "5f00::1",
        "64:ff9b::127.0.0.1",
        "64:ff9b::10.0.0.1",
        "64:ff9b:1::1",
        "2002:7f00:1::",
        "2002:a00:1::",
        "2002:e000:1::",
        "64:ff9b::224.0.0.1",
    ],
)
def test_special_addresses_and_what_is_written_inside_them(address: str) -> None:
    assert not is_public(address)


def test_the_next_address_is_tried_where_one_does_not_answer(
    public: Hub, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name with two addresses, of which the first is out of order."""
    look_up, connect = socket.getaddrinfo, socket.create_connection

    def find(host: Any, *rest: Any, **more: Any) -> Any:
        found = look_up("93.184.215.99", *rest, **more) if host == "data.example" else []
        return found + look_up(host, *rest, **more)

    def to(address: tuple, *rest: Any, **more: Any) -> Any:
        if address[0] == "93.184.215.99":
            raise ConnectionRefusedError(111, "Connection refused")
        return connect(address, *rest, **more)

    monkeypatch.setattr(socket, "getaddrinfo", find)
    monkeypatch.setattr(socket, "create_connection", to)
    assert download_file("https://data.example/a.csv", sha256(DATA), folder).read_bytes() == DATA


def test_a_name_with_another_certificate_is_refused(
    hub: Hub, public: Hub, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", certifi.where())
    with pytest.raises(DataError, match="certificate"):
        download_file("https://data.example/a.csv", sha256(DATA), folder)
    assert public.seen() == []


def test_rows_by_url_need_the_setting_for_private_addresses(
    hub: Hub, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = UrlSource(kind="url", url=hub.url + "/a.csv", sha256=sha256(DATA))
    with pytest.raises(DataError, match="only https"):
        load_rows(source, folder)
    assert hub.seen() == []
    monkeypatch.setenv("TEMPER_ALLOW_PRIVATE_SOURCES", "true")
    rows = load_rows(source, folder)
    assert len(rows) == 1000 and rows["label"].unique().tolist() == ["good"]
    hub.files["/noend"] = DATA
    source = UrlSource(kind="url", url=hub.url + "/noend?as=csv", sha256=sha256(DATA), format="csv")
    assert len(load_rows(source, folder)) == 1000


SENTINEL = "tok_SENTINEL.7f3a-9c"
"""A token that must be found nowhere but in a request's header."""


def with_token(hub: Hub, path: str, folder: Path) -> list[str | None]:
    """Fetch with the token; returns the Authorization header of each request that reached the server."""
    terms = Terms(token=SENTINEL)
    download_file(hub.url + path, sha256(DATA), folder, allow_private=True, terms=terms)
    return [request.authorization for request in hub.requests]


def test_a_token_goes_to_its_own_host_alone(hub: Hub, folder: Path) -> None:
    bearer = f"Bearer {SENTINEL}"
    hub.fault("GET /here", status=302, location="/a.csv")
    assert with_token(hub, "/here", folder) == [bearer, bearer]
    other = hub.url.replace("127.0.0.1", "localhost")
    ways = {
        "another host": [other + "/a.csv"],
        "another host and back": [other + "/back", hub.url + "/a.csv"],
    }
    for name, places in ways.items():
        hub.forget()
        (folder / sha256(DATA)).unlink()
        for asked, place in zip(("GET /away", "GET /back"), places, strict=False):
            hub.fault(asked, status=302, location=place)
        assert with_token(hub, "/away", folder) == [bearer, *[None] * len(places)], name


def test_a_token_goes_with_every_attempt_and_is_not_sent_unasked(hub: Hub, folder: Path) -> None:
    hub.fault("GET", cut=5000)
    hub.fault("GET", status=503)
    assert with_token(hub, "/a.csv", folder) == [f"Bearer {SENTINEL}"] * 3
    hub.forget()
    assert get(hub, folder / "more") == DATA
    assert [request.authorization for request in hub.requests] == [None]
    assert SENTINEL not in repr(Terms(token=SENTINEL))


@pytest.mark.parametrize("fault", ["", "status", "other bytes", "redirects", "too large"])
def test_a_token_leaks_nowhere(
    hub: Hub, home: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, capfd: Any, fault: str
) -> None:
    """Neither into errors nor logs nor anything below the home: manifest, key, records, pins, half downloads."""
    caplog.set_level("DEBUG")
    monkeypatch.setenv("TEMPER_ALLOW_PRIVATE_SOURCES", "true")
    monkeypatch.setenv("MY_TOKEN", SENTINEL + "\n")
    source = UrlSource(kind="url", url=f"{hub.url}/a.csv?signed=QUERY", sha256=sha256(DATA), token="MY_TOKEN")
    said = ""
    if fault:
        plans: dict[str, dict[str, Any]] = {
            "status": {"status": 401, "times": 9},
            "other bytes": {"body": lambda data: data + b"!"},
            "redirects": {"status": 302, "location": "/a.csv?signed=QUERY", "times": 9},
            "too large": {},
        }
        hub.fault("GET", **plans[fault])
        if fault == "too large":
            monkeypatch.setenv("TEMPER_LARGEST_SOURCE", "99")
        with pytest.raises(DataError) as error:
            download.run_or_load(source, {})
        said = str(error.value)
        assert "QUERY" not in said and f"{hub.url}/a.csv: " in said
    else:
        artifact = download.run_or_load(source, {}).result
        about = (artifact.path / "records" / "provenance.json").read_text()
        assert f'"where": "{hub.url}/a.csv"' in about and "QUERY" not in about
        assert artifact.manifest()["section"]["token"] == "MY_TOKEN"
        assert "token" not in artifact.manifest()["identity"]["section"]
    assert hub.requests[0].authorization == f"Bearer {SENTINEL}"
    assert SENTINEL not in said + caplog.text + "".join(capfd.readouterr())
    files = [path for path in home.rglob("*") if path.is_file()]
    assert files and not [path for path in files if SENTINEL.encode() in path.read_bytes()]
    assert not [path for path in home.rglob("*") if SENTINEL in path.name]


def test_a_token_that_is_absent_or_unfit_is_said_without_it(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEMPER_ALLOW_PRIVATE_SOURCES", "true")
    source = UrlSource(kind="url", url=f"{hub.url}/a.csv", sha256=sha256(DATA), token="MY_TOKEN")
    with pytest.raises(StageError, match="no environment variable MY_TOKEN holds the token"):
        download.run_or_load(source, {})
    for odd in (f"{SENTINEL}\r\nX: y", f"{SENTINEL} x", f"{SENTINEL}é", f"{SENTINEL}\0"):
        with pytest.raises(StageError, match="the secret MY_TOKEN holds blanks or characters") as error:
            checked_secret("MY_TOKEN", odd)
        assert SENTINEL not in str(error.value)
    assert hub.seen() == []


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"token": "hf_abcdefghijklmnopqrstuvwxyz"}, "looks like a secret itself"),
        ({"token": "github_pat_11ABCDEFG0123456789"}, "looks like a secret itself"),
        ({"url": "https://me:pass@a.example/x.csv"}, "url holds a name or password"),
    ],
)
def test_a_recipe_holds_no_secret(how: dict, message: str) -> None:
    with pytest.raises(ValidationError, match=message) as error:
        UrlSource(**{"kind": "url", "url": "https://a.example/x.csv", "sha256": "0" * 64, **how})
    assert "pass@" not in error.value.errors()[0]["msg"] and "hf_abc" not in error.value.errors()[0]["msg"]


def test_addresses_are_shown_without_what_may_be_secret() -> None:
    assert shown("https://me:pass@a.example:8/x/y.csv?sign=7#part") == "https://a.example:8/x/y.csv"
    assert shown("https://me:pass@[broken/x?sign=7") == "[broken/x"


def test_more_bytes_than_the_limit_are_refused(hub: Hub, folder: Path) -> None:
    terms = Terms(largest=len(DATA) - 1)
    with pytest.raises(
        DataError, match=rf"/a\.csv: {len(DATA):,} bytes or more, beyond the limit of {len(DATA) - 1:,}"
    ):
        download_file(hub.url + "/a.csv", sha256(DATA), folder, allow_private=True, terms=terms)
    assert not list(folder.iterdir())
    hub.fault("GET", length=False)  # nobody says beforehand how many there are
    with pytest.raises(DataError, match="beyond the limit"):
        download_file(hub.url + "/a.csv", sha256(DATA), folder, allow_private=True, terms=terms)
    assert not list(folder.iterdir())
    (folder / f"{sha256(DATA)}.part").write_bytes(DATA[:700])
    with pytest.raises(DataError, match="beyond the limit"):
        download_file(hub.url + "/a.csv", sha256(DATA), folder, allow_private=True, terms=terms)
    exact = Terms(largest=len(DATA))
    assert download_file(hub.url + "/a.csv", sha256(DATA), folder, allow_private=True, terms=exact).exists()


def test_progress_is_told_in_bytes(hub: Hub, folder: Path) -> None:
    large = b"x" * (3 * 2**20)
    hub.files["/large"] = large
    said: list[tuple] = []
    terms = Terms(progress=lambda *told: said.append(told))
    hub.fault("GET", cut=2**20)
    download_file(hub.url + "/large", sha256(large), folder, allow_private=True, terms=terms)
    assert said[-1] == (len(large), len(large), "downloading") and 3 <= len(said) < 9
    assert [done for done, _, _ in said] == sorted(done for done, _, _ in said)


def test_a_redirect_to_no_address_is_named(hub: Hub, folder: Path) -> None:
    hub.fault("GET", status=302, location="http://[broken")
    with pytest.raises(DataError, match=r"/a\.csv: leads to what is not an address"):
        download_file(hub.url + "/a.csv", sha256(DATA), folder, allow_private=True)
