"""Plays an independent AdsPower client, PyPI `adspower`, against the emulator.

The client was written against the real Local API by people who do not know us: what it refuses
to parse, the emulator does wrong. Usage: python3 -I adspower.py BASE_URL API_KEY
"""

import dataclasses
import json
import sys
import traceback
import urllib.error
import urllib.request

from adspower import AdsPowerClient, AdsPowerRatePolicy
from adspower.errors import AdsPowerAPIError

PROFILE_COUNT = 5


def fetch(url):
    with urllib.request.urlopen(url, timeout=5) as response:
        return json.load(response)


def refused(call):
    """The refusal's code and message."""
    try:
        call()
    except AdsPowerAPIError as error:
        return error.code, error.server_message
    raise AssertionError("the call was not refused")


def health(client):
    assert client.health.status() is not None


def groups(client):
    # The client sends an empty group_name, which means absent.
    names = [group.name for group in client.groups.list()]
    assert names == ["Harbour", "Pine", "Quay"], names
    assert [group.name for group in client.groups.list(name="Pine")] == ["Pine"]


def profiles(client):
    page = client.profiles.list(page_size=100)
    ids = [profile.profile_id for profile in page]
    assert ids == [f"p{number}" for number in range(1, PROFILE_COUNT + 1)], ids
    assert page.items[0].user_proxy_config is not None
    assert isinstance(page.items[0].created_time, str)


def pages(client):
    ids = [profile.profile_id for profile in client.profiles.iter_all(page_size=2)]
    assert len(ids) == len(set(ids)) == PROFILE_COUNT, ids
    one_group = client.profiles.list(group_id="2", page_size=100)
    assert {profile.group_id for profile in one_group} == {"2"}
    asked_for = client.profiles.list(profile_id=["p4"], page_size=100)
    assert [profile.profile_id for profile in asked_for] == ["p4"]


def filters(client):
    def ids(**wanted):
        return [profile.profile_id for profile in client.profiles.list(page_size=100, **wanted)]

    assert ids(profile_no=["3"]) == ["p3"]
    assert ids(name="Practice 2") == ["p2"]
    assert ids(name="Practice 2", name_filter="exclude") == ["p1", "p3", "p4", "p5"]
    tags = {tag.name: tag.tag_id for tag in client.tags.list()}
    assert set(tags) == {"Blue", "Green"}, tags
    # Any of several.
    assert ids(tag_ids=list(tags.values()), tags_filter="include") == ["p1", "p3", "p5"]
    assert ids(tag_ids=[tags["Green"]], tags_filter="exclude") == ["p1", "p2", "p4", "p5"]


def numbers(client):
    session = client.browsers.start(profile_no="4", headless=True)
    assert [one.profile_id for one in client.browsers.list_opened()] == ["p4"]
    assert client.browsers.status(profile_no="4").active
    session.stop()


def closed(client):
    status = client.browsers.status("p1")
    assert not status.active and status.connection is None
    assert client.browsers.list_opened() == ()
    assert refused(lambda: client.browsers.stop("p1")) == (-1, "User_id is not open")


def unknown(client):
    expected = (-1, "Profile does not exist")
    assert refused(lambda: client.browsers.start("unknown")) == expected


def start_and_stop(client):
    session = client.browsers.start("p1", headless=True, launch_args=["--window-size=700,500"])
    connection = session.connection
    assert connection.debug_port and connection.playwright_cdp_url
    version = fetch(f"http://{connection.selenium_debugger_address}/json/version")
    assert version["webSocketDebuggerUrl"] == connection.playwright_cdp_url, version

    again = client.browsers.start("p1", headless=True).connection
    assert again == connection, "a second start must answer the same browser"
    status = client.browsers.status("p1")
    assert status.active, status
    assert status.connection.playwright_cdp_url == connection.playwright_cdp_url, status
    opened = client.browsers.list_opened()
    addresses = [(one.profile_id, one.connection.playwright_cdp_url) for one in opened]
    assert addresses == [("p1", connection.playwright_cdp_url)], addresses

    session.stop()
    assert not client.browsers.status("p1").active
    try:
        fetch(f"http://{connection.selenium_debugger_address}/json/version")
    except urllib.error.URLError:
        return
    raise AssertionError("the browser outlived its stop")


def stop_all(client):
    client.browsers.start("p2", headless=True)
    client.browsers.start("p3", headless=True)
    # The vendor's documents list the open ones, and only those; the client would read a status, too.
    opened = [one.profile_id for one in client.browsers.cloud_status(["p1", "p2", "p3"])]
    assert opened == ["p2", "p3"], opened
    client.browsers.stop_all()
    assert client.browsers.list_opened() == ()


def key(client):
    with AdsPowerClient(base_url=client.config.base_url, api_key="wrong") as stranger:
        assert refused(stranger.health.status)[0] == -1


def pace(client):
    stats = fetch(f"{client.config.base_url}/emulator/stats")
    assert stats["throttled"] == 0, stats
    assert stats["open"] == [], stats


CHECKS = [
    health, groups, profiles, pages, filters, closed, unknown, start_and_stop, numbers, stop_all, pace, key,
]


def unhurried(policy):
    """The client's own limits, with a quarter to spare: it counts a call when it sends it, the API
    when it arrives, and on a busy machine that is not the same."""
    def slower(limit):
        return dataclasses.replace(limit, period=limit.period * 1.25)

    return dataclasses.replace(
        policy,
        global_limit=slower(policy.global_limit),
        endpoint_limits={key: slower(limit) for key, limit in policy.endpoint_limits.items()},
    )


def main(base_url, api_key):
    failed = 0
    policy = unhurried(AdsPowerRatePolicy.conservative())
    with AdsPowerClient(base_url=base_url, api_key=api_key, rate_policy=policy) as client:
        for check in CHECKS:
            try:
                check(client)
                print(f"ok      {check.__name__}")
            except Exception:
                failed += 1
                print(f"FAILED  {check.__name__}")
                traceback.print_exc(file=sys.stdout)
    print(f"{len(CHECKS) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
