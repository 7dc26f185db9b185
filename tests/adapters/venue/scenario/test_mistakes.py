"""A scenario file that is wrong says where, what and what to do, and cannot cost much."""

from __future__ import annotations

import re
from pathlib import Path
from random import Random

import attrs
import pytest

from kalshi_fix_adapters.venue.scenario import nodes
from kalshi_fix_adapters.venue.scenario.file import load_scenario, parse_scenario
from kalshi_fix_adapters.venue.scenario.mistakes import MAX_MISTAKES, ScenarioError
from kalshi_fix_adapters.venue.venue import Venue
from kalshi_fix_sansio.clock import Instant
from tests.adapters.venue.town import START

EXAMPLE = Path(__file__).parents[4] / "examples" / "scenario.yaml"
ANN = "accounts:\n  ann: {prediction: {balance: 5}}\n"


def mistakes_of(text: str | bytes) -> list[str]:
    data = text if isinstance(text, bytes) else text.encode()
    with pytest.raises(ScenarioError) as caught:
        parse_scenario(data, "f.yaml")
    lines = str(caught.value).split("\n")
    assert lines == [f"f.yaml:{m.line}: {m.what}; {m.advice}" for m in caught.value.mistakes]
    return lines


@pytest.mark.parametrize(
    ("text", "said"),
    [
        # Names
        ("sed: 1", "f.yaml:1: the file has an unknown key `sed`; did you mean `seed`?"),
        (
            "seed: 1\nmarkets:\n  prediction:\n    A: {tik: 0.01}",
            "f.yaml:4: markets.prediction.A has an unknown key `tik`; did you mean `tick`?",
        ),
        (
            "markets:\n  perps: {}",
            "f.yaml:2: markets has an unknown key `perps`; use one of `prediction`, `margin`",
        ),
        (
            f"{ANN}keys:\n- {{owner: anne}}",
            "f.yaml:4: the keys of `anne` belong to nobody; did you mean `ann`?",
        ),
        (
            f"{ANN}keys:\n- {{owner: ann,\n   product: margin}}",
            "f.yaml:5: `ann` has keys but no account on margin; add accounts.ann.margin",
        ),
        (
            "schedule:\n- {when: 5s, do: halt, market: KXNBA-27-NYX}",
            "f.yaml:2: `halt` names the unknown market `KXNBA-27-NYX`; did you mean `KXNBA-27-NYK`?",
        ),
        (
            "flow:\n  markets: [BTC-PERP,\n    KXNBA-27]",
            "f.yaml:3: the flow names the unknown market `KXNBA-27`; did you mean `KXNBA-27-NYK`?",
        ),
        (
            "schedule: [{when: 5s, do: paus}]",
            "f.yaml:1: schedule[1].do is no operation; did you mean `pause`?",
        ),
        (
            "schedule: [{do: pause, what: everything}]",
            "f.yaml:1: schedule[1].what: 'everything' is none of trading, exchange; use one of",
        ),
        (
            "schedule: [{do: pause, wat: trading}]",
            "f.yaml:1: schedule[1]: `pause` has no parameter `wat`; did you mean `what`?",
        ),
        (
            "schedule: [{what: trading}]",
            "f.yaml:1: schedule[1] has no `do`; add it: `{when: 90s, do: pause}` with",
        ),
        ("schedule: [{do: halt}]", "f.yaml:1: schedule[1]: halt needs market"),
        (
            "accounts:\n  flow-maker-1: {margin: {balance: 1}}",
            "f.yaml:2: the name `flow-maker-1` is kept for accounts of the venue's own; choose another one",
        ),
        ("accounts:\n  liquidity: {margin: {balance: 1}}", "f.yaml:2: the name `liquidity` is kept"),
        (
            "accounts:\n  a/b: {margin: {balance: 1}}",
            "f.yaml:2: the key `a/b` of accounts is `a/b`; write a name",
        ),
        ("accounts:\n  ann: {}", "f.yaml:2: accounts.ann has no account; add `prediction` or `margin`"),
        # Types
        ("- 1", "f.yaml:1: the file is a list; write a mapping with some of `seed`"),
        ("seed: soon", "f.yaml:1: seed is `soon`; write a whole number from 0 to"),
        ("seed: -1", "f.yaml:1: seed is `-1`; write a whole number from 0 to"),
        ("seed: 1.5", "f.yaml:1: seed is `1.5`; write a whole number"),
        ("seed: true", "f.yaml:1: seed is `true`; write a whole number"),
        ("seed:", "f.yaml:1: seed is empty; write a whole number"),
        ("accounts: [ann]", "f.yaml:1: accounts is a list; write a mapping"),
        ("keys: {owner: ann}", "f.yaml:1: keys is a mapping; write a list"),
        ("schedule: [pause]", "f.yaml:1: schedule[1] is `pause`; write `{when: 90s, do: pause}` with"),
        ("schedule: [{when: 5, do: pause}]", "f.yaml:1: schedule[1].when is `5`; write a time such as"),
        (
            "limits: {logon-timeout: -5s}",
            "f.yaml:1: limits.logon-timeout is `-5s`; write a time such as",
        ),
        (f"{ANN}keys:\n- {{owner: ann, type: dsa}}", "f.yaml:4: keys[1].type is `dsa`; did you mean `rsa`?"),
        (
            f"{ANN}keys:\n- {{owner: ann, count: 0}}",
            "f.yaml:4: keys[1].count is `0`; write a whole number from 1",
        ),
        (
            f"{ANN}keys:\n- {{count: 1}}",
            "f.yaml:4: keys[1] has no `owner`; add it: whose account they belong to",
        ),
        (
            f"{ANN}keys:\n- {{owner: ann, scopes: [read, read]}}",
            "f.yaml:4: keys[1].scopes lists `read` twice",
        ),
        # Money
        ("accounts:\n  ann: {margin: {}}", "f.yaml:2: accounts.ann.margin has no `balance`; add it: dollars"),
        (
            "accounts:\n  ann: {margin: {balance: -5}}",
            "f.yaml:2: accounts.ann.margin.balance is `-5`; write dollars: a decimal number of at least 0",
        ),
        (
            "accounts:\n  ann: {margin: {balance: 1e5}}",
            "f.yaml:2: accounts.ann.margin.balance is `1e5`; write",
        ),
        (
            "accounts:\n  ann: {margin: {balance: .inf}}",
            "f.yaml:2: accounts.ann.margin.balance is `.inf`; write",
        ),
        (
            "accounts:\n  ann: {margin: {balance: NaN}}",
            "f.yaml:2: accounts.ann.margin.balance is `NaN`; write",
        ),
        ("accounts:\n  ann: {margin: {balance: $5}}", "f.yaml:2: accounts.ann.margin.balance is `$5`; write"),
        ("accounts:\n  ann: {margin: {balance: 1,000}}", "f.yaml:2:"),
        ("accounts:\n  ann: {margin: {balance: 1_000}}", "f.yaml:2: accounts.ann.margin.balance is `1_000`"),
        ("accounts:\n  ann: {margin: {balance: ٣}}", "f.yaml:2: accounts.ann.margin.balance is `٣`"),
        (
            "accounts:\n  ann:\n    prediction:\n      balance: 5\n      subaccounts: {64: 1}",
            "f.yaml:5: the key `64` of accounts.ann.prediction.subaccounts is `64`; write a whole number",
        ),
        (
            "accounts:\n  ann:\n    prediction:\n      balance: 5\n      shards: {0: {balance: 1}}",
            "f.yaml:5: the key `0` of accounts.ann.prediction.shards is `0`; write a whole number",
        ),
        (
            "accounts:\n  ann: {margin: {balance: 5, shards: {1: {balance: 1}}}}",
            "f.yaml:2: accounts.ann.margin has an unknown key `shards`",
        ),
        # Markets
        (
            "markets: {prediction: {A: {middle: 1.2}}}",
            "f.yaml:1: the middle of A is 1.2; write a price between 0.01 and 0.99",
        ),
        (
            "markets: {prediction: {A: {tick: 0.03}}}",
            "f.yaml:1: the tick of A is 0.03; write a part of a dollar",
        ),
        (
            "markets: {prediction: {A: {tick: 0}}}",
            "f.yaml:1: markets.prediction.A.tick is `0`; write dollars",
        ),
        ("markets: {prediction: {A: {tick: 1}}}", "f.yaml:1: the tick of A is 1; write a part of a dollar"),
        (
            "markets: {margin: {A: {tick: 0.1, maximum-price: 0.1}}}",
            "f.yaml:1: the tick of A is 0.1; write less",
        ),
        (
            "markets: {prediction: {A: {liquidity: {spacing: 0.015}}}}",
            "f.yaml:1: the spacing of A is 0.015, which is no multiple of its tick 0.01; write a multiple",
        ),
        (
            "markets: {prediction: {A B: {}}}",
            "f.yaml:1: the key `A B` of markets.prediction is `A B`; write a ticker",
        ),
        (
            "markets: {prediction: {A: {state: open}}}",
            "f.yaml:1: markets.prediction.A.state is `open`; use one of",
        ),
        (
            "markets: {prediction: {A: {state: settled}}}",
            "f.yaml:1: A is settled and has no `result`; add it",
        ),
        ("markets: {prediction: {A: {result: yes}}}", "f.yaml:1: A has a `result` but is active; remove it"),
        (
            "markets: {margin: {A: {state: initialized,\n  liquidity: {levels: 1}}}}",
            "f.yaml:2: A has `liquidity` but is not open yet; remove it",
        ),
        (
            "markets: {prediction: {A: {state: amended}}}",
            "f.yaml:1: A is amended and has no `result`; add it",
        ),
        ("fees: {prediction: {taker-rate: 2}}", "f.yaml:1: fees.prediction.taker-rate is `2`; write a rate"),
        ("flow: {makers: 0, takers: 0}", "f.yaml:1: the flow has a rate but neither makers nor takers"),
        ("flow: {rate: 20000}", "f.yaml:1: flow.rate is `20000`; write actions a second"),
        (
            "assumptions: {rebate-waits-for-a-fee: yes}",
            "f.yaml:1: assumptions.rebate-waits-for-a-fee is `yes`; write true or false",
        ),
        (
            "markets: {prediction: {A: {tick: 0.01,\n  structure: linear_cent}}}",
            "f.yaml:2: A has both a `tick` and a `structure`; keep one of the two",
        ),
        (
            "markets: {prediction: {A: {structure: deci-cent}}}",
            "f.yaml:1: markets.prediction.A.structure is `deci-cent`; did you mean `deci_cent`?",
        ),
        ("markets: {margin: {A: {band: {share: 2}}}}", "f.yaml:1: markets.margin.A.band.share is `2`; write"),
        (
            "accounts: {ann: {prediction: {balance: 1, tier: Primer}}}",
            "f.yaml:1: accounts.ann.prediction.tier is `Primer`; did you mean `Prime`?",
        ),
        (
            "accounts: {ann: {prediction: {balance: 1, positions: {BTC-PERP: {quantity: 1}}}}}",
            "f.yaml:1: a position of ann names the unknown market `BTC-PERP`; use one of",
        ),
        (
            "accounts: {ann: {margin: {balance: 1, positions: {BTC-PERP: {quantity: 0.5}}}}}",
            "f.yaml:1: a position of ann in BTC-PERP is 0.5 contracts; write a multiple of 1 that is not 0",
        ),
        (
            "accounts: {ann: {margin: {balance: 1, positions: {BTC-PERP: {quantity: 0}}}}}",
            "f.yaml:1: a position of ann in BTC-PERP is 0 contracts; write a multiple",
        ),
        (
            "accounts: {ann: {margin: {balance: 1, positions: {BTC-PERP: {quantity: 1, price: 0.00001}}}}}",
            "f.yaml:1: the price of ann's position in BTC-PERP is 0.00001; write a price",
        ),
        (
            "accounts: {ann: {margin: {balance: 1, customers: {x: {balance: 1}}}}}",
            "f.yaml:1: the key `x` of accounts.ann.margin.customers is `x`; write a PartyID",
        ),
        (
            f"{ANN}keys: [{{owner: ann, customers: [x]}}]",
            "f.yaml:3: `x` is no customer of `ann` on prediction; leave it out: there are none",
        ),
        (
            "groups: {G: {markets: [KXNBA-27-NYK, X]}}",
            "f.yaml:1: the group G names the unknown market `X`; use one of",
        ),
        (
            "groups: {G: {markets: [KXNBA-27-NYK]}}",
            "f.yaml:1: market group G needs two or more different markets",
        ),
        ("groups: {G: {}}", "f.yaml:1: groups.G has no `markets`; add it"),
        (
            "pauses: [{weekday: monday, begins: 05:00, ends: 03:00}]",
            "f.yaml:1: a pause ends at 03:00, before it begins at 05:00; write a later time",
        ),
        ("pauses: [{weekday: mon, begins: 05:00, ends: 06:00}]", "f.yaml:1: pauses[1].weekday is `mon`;"),
        (
            "pauses: [{weekday: monday, begins: 5am, ends: 06:00}]",
            "f.yaml:1: pauses[1].begins is `5am`; write a time",
        ),
        # YAML
        ("seed: 1\nseed: 2", "f.yaml:2: `seed` stands twice (first in line 1); keep one of the two"),
        ("seed: [1", "f.yaml:1: is not valid YAML: "),
        ("seed: 1\n\tx: 2", "f.yaml:2: is not valid YAML: "),
        ("", "f.yaml:1: is empty; describe the venue"),
        ("# nothing", "f.yaml:1: is empty; describe the venue"),
        ("seed: !!python/object/apply:os.system [ls]", "f.yaml:1: seed is a list"),
        (
            "seed: !!python/name:os.system ''",
            "f.yaml:1: the tag tag:yaml.org,2002:python/name:os.system has no",
        ),
        ("seed: 1\n? [a, b]\n: 2", "f.yaml:2: a key is not a plain word; use a name as the key"),
        ("seed: 1\n---\nseed: 2", "f.yaml:2: is not valid YAML: but found another document"),
        ("seed: " + "9" * 30, "f.yaml:1: a number has more than 18 digits; correct it"),
        ("accounts: &a {x: *a}", "f.yaml:1: an anchor contains itself; write the value out"),
        ("seed: \x07", "f.yaml:1: holds the character U+0007, which YAML does not allow; remove it"),
        (b"seed: 1\naccounts: \xff\xfe", "f.yaml:2: is not UTF-8; save the file as UTF-8"),
        ("seed: 1".encode("utf-16"), "f.yaml:1: is not UTF-8; save the file as UTF-8"),
    ],
)
def test_a_mistake_is_told_with_its_line_and_what_to_do(text: str | bytes, said: str) -> None:
    found = mistakes_of(text)
    assert any(line.startswith(said) for line in found), found
    assert len(found) == 1, found


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            """
sed: 1
markets: {prediction: {AA: {}}}
groups: {G: {markets: [AA, BB]}}
keys:
- {owner: bob}
schedule:
- {do: halt, market: CC}
accounts: {ann: {margin: {balance: 1}}}""",
            [
                "2: the file has an unknown key `sed`",
                "4: the group G names the unknown market `BB`; use one of `AA`",
                "6: the keys of `bob` belong to nobody; use one of `ann`",
                "8: `halt` names the unknown market `CC`; use one of `AA`",
            ],
        ),
        # What has a mistake of its own is there all the same.
        (
            """
markets: {prediction: {AA: {state: opn, result: yes}, BB: 1}}
groups: {G: {markets: [AA, BB]}}
flow: {markets: [AA]}""",
            ["2: markets.prediction.AA.state is `opn`", "2: markets.prediction.BB is `1`"],
        ),
        (
            """
accounts: {ann: {prediction: {balance: x, customers: {c: 1}}}}
keys: [{owner: ann, customers: [c]}]
schedule: [{do: cut, owner: ann}, {do: cut, owner: you}]""",
            [
                "2: accounts.ann.prediction.balance is `x`",
                "2: the key `c` of accounts.ann.prediction.customers is `c`",
                "2: accounts.ann.prediction.customers.c is `1`",
            ],
        ),
        # What is wrong as a whole leaves open what is in it.
        (
            "markets: []\naccounts: []\ngroups: {G: {markets: [AA, BB]}}\nkeys: [{owner: bob}]",
            ["1: markets is a list", "2: accounts is a list"],
        ),
        ("markets: {prediction: 1}\nflow: {markets: [AA]}", ["1: markets.prediction is `1`"]),
        # One section's mistake hides nothing of another one.
        (
            "markets:\n  prediction:\n    AA: {middle: 2, tick: x}\n    BB: {middle: 2}",
            ["3: markets.prediction.AA.tick is `x`", "4: the middle of BB is 2"],
        ),
    ],
)
def test_what_refers_to_other_parts_is_told_with_everything_else_and_nothing_follows_from_another_mistake(
    text: str, said: list[str]
) -> None:
    found = mistakes_of(text)
    assert len(found) == len(said), found
    assert all(line.startswith(f"f.yaml:{each}") for line, each in zip(found, said, strict=True)), found


def test_of_many_names_those_that_are_most_alike_come_first() -> None:
    markets = ", ".join(f"KXMARKET-{number}: {{}}" for number in range(40))
    (found,) = mistakes_of(f"markets: {{prediction: {{{markets}}}}}\nflow: {{markets: [M-39]}}")
    assert "use one of `KXMARKET-39`, " in found
    assert found.endswith(", and 16 more")


def test_all_mistakes_of_a_file_are_told_at_once_in_order() -> None:
    found = mistakes_of("maintenance: x\nseed: y\nacounts: {}\nfees:\n  prediction: {taker-rate: z}\n")
    assert [line.partition(" ")[0] for line in found] == ["f.yaml:1:", "f.yaml:2:", "f.yaml:3:", "f.yaml:5:"]


def test_so_many_mistakes_are_told_and_no_more() -> None:
    found = mistakes_of("\n".join(f"key{number}: 1" for number in range(MAX_MISTAKES * 3)))
    assert len(found) == MAX_MISTAKES + 1
    assert "there are more mistakes; mend those above first" in found[-1]


def test_a_long_value_is_shortened_and_what_would_drive_a_terminal_is_escaped() -> None:
    (found,) = mistakes_of('seed: "\\e[31m' + "x" * 10_000 + '"')
    assert "\x1b" not in found
    assert "\\x1b[31m" in found
    assert len(found) < 1200


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x: " + "[" * 40 + "]" * 40, "it is nested more than 32 levels deep"),
        ("a: " + "{a: " * 40 + "1" + "}" * 40, "it is nested more than 32 levels deep"),
        ("x: [" + "1," * nodes.BOUNDS.values + "]", "it has more than 20000 values"),
        (
            "a: &a [1,1,1,1,1,1,1,1,1,1]\n"
            + "".join(
                f"{b}: &{b} [{','.join([f'*{a}'] * 10)}]\n"
                for a, b in zip("abcdefgh", "bcdefghi", strict=True)
            ),
            "aliases stand for more than 2000 values",
        ),
        ("#" + "x" * nodes.MAX_FILE_SIZE, "has more than 524288 bytes; leave out what is not needed"),
        (
            "accounts: {" + ",".join(f"a{n}: {{margin: {{balance: 1}}}}" for n in range(2001)) + "}",
            "write a mapping with up to 2000",
        ),
        (
            ANN + "keys:\n" + "- {owner: ann, count: 1000}\n" * 6,
            "there are 6000 API keys in all; make do with 5000",
        ),
    ],
    ids=["lists", "mappings", "values", "bomb", "bytes", "entries", "keys"],
)
def test_a_huge_file_is_refused(text: str, said: str) -> None:
    assert any(said in line for line in mistakes_of(text))


def test_just_under_the_bounds_a_file_is_read() -> None:
    many = ",".join(f"a{n}: {{margin: {{balance: 1}}}}" for n in range(500))
    scenario = parse_scenario(f"accounts: {{{many}}}\n#{'x' * (nodes.MAX_FILE_SIZE - 50_000)}".encode())
    assert len(scenario.accounts) == 500


def test_a_file_that_is_not_there_or_is_a_folder_is_told(tmp_path: Path) -> None:
    for path in (tmp_path / "no.yaml", tmp_path):
        with pytest.raises(ScenarioError, match=r":1: cannot be read \(.*\); name a file that you may read"):
            load_scenario(path)


ODD = (
    "-1",
    "0",
    "true",
    "null",
    "[]",
    "{}",
    "1e5",
    "9" * 20,
    "yes",
    "'",
    "&a",
    "*a",
    "!!str",
    "1d",
    ":",
    "\t",
    "é",
)


def test_whatever_is_changed_in_a_file_it_is_read_or_told_and_a_venue_begins_with_what_is_read() -> None:
    random = Random(4)
    example = EXAMPLE.read_text()
    words = re.findall(r"[\w.-]+", example)
    read = 0
    for _ in range(150):
        text = example
        for _ in range(random.randint(1, 3)):
            place = random.choice(list(re.finditer(r"[\w.-]+", text)))
            text = text[: place.start()] + random.choice((*ODD, *words)) + text[place.end() :]
        try:
            scenario = parse_scenario(text.encode())
        except ScenarioError:
            continue
        read += 1
        venue = Venue(attrs.evolve(scenario, keys=()).config({}), Random(1))
        venue.begin(Instant(0.0, START))
    assert 10 < read < 100
