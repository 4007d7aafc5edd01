"""Which hosts count as this machine or as private, and which URLs and addresses are taken."""

from __future__ import annotations

import pytest

from qavix_watch.config import Address, hosts, is_local_service, is_loopback, is_private


@pytest.mark.parametrize(
    "host",
    [
        "localhost", "LOCALHOST.", "x.localhost", "127.0.0.1", "127.9.9.9", "::1", "[::1]", "::ffff:127.0.0.1",
    ],
)  # fmt: skip
def test_loopback_hosts(host):
    assert is_loopback(host)
    assert is_private(host)


@pytest.mark.parametrize(
    "host",
    [
        "10.1.2.3", "192.168.0.7", "172.16.0.1", "169.254.1.1", "100.64.0.1", "fd00::1", "fe80::1%eth0", "nas.local",
        "qavix.internal", "::ffff:10.0.0.1", "0.0.0.0",
    ],
)  # fmt: skip
def test_private_hosts_are_no_loopback(host):
    assert is_private(host)
    assert not is_loopback(host)


@pytest.mark.parametrize(
    "host",
    [
        "qavixi.com", "8.8.8.8", "2606:4700::1111", "localhost.example.com", "10.0.0.1.example.com", "172.32.0.1",
        "notlocal", "local",
    ],
)  # fmt: skip
def test_public_hosts(host):
    assert not is_private(host)
    assert not is_loopback(host)


def test_a_local_service_is_loopback_or_private():
    assert is_local_service("http://127.0.0.1:9000")
    assert is_local_service("https://[fd00::5]/qavix")
    assert not is_local_service("https://qavixi.com/qavix")


@pytest.mark.parametrize(
    ("given", "taken"),
    [
        ("https://QAVIXI.com/qavix/", "https://qavixi.com/qavix"),
        ("https://qavixi.com", "https://qavixi.com"),
        ("http://127.0.0.1:9000/", "http://127.0.0.1:9000"),
        ("http://[::1]:9000/a//", "http://[::1]:9000/a"),
    ],
)
def test_service_urls_lose_their_last_slash(given, taken):
    assert hosts.service_url(given) == taken


@pytest.mark.parametrize(
    "given",
    [
        "http://qavixi.com", "http://10.0.0.1", "ftp://qavixi.com", "qavixi.com", "https://", "https:///x", "https://u:p@qavixi.com",
        "https://qavixi.com?x=1", "https://qavixi.com/?", "https://qavixi.com#f", "https://qavixi.com:99999", "https://qavixi.com:0",
        "https://qavixi.com/a b", "https://qavixi.com\n", "https://qavixi.com\\@evil.example", "https://[::1", "", 5, None,
        "http://localhost@evil.example", "http://127.0.0.1.evil.example",
    ],
)  # fmt: skip
def test_other_service_urls_are_refused_without_being_repeated(given):
    with pytest.raises(ValueError, match=r"must|is no web address|carries|has a space") as caught:
        hosts.service_url(given)
    assert "evil" not in str(caught.value)
    assert "u:p" not in str(caught.value)


@pytest.mark.parametrize(
    ("given", "address"), [("127.0.0.1:8420", ("127.0.0.1", 8420)), ("[::1]:80", ("::1", 80)), ("localhost:0", ("localhost", 0))]
)
def test_addresses_to_listen_on(given, address):
    taken = hosts.address(given)
    assert taken == Address(*address)
    assert str(taken) == given


@pytest.mark.parametrize(
    "given",
    [
        "8420", ":8420", "127.0.0.1", "127.0.0.1:", "127.0.0.1:70000", "::1:80", "[no]:80", 8420, "a b:80", "http://h:80",
    ],
)  # fmt: skip
def test_what_is_no_address_is_refused(given):
    with pytest.raises(ValueError, match=r"must be|no address"):
        hosts.address(given)
