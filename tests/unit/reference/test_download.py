"""Downloads from a local server that stalls, truncates, fails and serves something else."""

import gzip
import hashlib
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from tissuestate.errors import InputError
from tissuestate.reference.download import fetch_file

CONTENT = np.random.default_rng(0).bytes(3_000_000)
SHA256 = "sha256:" + hashlib.sha256(CONTENT).hexdigest()
ZIPPED = gzip.compress(b"genes")


class Server(ThreadingHTTPServer):
    """Serves CONTENT after a script of misbehaviours, one for each request."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.script: list[str] = []
        self.ranges: list[str | None] = []
        self.stalled = threading.Event()
        self.content = CONTENT

    def url(self, name: str = "file.bin") -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/{name}"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        act = self.server.script.pop(0) if self.server.script else "serve"
        asked = self.headers.get("Range")
        self.server.ranges.append(asked)
        content = self.server.content
        if act == "wait":
            self.send_response(503)
            self.send_header("Retry-After", "7")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        if act.isdigit():
            self.send_error(int(act))
            return
        if act == "other":
            content = b"<html>" + content[6:]
        start = int(asked.removeprefix("bytes=").removesuffix("-")) if asked else 0
        if act == "ignore range":
            start = 0
        if start >= len(content):
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{len(content)}")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        self.send_response(206 if start else 200)
        if start:
            at = start + 1 if act == "shift" else start
            self.send_header("Content-Range", f"bytes {at}-{len(content) - 1}/{len(content)}")
        if act != "no length":
            self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        if act in ("truncate", "stall", "reset"):
            self.wfile.write(content[start : start + 1_200_000])
            self.wfile.flush()
            if act == "stall":
                self.server.stalled.wait(10)
            self.connection.close()
            return
        self.wfile.write(content[start:])

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def server():
    server = Server()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.stalled.set()
    server.shutdown()
    server.server_close()


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "new" / "file.bin"


@pytest.fixture(autouse=True)
def pauses(monkeypatch) -> list[float]:
    """The pauses between requests, written down instead of waited for."""
    pauses: list[float] = []
    monkeypatch.setattr("urllib3.util.retry.time.sleep", pauses.append)
    return pauses


def get(server: Server, target: Path, checksum: str | None = SHA256, **options) -> None:
    fetch_file(server.url(target.name), target, checksum, timeout=1, **options)


def test_plain_download(server, target, pauses):
    get(server, target)
    assert pauses == []
    assert target.read_bytes() == CONTENT
    assert [path.name for path in target.parent.iterdir()] == ["file.bin"]


@pytest.mark.slow
@pytest.mark.parametrize("fault", ["truncate", "stall"])
def test_interrupted_download_is_continued(fault, server, target):
    server.script = [fault, fault]
    get(server, target)
    assert target.read_bytes() == CONTENT
    assert server.ranges[0] is None
    places = [int(asked.removeprefix("bytes=").removesuffix("-")) for asked in server.ranges[1:]]
    # what came of a last chunk may be loaded again
    np.testing.assert_allclose(places, [1_200_000, 2_400_000], atol=2 * 2**16)


@pytest.mark.parametrize("fault", ["500", "503", "429"])
def test_failing_server_is_tried_again_after_pauses(fault, server, target, pauses):
    server.script = [fault] * 4
    get(server, target)
    assert pauses == [4, 8, 16]
    assert target.read_bytes() == CONTENT


def test_busy_server_is_tried_again_when_it_asks_for_it(server, target, pauses):
    server.script = ["wait"]
    get(server, target)
    assert pauses == [7]
    assert target.read_bytes() == CONTENT


def test_server_that_cannot_continue_starts_over(server, target):
    server.script = ["truncate", "ignore range"]
    get(server, target)
    assert target.read_bytes() == CONTENT


def test_server_that_continues_elsewhere_starts_over(server, target):
    server.script = ["truncate", "shift"]
    get(server, target)
    assert target.read_bytes() == CONTENT
    assert server.ranges[-1] is None


def test_the_next_run_continues_a_download(server, target):
    server.script = ["truncate"]
    with pytest.raises(InputError, match=r"after 1 attempts .the connection ended after 1,\d+,\d+"):
        get(server, target, attempts=1)
    assert not target.exists()
    have = (target.parent / ".file.bin.part").stat().st_size
    get(server, target)
    assert have > 1_000_000 and server.ranges == [None, f"bytes={have}-"]
    assert target.read_bytes() == CONTENT


@pytest.mark.parametrize("left", [b"part of another file", CONTENT, CONTENT + b"more"])
def test_a_wrong_part_from_another_run_is_replaced(left, server, target):
    target.parent.mkdir()
    (target.parent / ".file.bin.part").write_bytes(left)
    get(server, target)
    assert target.read_bytes() == CONTENT
    assert [path.name for path in target.parent.iterdir()] == ["file.bin"]


def test_without_checksum_nothing_is_continued_from_another_run(server, target):
    target.parent.mkdir()
    (target.parent / ".file.bin.part").write_bytes(b"part of another file")
    get(server, target, None)
    assert server.ranges == [None]
    assert target.read_bytes() == CONTENT


def test_answer_without_length_is_accepted(server, target):
    server.script = ["no length"]
    get(server, target)
    assert target.read_bytes() == CONTENT


def test_wrong_content_is_refused(server, target):
    server.script = ["other"]
    with pytest.raises(InputError, match=r"sha256 is \w+, expected .*changed upstream"):
        get(server, target)
    assert list(target.parent.iterdir()) == []


def test_page_instead_of_gzip_is_refused(server, target):
    with pytest.raises(InputError, match="no gzip file but something else"):
        get(server, target.with_name("file.gz"), None)
    assert list(target.parent.iterdir()) == []
    server.content = ZIPPED
    get(server, target.with_name("file.gz"), None)


@pytest.mark.parametrize("status", ["404", "403", "410"])
def test_wrong_address_is_not_tried_again(status, server, target):
    server.script = [status] * 9
    with pytest.raises(InputError, match=rf"the server says {status}.*correct the address"):
        get(server, target)
    assert len(server.ranges) == 1
    assert not target.exists()


def test_server_that_keeps_failing_raises_an_input_error(server, target):
    server.script = ["502"] * 9
    with pytest.raises(InputError, match=r"not downloaded after 6 attempts .*502 error responses"):
        get(server, target)
    assert len(server.ranges) == 6
    assert not target.exists()


def test_no_server_and_no_network_raise_an_input_error(target):
    for url in ("http://127.0.0.1:9/file", "http://no-such-host.invalid/file"):
        with pytest.raises(
            InputError, match=r"after 2 attempts .*(refused|resolve).*check the net"
        ):
            fetch_file(url, target, attempts=2, timeout=2)


@pytest.mark.parametrize(
    "url", ["gopher://x/y", "ftp://host/file", "http://", "http://[bad/", "http://a b/c"]
)
def test_a_malformed_address_is_refused(url, target):
    with pytest.raises(InputError, match=re.escape(url)):
        fetch_file(url, target, attempts=1, timeout=2)


def test_a_local_file_is_copied_and_verified(tmp_path, target):
    source = tmp_path / "source"
    source.write_bytes(CONTENT)
    fetch_file(source, target, SHA256)
    assert target.read_bytes() == CONTENT
    with pytest.raises(InputError, match=r"source: its sha256 is .* expected"):
        fetch_file(source, target, SHA256[:-4] + "0000")
    with pytest.raises(InputError, match="nothing: no such local copy"):
        fetch_file(tmp_path / "nothing", target)
