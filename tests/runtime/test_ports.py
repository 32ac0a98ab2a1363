import socket

import pytest

from runtime.ports import PortError, listen, number, reserve, url


def test_a_reserved_port_serves_our_processes_and_refuses_another_copy() -> None:
    with reserve("127.0.0.1", 0, option="--proxy-port") as held:
        port = number(held)
        with listen("127.0.0.1", port) as first, listen("127.0.0.1", port) as second:
            first.listen()
            second.listen()
            with pytest.raises(PortError, match=f"^port {port} on 127.0.0.1 is busy; .* --proxy-port$"):
                reserve("127.0.0.1", port, option="--proxy-port")


def test_a_reserved_port_takes_no_connections_itself() -> None:
    with (
        reserve("127.0.0.1", 0, option="--proxy-port") as held,
        socket.socket() as client,
        pytest.raises(ConnectionRefusedError),
    ):
        client.connect(("127.0.0.1", number(held)))


def test_a_port_of_another_program_is_refused_in_one_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other, pytest.raises(PortError, match="busy"):
        reserve("127.0.0.1", number(other), option="--proxy-port")


def test_a_host_that_is_not_ours_is_refused_in_one_line() -> None:
    with pytest.raises(PortError, match=r"^cannot listen on 192\.0\.2\.1 port 0: "):
        reserve("192.0.2.1", 0, option="TOLLKEEPER_PROXY_HOST")


@pytest.mark.parametrize(
    ("host", "expected"),
    [("127.0.0.1", "http://127.0.0.1:8"), ("0.0.0.0", "http://127.0.0.1:8"), ("::", "http://[::1]:8")],
)
def test_the_address_shown_can_be_reached_from_this_machine(host: str, expected: str) -> None:
    assert url(host, 8) == expected
