"""api.hosts: which addresses are spoken to."""

from __future__ import annotations

import ipaddress

import pytest

from qavix_watch.api.hosts import base_address, is_loopback, is_public, public_only, transfer_address
from qavix_watch.errors import TransferError


@pytest.mark.parametrize("address", [
    "127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "255.255.255.255", "224.0.0.1",
    "240.0.0.1", "198.18.0.1", "::", "::1", "fe80::1", "fd00::1", "ff02::1", "::ffff:127.0.0.1", "::ffff:192.168.1.1", "64:ff9b::10.0.0.1",
    "2002:7f00:1::", "2002:0a00:0001::1", "2001:db8::1", "4000::1",
])
def test_no_address_inside_passes_for_public_whatever_its_clothes(address: str) -> None:
    assert not is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize("address", ["93.184.216.34", "2606:2800:220:1::1", "::ffff:93.184.216.34", "64:ff9b::93.184.216.34"])
def test_addresses_of_the_open_internet_are_public(address: str) -> None:
    assert is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize(("host", "loopback"), [
    ("127.0.0.1", True), ("127.9.9.9", True), ("::1", True), ("localhost", True), ("LOCALHOST", True), ("::ffff:127.0.0.1", True),
    ("10.0.0.1", False), ("localhost.evil.test", False), ("127.0.0.1.evil.test", False),
])
def test_loopback_is_told_without_asking_dns(host: str, loopback: bool) -> None:
    assert is_loopback(host) is loopback


@pytest.mark.parametrize(("base_url", "only"), [
    ("http://127.0.0.1:8080/qavix", False), ("http://localhost", False), ("http://[::1]:80", False), ("https://192.168.1.5/q", False),
    ("https://10.0.0.1", False), ("https://93.184.216.34", True), ("https://no-such-host.invalid", True),
])
def test_private_hosts_may_be_used_only_where_the_service_itself_is_private(base_url: str, only: bool) -> None:
    assert public_only(base_url) is only


def test_a_base_address_keeps_its_path_and_loses_a_last_slash() -> None:
    assert str(base_address("https://qavixi.com/qavix/")) == "https://qavixi.com/qavix"
    assert base_address("http://localhost:8080").port == 8080


@pytest.mark.parametrize("url", [
    "http://cdn.test/x?sig=topsecret", "https://127.0.0.1/x?sig=topsecret", "https://[::1]/x?sig=topsecret", "https://localhost/x?sig=topsecret",
    "https://169.254.169.254/x?sig=topsecret", "https://[::ffff:10.0.0.1]/x?sig=topsecret", "https://user:topsecret@cdn.test/x",
    "ftp://cdn.test/x?sig=topsecret", "/x?sig=topsecret", "https://[::1/x?sig=topsecret", "https://cdn.test:topsecret/",
])
def test_an_address_that_is_not_spoken_to_is_refused_without_showing_its_secrets(url: str) -> None:
    with pytest.raises(TransferError, match="the result") as caught:
        transfer_address(url, "the result", only_public=True)
    assert "topsecret" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_where_the_service_is_private_plain_and_private_addresses_are_fine() -> None:
    assert transfer_address("http://192.168.1.5:9000/b?s=1", "the upload", only_public=False).port == 9000
    with pytest.raises(TransferError):
        transfer_address("http://u:p@192.168.1.5/b", "the upload", only_public=False)
