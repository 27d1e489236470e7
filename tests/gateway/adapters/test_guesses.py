"""Who guesses tokens waits; who errs does not."""

import pytest

from gateway.adapters.web.guesses import FORGOTTEN_AFTER_S, FREE, MOST_ADDRESSES, Guesses

NOW = 1000.0


def after(wrong, address="10.0.0.1"):
    guesses = Guesses()
    for _ in range(wrong):
        guesses.wrong(address, NOW)
    return guesses


@pytest.mark.parametrize(
    ("wrong", "wait_s"), [(0, 0), (FREE - 1, 0), (FREE, 1), (FREE + 1, 2), (FREE + 3, 8), (99, 60)]
)
def test_a_few_mistakes_are_free_and_each_more_doubles_the_wait_up_to_a_minute(wrong, wait_s):
    assert after(wrong).wait_s("10.0.0.1", NOW) == wait_s


def test_after_the_wait_it_may_try_again_and_after_a_quarter_of_an_hour_all_is_forgotten():
    guesses = after(FREE + 3)

    assert guesses.wait_s("10.0.0.1", NOW + 7.9) > 0
    assert guesses.wait_s("10.0.0.1", NOW + 8) == 0
    guesses.wrong("10.0.0.1", NOW + FORGOTTEN_AFTER_S + 1)
    assert guesses.wait_s("10.0.0.1", NOW + FORGOTTEN_AFTER_S + 1) == 0


@pytest.mark.parametrize(
    ("other", "waits"),
    [
        ("2001:db8::2", True),
        ("2001:db8:0:0:ffff::9", True),
        ("2001:db8:1::1", False),
        ("10.0.0.1", False),
        ("nowhere", False),
    ],
)
def test_a_network_of_ipv6_is_one_address_and_all_others_are_their_own(other, waits):
    assert (after(FREE, "2001:db8::1").wait_s(other, NOW) > 0) is waits


def test_however_many_addresses_guess_memory_is_bounded():
    guesses = Guesses()
    for number in range(3 * MOST_ADDRESSES):
        guesses.wrong(f"host-{number}", NOW)

    assert len(guesses._records) == MOST_ADDRESSES
