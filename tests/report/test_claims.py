"""Tables of claims: what is compared, with what, and which part of a criterion was not met."""

import io
import json
from collections.abc import Callable
from pathlib import Path
from unittest.mock import patch

import pytest
from rich.console import Console

from grok.claims import PAPERS, Claim, claims_of
from grok.claims.claim import Part, at_least, at_most, ordered, shown
from grok.claims.reproduce import Result
from grok.claims.sample import Sample
from grok.cli import main
from grok.report.claims import counts, markdown, part_text, print_results

LONG = "a statement of ninety characters, which is about as long as those of the claims become"


def result(verdict: str, *parts: Part, reason: str = "", id: str = "X-01") -> Result:
    claim = Claim(
        id=id,
        tier="S",
        statement=LONG,
        source="fig. 1",
        published="875 [726, 990] | 7,695 [6,188, 7,829]",
        judge=lambda _: (),
    )
    return Result(claim, verdict, parts, reason)  # type: ignore[arg-type]


ONSETS = Sample({"1": 800.0, "2": 775.0, "3": float("inf")}, horizon=1300.0)
HOLDS = result("holds", at_most("M: step of test accuracy 0.99", ONSETS, 1300))
FAILS = result(
    "fails",
    at_least("ratio", 0.25, 0.5),
    at_most("loss", 0.125, 0.5),
    shown("log-rank p", 0.01),
    ordered("median step", {f"name of arm {i}": i for i in range(20)}),
    id="X-02",
)
NOT_RUN = result("not run", reason="add113-mlp-s1-0123456789 is not in runs", id="X-03")
RESULTS = [HOLDS, FAILS, NOT_RUN]


def printed(capsys: pytest.CaptureFixture[str]) -> str:
    print_results(RESULTS)
    return capsys.readouterr().out


def test_a_part_shows_quantity_reading_and_bound() -> None:
    [part] = HOLDS.parts
    assert part_text(part) == "M: step of test accuracy 0.99: 800 [775, >1,300] (≤ 1,300)"


def test_only_a_part_that_is_not_met_is_marked() -> None:
    assert [part_text(part) for part in FAILS.parts[:3]] == [
        "ratio: 0.25 (≥ 0.5)  <- not met",
        "loss: 0.125 (≤ 0.5)",
        "log-rank p: 0.01",
    ]


def test_the_table_has_claim_published_ours_and_verdict(
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = printed(capsys)
    header, *_ = (line for line in out.splitlines() if "published" in line)
    names = ("claim", "published", "ours: median [min, max]", "verdict")
    places = [header.index(name) for name in names]
    assert places == sorted(places)
    for found in RESULTS:
        [line] = (line for line in out.splitlines() if found.claim.id in line)
        assert f"{found.claim.id} (S) {LONG}" in line
        assert found.claim.published in line
        assert line.rstrip("│ ").endswith(found.verdict)
    assert NOT_RUN.reason in out
    assert out.endswith("1 holds, 1 fails, 1 not run\n")


def test_no_line_is_cut_where_there_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    lines = printed(capsys).splitlines()
    for part in (*HOLDS.parts, *FAILS.parts):
        assert sum(part_text(part) in line for line in lines) == 1
    assert "…" not in "".join(lines)
    assert all(line == line.rstrip() for line in lines)


def test_in_a_terminal_the_table_fits_and_loses_no_word() -> None:
    out = io.StringIO()
    narrow = Console(file=out, force_terminal=True, width=80, color_system=None, highlight=False)
    with patch("grok.report.claims.console", lambda: narrow):
        print_results(RESULTS)
    text = out.getvalue()
    assert max(map(len, text.splitlines())) <= 80
    assert "…" not in text
    words = {w for found in RESULTS for p in found.parts for w in p.quantity.split()}
    assert all(word in text for word in words)


def test_counts_name_only_what_there_is() -> None:
    assert counts([HOLDS, HOLDS]) == "2 hold"
    assert counts([FAILS, NOT_RUN, HOLDS]) == "1 holds, 1 fails, 1 not run"


def test_markdown_has_one_row_per_claim_and_escapes_bars() -> None:
    header, rule, *rows = markdown(RESULTS).splitlines()
    assert header == "| claim | published | ours: median [min, max] | verdict |"
    assert rule == "| --- | --- | --- | --- |"
    assert len(rows) == 3
    assert rows[0].startswith(f"| **X-01** (S) {LONG} | 875 [726, 990] \\| 7,695 [6,188, 7,829] |")
    assert "ratio: 0.25 (≥ 0.5)  <- not met<br>loss: 0.125 (≤ 0.5)<br>" in rows[1]
    assert rows[2].endswith(f"| {NOT_RUN.reason} | not run |")


def test_a_result_as_json_has_numbers_that_json_has() -> None:
    found = HOLDS.as_dict()
    [part] = found["ours"]
    assert part["seeds"] == {"1": 800.0, "2": 775.0, "3": None}
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert "reason" not in found
    assert NOT_RUN.as_dict()["reason"] == NOT_RUN.reason


# grok list claims.


@pytest.fixture
def listed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., tuple[int, str, str]]:
    monkeypatch.chdir(tmp_path)

    def of(*arguments: str) -> tuple[int, str, str]:
        capsys.readouterr()
        code = main(["list", *arguments])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return of


def _every_claim() -> list[Claim]:
    return [claim for paper in PAPERS for claim in claims_of(paper)]


def test_list_claims_has_one_whole_line_per_claim(
    listed: Callable[..., tuple[int, str, str]],
) -> None:
    code, out, _ = listed("claims")
    lines = out.splitlines()
    assert code == 0
    assert lines[0].split() == ["id", "tier", "statement", "source", "published"]
    for claim, line in zip(_every_claim(), lines[1:], strict=True):
        assert line.split()[:2] == [claim.id, claim.tier]
        assert all(text in line for text in (claim.statement, claim.source, claim.published))
    of_paper = listed("claims", "inductive-bias")[1]
    assert [line.split()[0] for line in of_paper.splitlines()[1:]] == [
        claim.id for claim in claims_of("inductive-bias")
    ]
    assert listed("claims", "inductive_bias")[1] == of_paper


def test_list_claims_as_json_gives_rows(listed: Callable[..., tuple[int, str, str]]) -> None:
    rows = json.loads(listed("claims", "--json")[1])
    first = _every_claim()[0]
    assert len(rows) == len(_every_claim())
    assert rows[0] == {
        "id": first.id,
        "tier": first.tier,
        "statement": first.statement,
        "source": first.source,
        "published": first.published,
    }


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["claims", "x"], f"grok: no claims of a paper 'x'; there are: {', '.join(PAPERS)}\n"),
        (["runs", "x"], "grok: 'x' is too much: only `grok list claims` takes a paper\n"),
    ],
)
def test_a_paper_is_one_that_there_is_and_asked_for_claims(
    arguments: list[str], message: str, listed: Callable[..., tuple[int, str, str]]
) -> None:
    assert listed(*arguments) == (2, "", message)
