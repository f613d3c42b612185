"""Listening sockets: shared out among workers, exclusive against others, unix files made, kept and removed."""

import socket
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from fastedge.config.values import Listener
from fastedge.errors import ConfigError
from fastedge.supervisor.listeners import Listeners

V4 = Listener("127.0.0.1", 0)


@pytest.fixture
def opened() -> Iterator[list[Listeners]]:
    rows: list[Listeners] = []
    yield rows
    for row in rows:
        row.close()


def open_on(opened: list[Listeners], *listeners: Listener, workers: int = 2) -> Listeners:
    opened.append(Listeners("server.listen", listeners, workers))
    return opened[-1]


def address_of(listeners: Listeners) -> tuple[str, int]:
    host, port = listeners.sockets[0][0].getsockname()[:2]
    return host, port


def test_each_worker_has_a_socket_of_its_own_on_one_port(opened: list[Listeners]) -> None:
    listeners = open_on(opened, V4, workers=3)
    addresses = {row[0].getsockname() for row in listeners.sockets}
    assert len(addresses) == 1
    assert len({listeners.descriptors(worker) for worker in range(3)}) == 3


def test_port_0_is_shown_as_the_port_it_became(opened: list[Listeners]) -> None:
    listeners = open_on(opened, V4)
    assert listeners.names == [f"http://127.0.0.1:{address_of(listeners)[1]}"]


def test_a_port_that_another_fastedge_has_is_refused_by_name(opened: list[Listeners]) -> None:
    taken = Listener("127.0.0.1", address_of(open_on(opened, V4))[1])
    with pytest.raises(ConfigError, match=rf"^server.listen: cannot listen on {taken}: address already in use$"):
        Listeners("server.listen", [taken], 2)


def test_v6_is_v6_only(opened: list[Listeners]) -> None:
    listeners = open_on(opened, Listener("::1", 0))
    one = listeners.sockets[0][0]
    assert one.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY) == 1
    assert listeners.names == [f"http://[::1]:{one.getsockname()[1]}"]


def test_all_addresses_of_both_families_share_a_port(opened: list[Listeners]) -> None:
    port = open_on(opened, Listener("0.0.0.0", 0)).sockets[0][0].getsockname()[1]
    assert open_on(opened, Listener("::", port)).names == [f"http://[::]:{port}"]


def test_a_unix_socket_is_shared_and_its_file_removed_at_the_end(opened: list[Listeners], tmp_path: Path) -> None:
    path = tmp_path / "edge.sock"
    listeners = open_on(opened, Listener(path=str(path)))
    assert listeners.descriptors(0) == listeners.descriptors(1)
    assert stat.S_IMODE(path.stat().st_mode) == 0o660
    listeners.close()
    assert not path.exists()


def test_a_stale_unix_socket_is_replaced(opened: list[Listeners], tmp_path: Path) -> None:
    path = tmp_path / "edge.sock"
    with socket.socket(socket.AF_UNIX) as left_behind:
        left_behind.bind(str(path))
    open_on(opened, Listener(path=str(path)))
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))


def test_a_unix_socket_that_someone_answers_at_is_left_alone(opened: list[Listeners], tmp_path: Path) -> None:
    path = tmp_path / "edge.sock"
    open_on(opened, Listener(path=str(path)))
    with pytest.raises(ConfigError, match="address already in use"):
        Listeners("server.listen", [Listener(path=str(path))], 1)
    assert path.exists()


def test_a_file_that_is_no_socket_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "precious"
    path.write_text("x")
    with pytest.raises(ConfigError, match="no socket"):
        Listeners("server.listen", [Listener(path=str(path))], 1)
    assert path.read_text() == "x"


def test_a_unix_socket_in_a_directory_that_does_not_exist(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such file or directory"):
        Listeners("server.listen", [Listener(path=str(tmp_path / "gone" / "edge.sock"))], 1)


def test_a_socket_file_that_another_has_replaced_is_not_removed(opened: list[Listeners], tmp_path: Path) -> None:
    path = tmp_path / "edge.sock"
    listeners = open_on(opened, Listener(path=str(path)))
    path.unlink()
    path.write_text("someone else's")
    listeners.close()
    assert path.exists()


def test_nothing_stays_open_when_one_address_cannot_be_had(opened: list[Listeners], tmp_path: Path) -> None:
    taken = Listener("127.0.0.1", address_of(open_on(opened, V4))[1])
    path = tmp_path / "edge.sock"
    with pytest.raises(ConfigError):
        Listeners("server.listen", [Listener(path=str(path)), taken], 2)
    assert not path.exists()
