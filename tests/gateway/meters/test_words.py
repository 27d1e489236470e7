"""Numbers survive the way into registers and back, in every type and both word orders."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.meters.words import RegisterType, WordOrder, number_from, raw_bits, words_of

BIG, LITTLE = WordOrder.BIG, WordOrder.LITTLE


@pytest.mark.parametrize(
    ("words", "kind", "order", "number"),
    [
        ([0xFFFE], RegisterType.INT16, BIG, -2),
        ([0xFFFE], RegisterType.UINT16, LITTLE, 65534),
        ([0x0001, 0x0000], RegisterType.INT32, BIG, 65536),
        ([0x0001, 0x0000], RegisterType.INT32, LITTLE, 1),
        ([0xFFFE, 0xFFFF], RegisterType.INT32, LITTLE, -2),
        ([0xFFFF, 0xFFFF], RegisterType.UINT32, BIG, 4294967295),
        ([0xFFFF, 0xFFFF], RegisterType.ACC32, BIG, 4294967295),
        ([0x4366, 0x3334], RegisterType.FLOAT32, BIG, 230.2000122),
        ([0x3334, 0x4366], RegisterType.FLOAT32, LITTLE, 230.2000122),
        ([0x406C, 0xC666, 0x6666, 0x6666], RegisterType.FLOAT64, BIG, 230.2),
        ([0, 0, 0, 7], RegisterType.UINT64, BIG, 7),
        ([0xFFF9, 0xFFFF, 0xFFFF, 0xFFFF], RegisterType.INT64, LITTLE, -7),
    ],
)
def test_registers_written_down_by_hand(words, kind, order, number):
    assert number_from(words, kind, order) == pytest.approx(number)
    assert raw_bits(words, order) == raw_bits(words_of(number, kind, order), order)


@given(
    kind=st.sampled_from([kind for kind in RegisterType if not kind.is_float]),
    order=st.sampled_from(WordOrder),
    data=st.data(),
)
def test_whole_numbers_come_back(kind, order, data):
    low, high = kind.bounds
    exact = 2**53  # beyond it a float skips whole numbers
    number = data.draw(st.integers(max(low, -exact), min(high, exact)))

    assert number == number_from(words_of(number, kind, order), kind, order)


@given(st.floats(width=32), st.sampled_from(WordOrder))
def test_floats_come_back(number, order):
    back = number_from(words_of(number, RegisterType.FLOAT32, order), RegisterType.FLOAT32, order)

    assert back == number or (math.isnan(back) and math.isnan(number))


@pytest.mark.parametrize("number", [1e9, -1e9, math.inf, math.nan])
def test_what_does_not_fit_is_bounded(number):
    words = words_of(number, RegisterType.INT16, BIG)

    assert abs(number_from(words, RegisterType.INT16, BIG)) <= 32768
