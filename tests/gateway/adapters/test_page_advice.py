"""Every reason why the site is degraded comes with what to do, the worst first."""

import re
from pathlib import Path

from gateway.adapters.web.advice import BY_KIND, banner

SOURCE = Path(__file__).parents[3] / "gateway"


def test_what_costs_money_at_once_comes_first_and_is_red():
    lines = banner({"mqtt": "broker away", "store": "disk full", "meter.grid": "no answer"})

    assert [(line["text"], line["tone"]) for line in lines] == [
        ("disk full", "bad"),
        ("broker away", "warn"),
        ("no answer", "warn"),
    ]
    assert all(line["advice"] for line in lines)


def test_a_reason_nobody_has_advice_for_is_told_all_the_same():
    assert banner({"news": "something"}) == [{"text": "something", "advice": "", "tone": "warn"}]


def test_there_is_advice_for_every_kind_of_problem_the_gateway_notes():
    source = "".join(path.read_text() for path in SOURCE.rglob("*.py"))
    kinds = set(re.findall(r'problem\(\s*f?"(\w+)', source))

    assert len(kinds) > 8
    assert kinds - BY_KIND.keys() == set()
