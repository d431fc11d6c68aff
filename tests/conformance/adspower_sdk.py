"""Plays an independent AdsPower client, PyPI `adspower-sdk`, against the emulator: the first version of the
API, with all parameters left to their defaults. Usage: python3 -I adspower_sdk.py PACKAGES BASE_URL

All three clients call their package `adspower`, so each has a folder of packages of its own.
"""

import os
import sys

sys.path[:0] = [sys.argv[1], os.path.dirname(os.path.abspath(__file__))]

from checks import play  # noqa: E402

from adspower.adspowerapi import AdsPowerAPI  # noqa: E402


def groups(client):
    names = [group["group_name"] for group in client.get_group_list()]
    assert names == ["Harbour", "Pine", "Quay"], names
    assert client.get_or_create_group_by_name("Pine") == "2"


def profiles(client):
    # It names no page size, and the API's own is 1.
    assert [profile["user_id"] for profile in client.get_browser_list()] == ["p1"]
    assert [profile["user_id"] for profile in client.get_browser_list(group_id="2")] == ["p2"]


def start_and_stop(client):
    assert client.get_opened_user_ids() == set()
    started = client.start_browser("p1")
    assert started["code"] == 0 and started["data"]["ws"]["puppeteer"].startswith("ws://"), started
    assert client.get_opened_user_ids() == {"p1"}
    assert client.is_browser_active("p1") and not client.is_browser_active("p2")
    assert client.close_browser("p1")["code"] == 0
    assert not client.is_browser_active("p1")
    closed = client.close_browser("p1")
    assert (closed["code"], closed["msg"]) == (-1, "User_id is not open"), closed


def unknown(client):
    refused = client.start_browser("unknown")
    assert (refused["code"], refused["msg"]) == (-1, "user_id does not exist"), refused


if __name__ == "__main__":
    sys.exit(play([groups, profiles, start_and_stop, unknown], AdsPowerAPI(base_url=sys.argv[2])))
