"""`frozen`: what it promises at run time; that nobody assigns to a field is mypy's to hold."""

from gateway.frozen import frozen


@frozen
class Reading:
    current_a: float
    phase: str | None = None


def test_equal_fields_are_equal_and_hash_alike() -> None:
    assert Reading(6.0, "L1") == Reading(6.0, "L1") != Reading(6.0)
    assert len({Reading(6.0), Reading(6.0), Reading(7.0)}) == 2


def test_there_is_no_room_for_other_fields() -> None:
    assert not hasattr(Reading(6.0), "__dict__")
