"""What every forge does alike. One line in `FORGES` makes another forge answer for all of it."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace

import pytest

from mlgit.core import refs
from mlgit.errors import MlgitError, NotFoundError, RefMovedError, UsageError
from mlgit.forge import rules
from mlgit.forge.base import Forge, PullState, ReviewVerdict, Status, StatusState
from mlgit.forge.folder import FolderForge
from mlgit.forge.sticky import upsert
from mlgit.git.repo import Repo
from tests import github
from tests.conftest import need

# Each brings up the forge of a repository, and makes it as one person sees it.
FORGES: dict[str, Callable[[Repo], AbstractContextManager[Callable[[str], Forge]]]] = {
    "folder": lambda repo: nullcontext(lambda me: FolderForge(repo, me=me)),
    "github": github.forges,
}

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(64))


@pytest.fixture(params=list(FORGES))
def forge_of(request: pytest.FixtureRequest, repo: Repo) -> Iterator[Callable[[str], Forge]]:
    if request.param == "github":
        need("github", github.is_here())
    with FORGES[request.param](repo) as found:
        yield found


@pytest.fixture
def forge(forge_of: Callable[[str], Forge]) -> Forge:
    return forge_of("ada")


@pytest.fixture
def branch(repo: Repo) -> Callable[..., str]:
    def make(name: str, files: dict[str, bytes] | None = None, *, on: str = "main") -> str:
        ref = f"refs/heads/{name}"
        there = repo.resolve(ref)
        start = there or repo.resolve(on)
        files = {"train.py": b"lr = 0.1\n"} if files is None else files
        commit = repo.commit(start, files, f"work on {name}")
        repo.git("update-ref", ref, commit)
        return commit

    return make


def test_an_opened_pull_request_says_what_it_merges(forge: Forge, branch):
    commit = branch("run/a")

    pull = forge.open(head="run/a", base="main", title="Learn faster", body="It does.", labels=("model",))

    assert pull == forge.get(pull.number)
    assert (pull.head, pull.head_commit, pull.base) == ("run/a", commit, "main")
    assert (pull.title, pull.body, pull.author, pull.labels) == ("Learn faster", "It does.", "ada", ("model",))
    assert pull.state is PullState.OPEN
    assert not pull.draft
    assert pull.merge_commit is None


def test_a_pull_request_follows_its_branch(forge: Forge, branch):
    branch("run/a")
    number = forge.open(head="run/a", base="main", title="a").number

    later = branch("run/a", {"more.py": b""})

    assert forge.get(number).head_commit == later


@pytest.mark.parametrize(
    "name", ["missing", "", "-x", "--upload-pack=x", "a\nb", "a\0b", "*", "refs/heads/main", "main~1"]
)
def test_only_a_branch_that_exists_can_be_proposed(forge: Forge, branch, name):
    branch("run/a")

    with pytest.raises(NotFoundError):
        forge.open(head=name, base="main", title="t")
    with pytest.raises(NotFoundError):
        forge.open(head="run/a", base=name, title="t")


def test_a_branch_with_nothing_new_is_not_proposed(forge: Forge, repo: Repo):
    repo.git("branch", "same")

    with pytest.raises(MlgitError, match="nothing to merge"):
        forge.open(head="same", base="main", title="t")


def test_branches_without_common_history_are_not_proposed(forge: Forge, repo: Repo):
    repo.git("update-ref", "refs/heads/other", repo.commit(None, {"x": b""}, "alone"))

    with pytest.raises(MlgitError, match="no history in common"):
        forge.open(head="other", base="main", title="t")


def test_a_branch_is_proposed_once_at_a_time(forge: Forge, branch):
    branch("run/a")
    first = forge.open(head="run/a", base="main", title="t")

    with pytest.raises(MlgitError, match=f"#{first.number}"):
        forge.open(head="run/a", base="main", title="t")
    forge.close(first.number)
    second = forge.open(head="run/a", base="main", title="t")

    assert second.number > first.number
    with pytest.raises(MlgitError, match=f"#{second.number}"):
        forge.reopen(first.number)


def test_pull_requests_are_listed_newest_first_by_state_and_branch(forge: Forge, branch):
    for name in ("a", "b", "c"):
        branch(name, {name: b""})
    a, b, c = (forge.open(head=name, base="main", title=name).number for name in "abc")
    forge.close(b)

    assert [pull.number for pull in forge.pulls()] == [c, a]
    assert [pull.number for pull in forge.pulls(state=PullState.CLOSED)] == [b]
    assert [pull.number for pull in forge.pulls(state=None)] == [c, b, a]
    assert [pull.number for pull in forge.pulls(head="a")] == [a]


@pytest.mark.parametrize("number", [0, -1, 999_999])
def test_a_number_that_nobody_gave_is_not_found(forge: Forge, number):
    for ask in (forge.get, forge.comments, forge.reviews, forge.merge, forge.close, forge.reopen, forge.ready):
        with pytest.raises(NotFoundError):
            ask(number)
    with pytest.raises(NotFoundError):
        forge.comment(number, "hello")
    with pytest.raises(NotFoundError):
        forge.review(number, ReviewVerdict.COMMENT, "hello")


def test_a_title_is_one_clean_line(forge: Forge, branch):
    branch("a")

    pull = forge.open(head="a", base="main", title="one\n\x1b[31mtwo\x1b[0m\u202e  three" + "x" * 500)

    assert pull.title.startswith("one two threex")
    assert len(pull.title) <= 256
    with pytest.raises(UsageError):
        forge.open(head="a", base="main", title=" \n\x1b[0m ")


@pytest.mark.parametrize(
    "body", ["", "---\n---\n", "\n\n---\ntitle: x\n---\n", "a\r\nb", "täglich ☃ 🐍\n", "\ttabs\n\n  "]
)
def test_a_body_is_kept_to_the_letter(forge: Forge, branch, body):
    branch("a")

    number = forge.open(head="a", base="main", title="t", body=body).number

    assert forge.get(number).body == body


def test_a_pull_request_is_renamed_and_labelled_and_what_is_not_named_stays(forge: Forge, branch):
    branch("a", {"a": b""})
    number = forge.open(head="a", base="main", title="One", body="before", labels=("model",)).number

    renamed = forge.edit(number, title="Two\n ")
    labelled = forge.edit(number, labels=("ready", "model"))
    emptied = forge.edit(number, body="")

    assert (renamed.title, renamed.body, renamed.labels) == ("Two", "before", ("model",))
    assert (labelled.title, labelled.body, labelled.labels) == ("Two", "before", ("model", "ready"))
    assert (emptied.title, emptied.body) == ("Two", "")
    assert forge.get(number) == emptied
    with pytest.raises(UsageError):
        forge.edit(number, title=" ")
    with pytest.raises(NotFoundError):
        forge.edit(99, title="x")


@pytest.mark.parametrize("label", ["", " \n", "x" * 51])
def test_a_label_that_can_be_none_is_refused_before_anything_is_opened(forge: Forge, branch, label: str):
    branch("a", {"a": b""})

    with pytest.raises(UsageError, match="label"):
        forge.open(head="a", base="main", title="t", labels=("model", label))

    assert forge.pulls() == []
    number = forge.open(head="a", base="main", title="t").number
    with pytest.raises(UsageError, match="label"):
        forge.edit(number, title="Two", labels=(label,))
    assert forge.edit(number, labels=(" of\tmine ",)).labels == ("of mine",)
    assert forge.get(number).title == "t"


def test_what_is_too_long_or_empty_is_refused(forge: Forge, branch):
    branch("a")
    number = forge.open(head="a", base="main", title="t").number

    with pytest.raises(UsageError, match=r"65,537"):
        forge.comment(number, "x" * 65_537)
    with pytest.raises(UsageError):
        forge.comment(number, " \n")
    assert forge.comments(number) == []


def test_comments_come_in_order_and_can_be_edited(forge: Forge, branch):
    branch("a")
    number = forge.open(head="a", base="main", title="t").number
    one, two = forge.comment(number, "one"), forge.comment(number, "two")

    edited = forge.edit_comment(number, one.id, "one, better")

    assert (edited.id, edited.author, edited.created) == (one.id, "ada", one.created)
    assert [(c.id, c.body) for c in forge.comments(number)] == [(one.id, "one, better"), (two.id, "two")]
    with pytest.raises(NotFoundError):
        forge.edit_comment(number, 424_242, "x")


def test_more_comments_than_a_page_holds_are_all_read_in_order(forge: Forge, branch):
    branch("a")
    number = forge.open(head="a", base="main", title="t").number
    for count in range(31):
        forge.comment(number, str(count))

    assert [comment.body for comment in forge.comments(number)] == [str(count) for count in range(31)]


def test_a_sticky_comment_is_updated_in_place(forge: Forge, branch):
    branch("a")
    number = forge.open(head="a", base="main", title="t").number
    first = upsert(forge, number, "mlgit:report", "accuracy 0.9")
    forge.comment(number, "nice")

    second = upsert(forge, number, "mlgit:report", "accuracy 0.95")
    other = upsert(forge, number, "mlgit:gates", "all pass")

    assert second.id == first.id
    assert other.id != first.id
    assert len(forge.comments(number)) == 3
    assert forge.comments(number)[0].body == "<!-- mlgit:report -->\naccuracy 0.95"


def test_two_comments_that_were_made_at_once_become_one(forge: Forge, branch):
    branch("a")
    number = forge.open(head="a", base="main", title="t").number
    one, other = (forge.comment(number, f"<!-- mlgit:report -->\n{text}") for text in ("one", "other"))

    kept = upsert(forge, number, "mlgit:report", "accuracy 0.9")

    assert [comment.id for comment in forge.comments(number)] == [kept.id] == [one.id]
    with pytest.raises(NotFoundError):
        forge.delete_comment(number, other.id)


def test_a_comment_that_was_folded_away_is_let_be(forge: Forge, branch):
    branch("a")
    number = forge.open(head="a", base="main", title="t").number
    old = upsert(forge, number, "mlgit:report", "accuracy 0.9")

    forge.minimise_comment(number, old.id)
    new = upsert(forge, number, "mlgit:report", "accuracy 0.95")

    assert [(one.id, one.minimised) for one in forge.comments(number)] == [(old.id, True), (new.id, False)]
    with pytest.raises(NotFoundError):
        forge.minimise_comment(number, 424_242)


def test_a_status_is_set_with_the_comment_that_tells_of_it(forge: Forge, branch):
    commit = branch("a")
    number = forge.open(head="a", base="main", title="t").number
    status = Status(context="mlgit/report", state=StatusState.SUCCESS, description="better", commit=commit)

    upsert(forge, number, "mlgit:report", "accuracy 0.9", status=status)
    forge.set_status(replace(status, description="by somebody else"))
    upsert(forge, number, "mlgit:report", "accuracy 0.9", status=status)

    assert [one.description for one in forge.statuses(commit)] == ["by somebody else"]
    upsert(forge, number, "mlgit:report", "accuracy 0.9", status=replace(status, description="much better"))
    assert [one.description for one in forge.statuses(commit)] == ["much better"]


def test_what_is_too_long_for_a_comment_is_cut_and_kept_whole(forge: Forge, repo: Repo, branch):
    branch("a")
    number = forge.open(head="a", base="main", title="t").number
    text = "".join(f"## part {one}\n\n{'word ' * 2000}\n\n" for one in range(10))

    comment = upsert(forge, number, "mlgit:report", text)

    assert len(comment.body) <= forge.capabilities.max_body
    assert repo.read(refs.ASSETS, rules.asset(text.encode(), ".md")) == text.encode()
    assert upsert(forge, number, "mlgit:report", text) == comment


def test_a_marker_that_another_author_wrote_is_left_alone(forge_of: Callable[[str], Forge], branch):
    branch("a")
    ada, mallory = forge_of("ada"), forge_of("mallory")
    number = ada.open(head="a", base="main", title="t").number
    forged = mallory.comment(number, "<!-- mlgit:report -->\naccuracy 1.0")

    ours = upsert(ada, number, "mlgit:report", "accuracy 0.9")

    assert ours.id != forged.id
    assert [c.body for c in ada.comments(number)] == [forged.body, ours.body]
    assert upsert(ada, number, "mlgit:report", "accuracy 0.91").id == ours.id


def test_a_comment_of_ours_that_quotes_the_marker_is_left_alone(forge: Forge, branch):
    branch("a")
    number = forge.open(head="a", base="main", title="t").number
    quote = forge.comment(number, "> <!-- mlgit:report -->\nsee above")

    assert upsert(forge, number, "mlgit:report", "x").id != quote.id


def test_reviews_are_given_by_others(forge_of: Callable[[str], Forge], branch):
    commit = branch("a")
    ada, grace = forge_of("ada"), forge_of("grace")
    number = ada.open(head="a", base="main", title="t").number

    grace.review(number, ReviewVerdict.REQUEST_CHANGES, "seed?")
    grace.review(number, ReviewVerdict.APPROVE)
    ada.review(number, ReviewVerdict.COMMENT, "thanks")

    assert [(r.author, r.verdict, r.body, r.commit) for r in ada.reviews(number)] == [
        ("grace", ReviewVerdict.REQUEST_CHANGES, "seed?", commit),
        ("grace", ReviewVerdict.APPROVE, "", commit),
        ("ada", ReviewVerdict.COMMENT, "thanks", commit),
    ]
    for verdict in (ReviewVerdict.APPROVE, ReviewVerdict.REQUEST_CHANGES):
        with pytest.raises(UsageError, match="their own"):
            ada.review(number, verdict, "I am good")
    with pytest.raises(UsageError):
        grace.review(number, ReviewVerdict.REQUEST_CHANGES)
    with pytest.raises(UsageError):
        grace.review(number, ReviewVerdict.DISMISSED, "x")


def test_a_later_status_of_a_context_replaces_the_earlier(forge: Forge, branch):
    commit = branch("a")
    forge.set_status(Status(context="mlgit/gates", state=StatusState.PENDING, commit=commit))
    forge.set_status(Status(context="ci", state=StatusState.SUCCESS, url="https://ci.example/1", commit=commit))
    forge.set_status(Status(context="mlgit/Gates", state=StatusState.FAILURE, description="x" * 200, commit=commit))

    ci, gates = forge.statuses(commit)

    assert (ci.context, ci.state, ci.url, ci.commit) == ("ci", StatusState.SUCCESS, "https://ci.example/1", commit)
    assert gates.state is StatusState.FAILURE
    assert len(gates.description) <= 140


def test_a_status_names_a_commit_and_an_address_that_can_be(forge: Forge, repo: Repo, branch):
    commit = branch("a")

    with pytest.raises(NotFoundError):
        forge.set_status(Status(context="ci", state=StatusState.ERROR, commit="0" * 40))
    with pytest.raises(NotFoundError):
        forge.set_status(Status(context="ci", state=StatusState.ERROR, commit="a"))
    with pytest.raises(UsageError):
        forge.set_status(Status(context="ci", state=StatusState.ERROR, url="javascript:alert(1)", commit=commit))
    with pytest.raises(UsageError):
        forge.statuses("../../HEAD")


def test_merging_makes_a_merge_commit(forge: Forge, repo: Repo, branch):
    before, commit = repo.resolve("main"), branch("run/a")
    number = forge.open(head="run/a", base="main", title="Learn faster").number

    pull = forge.merge(number, expect=commit)

    assert pull.state is PullState.MERGED
    assert pull.head_commit == commit
    assert pull.merge_commit == repo.resolve("main")
    assert pull.merged_by == forge.me
    assert repo.git("log", "-1", "--format=%P", "main").split() == [before, commit]
    assert repo.git("log", "-1", "--format=%B", "main") == f"Merge pull request #{number} from run/a\n\nLearn faster"


def test_a_head_that_moved_is_not_merged(forge: Forge, repo: Repo, branch):
    seen = branch("a")
    number = forge.open(head="a", base="main", title="t").number
    branch("a", {"sneaked-in.py": b""})
    before = repo.resolve("main")

    with pytest.raises(RefMovedError):
        forge.merge(number, expect=seen)

    assert repo.resolve("main") == before
    assert forge.get(number).state is PullState.OPEN


def test_a_conflict_is_not_merged(forge: Forge, repo: Repo, branch):
    branch("a", {"train.py": b"lr = 0.1\n"})
    number = forge.open(head="a", base="main", title="t").number
    before = branch("main", {"train.py": b"lr = 0.9\n"})

    with pytest.raises(MlgitError, match=r"train\.py" if forge.capabilities.names_conflicts else "conflict"):
        forge.merge(number)

    assert repo.resolve("main") == before
    assert forge.get(number).state is PullState.OPEN


def test_what_is_merged_or_closed_is_not_merged(forge: Forge, branch):
    branch("a", {"a": b""})
    branch("b", {"b": b""})
    merged = forge.open(head="a", base="main", title="t").number
    closed = forge.open(head="b", base="main", title="t").number
    forge.merge(merged)
    forge.close(closed)

    for number in (merged, closed):
        with pytest.raises(MlgitError, match=f"#{number}"):
            forge.merge(number)
    with pytest.raises(MlgitError, match="merged"):
        forge.reopen(merged)
    with pytest.raises(MlgitError, match="merged"):
        forge.close(merged)
    assert forge.reopen(closed).state is PullState.OPEN
    assert forge.merge(closed).state is PullState.MERGED


def test_a_draft_is_merged_once_it_is_ready(forge: Forge, branch):
    branch("a")
    if not forge.capabilities.drafts:
        pytest.skip("this forge has no drafts")
    number = forge.open(head="a", base="main", title="t", draft=True).number

    with pytest.raises(MlgitError, match="draft"):
        forge.merge(number)

    assert forge.get(number).draft
    assert not forge.ready(number).draft
    assert forge.merge(number).state is PullState.MERGED


def test_a_failing_status_that_no_rule_requires_does_not_stop_a_merge(forge: Forge, branch):
    commit = branch("a")
    number = forge.open(head="a", base="main", title="t").number
    forge.set_status(Status(context="ci", state=StatusState.FAILURE, commit=commit))

    assert forge.merge(number).state is PullState.MERGED


def test_what_is_merged_can_still_be_talked_about(forge: Forge, branch):
    branch("a")
    number = forge.open(head="a", base="main", title="t").number
    forge.merge(number)

    assert forge.comment(number, "well done") in forge.comments(number)


def test_a_pull_request_outlives_its_branch(forge: Forge, repo: Repo, branch):
    commit = branch("a")
    number = forge.open(head="a", base="main", title="t", body="why").number
    repo.git("branch", "-D", "a")

    pull = forge.get(number)

    assert (pull.head, pull.head_commit, pull.body) == ("a", commit, "why")
    assert pull.state is PullState.CLOSED
    with pytest.raises(MlgitError, match="closed"):
        forge.merge(number)


def test_a_branch_merged_by_hand_is_a_merged_pull_request(forge: Forge, repo: Repo, branch):
    branch("a")
    number = forge.open(head="a", base="main", title="t").number
    repo.git("merge", "-q", "--no-ff", "-m", "by hand", "a")
    by_hand = repo.resolve("main")
    branch("main", {"later.py": b""})

    pull = forge.get(number)

    assert pull.state is PullState.MERGED
    assert pull.merge_commit == by_hand


def test_a_picture_is_kept_once_by_its_content(forge: Forge, repo: Repo, branch):
    branch("a")
    number = forge.open(head="a", base="main", title="t").number
    link = forge.image(PNG, "curves.png")
    forge.comment(number, f"![]({link})")

    tip = repo.resolve(refs.ASSETS)
    assert forge.image(PNG, "the same again.PNG") == link
    forge.comment(number, f"![]({link})")
    assert repo.resolve(refs.ASSETS) == tip
    assert repo.read(str(tip), rules.asset(PNG, ".png")) == PNG
    other = forge.image(PNG + b"x", "curves.png")
    assert other != link
    forge.comment(number, f"![]({link}) ![]({other})")
    assert (forge.picture(link), forge.picture(other)) == (PNG, PNG + b"x")
    assert not set(link) & set(" ()<>\\")


def test_what_a_comment_shows_can_be_shown_elsewhere(forge: Forge, repo: Repo):
    link = forge.image(PNG, "curves.png")

    shown = forge.elsewhere(f"better\n\n![]({link})\n")

    assert "](../" not in shown
    assert "://" in shown
    assert rules.asset(PNG, ".png") in shown
    assert repo.read(refs.ASSETS, rules.asset(PNG, ".png")) == PNG


@pytest.mark.parametrize("link", ["", "https://example.com/x.png", "../../assets/../../HEAD", "/etc/passwd", "x.png"])
def test_only_links_of_pictures_lead_to_a_picture(forge: Forge, link):
    forge.image(PNG, "curves.png")

    assert forge.picture(link) is None


def test_what_is_no_picture_is_not_kept(forge: Forge):
    for name in ("evil.html", "evil", "png", "a.png.exe", ""):
        with pytest.raises(UsageError):
            forge.image(b"x", name)
