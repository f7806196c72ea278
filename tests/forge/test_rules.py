import pytest

from mlgit.core.verdict import Outcome, Verdict
from mlgit.errors import UsageError
from mlgit.forge import base, rules, sticky


@pytest.mark.parametrize("name", ["", "a b", "a-->", "x--y", "<!--", "A", "-a", "a\n"])
def test_a_marker_cannot_end_its_own_comment(name):
    with pytest.raises(UsageError):
        sticky.hidden_marker(name)


def test_a_marker_is_hidden_in_markdown():
    assert sticky.hidden_marker("mlgit:report/digits") == "<!-- mlgit:report/digits -->"


def test_a_long_title_is_cut_and_says_so():
    title = rules.checked_title("x" * 1000)

    assert len(title) == rules.TITLE_CHARACTERS
    assert title.endswith("…")


def test_approval_needs_no_words_and_refusal_does():
    assert rules.checked_review(base.ReviewVerdict.APPROVE, "", own=False) == ""
    with pytest.raises(UsageError, match="words"):
        rules.checked_review(base.ReviewVerdict.REQUEST_CHANGES, "", own=False)


def test_a_gate_that_refused_is_told_where_it_stands():
    def at(where: str, *, passed: bool = False) -> Verdict:
        return Verdict(
            gate="accuracy ≥ 0.9",
            outcome=Outcome.PASSED if passed else Outcome.FAILED,
            observed="0.8\x1b[31m",
            where=where,
        )

    told = rules.remarks(
        [at("registry/policy.yaml:7"), at("registry/policy.yaml:8", passed=True), at("policy"), at(":1")]
    )

    assert told == [base.Remark(path="registry/policy.yaml", line=7, message="accuracy ≥ 0.9: 0.8", is_failure=True)]
