"""A file by URL: verified, resumed, retried, and never fetched from where it must not come."""

import datetime
import os
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hub_server import Hub, sha256

from configs.sources import UrlSource
from tasks.data import fetch, sources
from tasks.data.fetch import download_file
from tasks.data.files import DataError

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
    with pytest.raises(DataError, match=f"sha256 is {sha256(DATA)}, the recipe says {'0' * 64}; nothing was kept"):
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
        return connect(("127.0.0.1", hub.port) if address[0] == "data.example" else address, *rest, **more)

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


def test_a_name_with_another_certificate_is_refused(
    hub: Hub, public: Hub, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", os.environ.get("NIX_SSL_CERT_FILE") or ssl.get_default_verify_paths().cafile)
    with pytest.raises(DataError, match="certificate"):
        download_file("https://data.example/a.csv", sha256(DATA), folder)
    assert public.seen() == []


def test_rows_by_url_need_the_setting_for_private_addresses(
    hub: Hub, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = UrlSource(kind="url", url=hub.url + "/a.csv", sha256=sha256(DATA))
    with pytest.raises(DataError, match="only https"):
        sources.load_rows(source, folder)
    assert hub.seen() == []
    monkeypatch.setenv("TEMPER_ALLOW_PRIVATE_SOURCES", "true")
    rows = sources.load_rows(source, folder)
    assert len(rows) == 1000 and rows["label"].unique().tolist() == ["good"]
    hub.files["/noend"] = DATA
    source = UrlSource(kind="url", url=hub.url + "/noend?as=csv", sha256=sha256(DATA), format="csv")
    assert len(sources.load_rows(source, folder)) == 1000
