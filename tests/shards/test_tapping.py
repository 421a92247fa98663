"""How a worker is told to tell of its packets."""

import os
import socket

import pytest

from gossamer.shards.tapping import require_message_socket, tap_name


def test_name__with_an_address_as_it_is_meant() -> None:
    assert (tap_name(2, ""), tap_name(2, "2001:DB8:0::1")) == ("capture 2", "capture 2 2001:db8::1")
    with pytest.raises(ValueError, match="é"):
        tap_name(0, "é")


def test_descriptor__that_is_no_socket_of_messages__refused() -> None:
    with open(os.devnull) as file, pytest.raises(OSError, match="non-socket"):
        require_message_socket(file.fileno())
    with socket.socket(socket.AF_UNIX) as stream, pytest.raises(OSError, match="wrong type"):
        require_message_socket(stream.fileno())
