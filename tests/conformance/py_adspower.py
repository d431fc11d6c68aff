"""Plays an independent AdsPower client, PyPI `py-adspower`, against the emulator: it distinguishes refusals by
their words, and reads every field of a profile. Usage: python3 -I py_adspower.py PACKAGES BASE_URL
"""

import dataclasses
import os
import sys

sys.path[:0] = [sys.argv[1], os.path.dirname(os.path.abspath(__file__))]

from checks import play, post, raised  # noqa: E402

from adspower.adspower import AdsPower  # noqa: E402
from adspower.errors import BadProxy, TooManyRequests, UnableToStopBrowser, UnexpectedError  # noqa: E402
from adspower.models import ProfileInfo  # noqa: E402

BASE_URL = sys.argv[2]


def client():
    """Its address is fixed in the source."""
    made = AdsPower()
    made.base_url = f"{BASE_URL}/api/v1"
    made.group_url = f"{made.base_url}/group"
    made.browser_url = f"{made.base_url}/browser"
    made.profile_url = f"{made.base_url}/user"
    return made


def groups(client):
    assert list(client.query_groups_info()) == ["Harbour", "Pine", "Quay"]
    assert client.query_group_info("Quay", refresh=True).group_id == "3"


def profiles(client):
    found = client.query_profiles_info()
    assert list(found) == [f"Practice {number}" for number in range(1, 6)], list(found)
    for field in dataclasses.fields(ProfileInfo):
        assert hasattr(found["Practice 1"], field.name), f"there is no {field.name}"
    one = client.query_profiles_info(serial_number="3", refresh=True)
    assert [profile.user_id for profile in one.values()] == ["p3"], one
    one = client.query_profiles_info(user_id="p4", refresh=True)
    assert list(one) == ["Practice 4"], one
    assert client.query_profiles_info(group_id="9", refresh=True) is None


def start_and_stop(client):
    assert client.check_browser_status("p2") is None
    started = client.start_browser("p2", ip_tab="0")
    assert started.cdp_wss.startswith("ws://") and started.cdp_http, started
    assert client.check_browser_status("p2") == started
    assert client.stop_browser("p2")
    assert client.check_browser_status("p2") is None
    raised(UnableToStopBrowser, lambda: client.stop_browser("p2"))


def refusals(client):
    def fault(kind):
        post(f"{BASE_URL}/emulator/faults", {"kind": kind, "profile": "p3", "times": 1})

    fault("proxy_failed")
    raised(BadProxy, lambda: client.start_browser("p3"))
    fault("throttled")
    raised(TooManyRequests, lambda: client.start_browser("p3"))
    # It waits for "account does not exist". The wording varies, and ours is the documented one.
    error = raised(UnexpectedError, lambda: client.start_browser("unknown"))
    assert error.json["msg"] == "user_id does not exist", error.json


if __name__ == "__main__":
    sys.exit(play([groups, profiles, start_and_stop, refusals], client()))
