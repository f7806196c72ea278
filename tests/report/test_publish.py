from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from mlgit.ci.workflows import WORKFLOWS
from mlgit.core import refs
from mlgit.core.compare import Goal
from mlgit.core.run import Run
from mlgit.core.sweep import Sweep
from mlgit.core.verdict import Outcome, Verdict
from mlgit.errors import NotFoundError
from mlgit.forge.base import Capabilities, Remark, Status, StatusState
from mlgit.forge.folder import FolderForge
from mlgit.git.repo import Repo
from mlgit.index import query
from mlgit.report import evidence, publish, render, view
from mlgit.report.view import Compared
from mlgit.store import place
from mlgit.store.place import Place

Train = Callable[..., Run]

PARAMS = "lr: 0.01  # the step\nepochs: 10\n"


@pytest.fixture
def here(inside: Repo) -> Place:
    """A project with a params file on main."""
    folder = inside.folder
    Path("params.yaml").write_text(PARAMS)
    Path("train.py").write_text("print('learning')\n")
    Path("mlgit.yaml").write_text("project: digits\ngoals: {accuracy: maximize}\nrun: {params: params.yaml}\n")
    inside.git("add", "-A")
    inside.git("commit", "-q", "-m", "A project")
    found = place.find(folder)
    assert found
    return found


def proposal(here: Place, forge: FolderForge, run: Run) -> int:
    branch = evidence.branch(here.repo, run)
    return forge.open(head=branch, base="main", title="Try it").number


def swept(train: Train) -> Run:
    """The best of a sweep of four, one of them broken."""
    for number, accuracy in enumerate((0.91, 0.95)):
        train(f"trial-{number}", {"accuracy": [0.5, accuracy]}, params={"lr": 10.0**-number}, sweep="s1")
    train("broken", {}, params={"lr": 100.0}, sweep="s1", exit_code=1)
    return train("best", {"accuracy": [0.6, 0.98], "loss": [1.0, 0.1]}, params={"lr": 0.5, "epochs": 10}, sweep="s1")


def test_a_pull_request_gets_one_comment_with_charts_and_a_status(here: Place, train: Train) -> None:
    train("baseline", {"accuracy": [0.5, 0.9], "loss": [2.0, 1.0]}, params={"lr": 0.01, "epochs": 10})
    forge = FolderForge(here.repo)
    number = proposal(here, forge, swept(train))

    text = publish.on_pull(here, forge, number)
    publish.on_pull(here, forge, number)

    (comment,) = forge.comments(number)
    assert comment.body.startswith("<!-- mlgit:report -->\n")
    assert comment.body.endswith(f" -->\n{text}")
    assert text.startswith("### accuracy 0.98, \\+0.08 better than main's baseline.")
    assert "the best by accuracy. 1 trial did not finish." in text
    links = [line.partition("](")[2].rstrip(")") for line in text.splitlines() if line.startswith("![")]
    assert len(links) == 2
    assert all((forge.picture(link) or b"").startswith(b"\x89PNG") for link in links)
    (status,) = forge.statuses(forge.get(number).head_commit)
    assert (status.context, status.state) == ("mlgit/report", StatusState.SUCCESS)
    assert status.description == "accuracy 0.98, +0.08 better than main's baseline."


def test_what_was_said_of_earlier_commits_stays_folded(here: Place, train: Train) -> None:
    train("baseline", {"accuracy": [0.9]})
    here.repo.git("switch", "-q", "-c", "idea")
    forge = FolderForge(here.repo)
    commits: list[str] = []
    for place_, accuracy in enumerate((0.91, 0.92, 0.93)):
        Path("train.py").write_text(f"print({accuracy})\n")
        here.repo.git("commit", "-q", "-am", f"Idea {place_}")
        commits.append(here.repo.resolve("HEAD") or "")
        if place_ == 0:
            number = forge.open(head="idea", base="main", title="t").number
            assert "earlier report" not in publish.on_pull(here, forge, number)
        train("idea", {"accuracy": [accuracy]})
        text = publish.on_pull(here, forge, number)
        (comment,) = forge.comments(number)
        assert publish.on_pull(here, forge, number) == text
        assert forge.comments(number) == [comment]

    assert "<summary>2 earlier reports</summary>" in text
    folded = text.partition("earlier reports</summary>")[2].splitlines()
    assert [line for line in folded if line.startswith("| `")] == [
        f"| `{commit[:10]}` | accuracy {told} better than main's baseline. |"
        for commit, told in ((commits[1], "0.92, \\+0.02"), (commits[0], "0.91, \\+0.01"))
    ]


def test_the_report_says_how_its_run_is_made_again(here: Place, train: Train) -> None:
    train("baseline", {"accuracy": [0.9]}, params={"lr": 0.01})
    run = train("other", {"accuracy": [0.9]}, params={"lr": 0.5})
    forge = FolderForge(here.repo)

    text = publish.on_pull(here, forge, proposal(here, forge, run))

    assert f"mlgit reproduce {run.branch.rpartition('/')[2]}\n" in text


def test_a_change_without_a_run_is_told_how_to_make_one(here: Place, train: Train) -> None:
    train("baseline", {"accuracy": [0.9]})
    here.repo.git("switch", "-q", "-c", "idea")
    Path("train.py").write_text("print('better')\n")
    here.repo.git("commit", "-q", "-am", "An idea")
    forge = FolderForge(here.repo)
    number = forge.open(head="idea", base="main", title="An idea").number

    text = publish.on_pull(here, forge, number)

    assert "No run speaks for this change yet" in text
    assert "git switch idea\nmlgit run --" in text
    assert "compared with baseline, the run of main" in text
    train("idea", {"accuracy": [0.95]})
    assert "better than main's baseline" in publish.on_pull(here, forge, number)
    assert len(forge.comments(number)) == 1


def test_a_change_that_ci_can_run_says_so_or_that_it_is_asked_to(here: Place) -> None:
    workflow = Path(WORKFLOWS["experiment"].path)
    workflow.parent.mkdir(parents=True)
    workflow.write_text("on: push\n")
    here.repo.git("switch", "-q", "-c", "idea")
    here.repo.git("add", ".")
    here.repo.git("commit", "-q", "-m", "An idea")
    forge = FolderForge(here.repo)
    number = forge.open(head="idea", base="main", title="t").number

    idle = publish.on_pull(here, forge, number)
    here.repo.git("commit", "-q", "--allow-empty", "-m", "Run it\n\nMlgit-Run: yes")
    asked = publish.on_pull(here, forge, number)

    assert "Or have CI run it: `mlgit commit --run yes --push`." in idle
    assert "That commit asks CI for it" in asked
    assert "mlgit run --" not in asked


def test_a_change_whose_only_run_failed_says_so(here: Place, train: Train) -> None:
    here.repo.git("switch", "-q", "-c", "idea")
    here.repo.git("commit", "-q", "--allow-empty", "-m", "Run it\n\nMlgit-Run: yes")
    run = train("broken|@x", {"accuracy": [0.1]}, exit_code=1)
    forge = FolderForge(here.repo)

    text = publish.on_pull(here, forge, forge.open(head="idea", base="main", title="t").number)

    (status,) = forge.statuses(here.repo.resolve("idea") or "")
    assert status.state is StatusState.FAILURE
    assert (
        f"Its run broken\\|@&#8203;x failed: `mlgit show {run.branch.rpartition('/')[2]}` shows how far it came."
        in text
    )
    assert "git switch idea" in text


def test_code_that_moved_on_after_its_run_is_told_how_far(here: Place, train: Train) -> None:
    here.repo.git("switch", "-q", "-c", "idea")
    here.repo.git("commit", "-q", "--allow-empty", "-m", "A start")
    Path("train.py").write_text("print('better')\n")
    here.repo.git("commit", "-q", "-am", "An idea")
    train("idea", {"accuracy": [0.95]})
    Path("train.py").write_text("print('other')\n")
    here.repo.git("commit", "-q", "-am", "Another")
    forge = FolderForge(here.repo)

    text = publish.on_pull(here, forge, forge.open(head="idea", base="main", title="t").number)

    assert "the nearest run lies 1 commit before it" in text
    assert "No run speaks for main either" in text


def test_a_base_that_moved_without_a_run_is_said(here: Place, train: Train) -> None:
    train("baseline", {"accuracy": [0.9]})
    run = train("next", {"accuracy": [0.95]}, sweep="s1")
    forge = FolderForge(here.repo)
    number = proposal(here, forge, run)
    Path("more.py").write_text("x")
    here.repo.git("add", "-A")
    here.repo.git("commit", "-q", "-m", "More")

    assert "The base's run lies 1 commit before main" in publish.on_pull(here, forge, number)


def test_a_merged_pull_request_is_compared_with_what_it_met(here: Place, train: Train) -> None:
    train("baseline", {"accuracy": [0.9]}, params={"lr": 0.01})
    forge = FolderForge(here.repo)
    number = proposal(here, forge, train("better", {"accuracy": [0.95]}, params={"lr": 0.5}, sweep="s"))
    forge.merge(number)

    text = publish.on_pull(here, forge, number)
    forge_two = proposal(here, forge, train("best", {"accuracy": [0.97]}, params={"lr": 0.7}, sweep="s"))

    assert "+0.05 better than main's baseline" in text
    assert "+0.02 better than main's better" in publish.on_pull(here, forge, forge_two)


def test_a_refused_gate_is_a_failure(here: Place, train: Train) -> None:
    forge = FolderForge(here.repo)
    number = proposal(here, forge, train("only", {"accuracy": [0.9]}))
    verdict = Verdict(gate="accuracy ≥ 0.95", outcome=Outcome.FAILED, observed="0.9", where="registry/policy.yaml:3")

    text = publish.on_pull(here, forge, number, verdicts=(verdict,))

    assert "✘ **refused**" in text
    assert [status.state for status in forge.statuses(forge.get(number).head_commit)] == [StatusState.FAILURE]


def test_params_and_gates_are_told_beside_the_lines_where_they_stand(here: Place, train: Train) -> None:
    class Hearing(FolderForge):
        """A forge that shows remarks."""

        heard: Sequence[Remark] = ()

        def set_status(self, status: Status, *, text: str = "", remarks: Sequence[Remark] = ()) -> None:
            self.heard = remarks
            super().set_status(status, text=text, remarks=remarks)

    train("baseline", {"accuracy": [0.9]}, params={"epochs": 10, "lr": 0.01})
    Path("params.yaml").write_text("# what it trains with\nepochs: 10\nlr: 0.1\n")
    forge = Hearing(here.repo)
    number = proposal(here, forge, train("better", {"accuracy": [0.95]}, params={"epochs": 10, "lr": 0.1, "own": 1}))
    gates = [
        Verdict(
            gate=f"accuracy ≥ {least}",
            outcome=Outcome.PASSED if least < 0.95 else Outcome.FAILED,
            observed="0.95",
            where=f"registry/policy.yaml:{line}",
        )
        for line, least in ((3, 0.9), (4, 0.99))
    ]

    publish.on_pull(here, forge, number, verdicts=gates)

    assert [(one.path, one.line, one.is_failure) for one in forge.heard] == [
        ("registry/policy.yaml", 4, True), ("params.yaml", 3, False),
    ]  # fmt: skip
    assert forge.heard[0].message == "accuracy ≥ 0.99: 0.95"
    assert forge.heard[1].message.startswith("lr: 0.01 → 0.1. accuracy 0.95, +0.05")


def test_a_params_file_that_git_cannot_have_ends_no_report(here: Place, train: Train) -> None:
    train("baseline", {"accuracy": [0.9]}, params={"lr": 0.01})
    Path("mlgit.yaml").write_text('project: digits\nrun:\n  params: "params.yaml\\ninfo HEAD"\n')
    run, forge = train("better", {"accuracy": [0.95]}, params={"lr": 0.1}), FolderForge(here.repo)
    here.repo.git("branch", "feature", run.source or "")
    number = forge.open(head="feature", base="main", title="t").number

    assert "accuracy" in publish.on_pull(here, forge, number)


def test_where_a_forge_keeps_no_pictures_none_are_drawn(here: Place, train: Train) -> None:
    class Plain(FolderForge):
        capabilities = Capabilities(writable=True, drafts=True, images=False)

    forge = Plain(here.repo)
    number = proposal(here, forge, train("only", {"accuracy": [0.5, 0.9]}))

    assert "![" not in publish.on_pull(here, forge, number)
    assert here.repo.resolve(refs.ASSETS) is None


def test_a_forge_that_may_not_be_written_is_left_alone(here: Place, train: Train) -> None:
    class ReadOnly(FolderForge):
        capabilities = Capabilities(writable=False, drafts=True)

    forge = FolderForge(here.repo)
    number = proposal(here, forge, train("only", {"accuracy": [0.5, 0.9]}))

    text = publish.on_pull(here, ReadOnly(here.repo), number)

    assert text.startswith("### accuracy 0.9")
    assert forge.comments(number) == []
    assert forge.statuses(forge.get(number).head_commit) == []


def test_a_number_that_does_not_exist_is_said(here: Place) -> None:
    with pytest.raises(NotFoundError):
        publish.on_pull(here, FolderForge(here.repo), 99)


def test_charts_are_drawn_only_where_they_say_something(here: Place, train: Train) -> None:
    single = train("single", {"accuracy": [0.9]})
    curved = train("curved", {"accuracy": [0.8, 0.9]})

    def names(head: Run, base: Run | None = None) -> list[str]:
        return [p.name for p in publish.draw(here.repo, Compared(head=head, base=base, goals={}))]

    assert names(single) == []
    assert names(curved) == ["curves.png"]
    assert names(single, curved) == ["curves.png"]
    assert names(replace(single, commit="", id="gone")) == []


def test_a_sweep_is_told_by_its_name_and_judged_by_its_own_metric(here: Place, train: Train) -> None:
    sweep = Sweep(id="s1", name="find lr", project="digits", method="grid", metric="loss", goal=Goal.MINIMIZE)
    for number, loss in enumerate((0.2, 0.4)):
        train(f"trial-{number}", {"accuracy": [0.9], "loss": [loss]}, params={"lr": 10.0**-number}, sweep="s1")
    head = train("head", {"accuracy": [0.99], "loss": [0.3]}, params={"lr": 5.0}, sweep="s1")
    forge = FolderForge(here.repo)

    text = publish.on_pull(here, forge, proposal(here, forge, head), sweep_of={"s1": (sweep, None)}.get)

    assert "in the sweep `find lr`, the 2nd best by loss (the best is trial-0)." in text
    assert "![The sweep's trials by loss]" in text


def test_alerts_of_the_run_are_part_of_the_report(here: Place, train: Train) -> None:
    run = train("one", {"accuracy": [0.5]})
    about = publish.about(publish.known_runs(here), run, None, goals=here.settings.goals, beside="", alone="nothing")
    told = {"alerts": [{"title": "Low @all", "text": "<b>|x", "level": "WARN"}, "spoiled"]}

    text = render.render(view.build(replace(about, alerts=view.alerts(told))))

    assert "<summary>1 alert</summary>" in text
    assert "| WARN | **Low @&#8203;all** | &lt;b&gt;\\|x |" in text
    assert "alert" not in render.render(view.build(about))


def test_data_that_were_not_as_named_are_told_in_the_report(here: Place, train: Train) -> None:
    run = train("one", {"accuracy": [0.5]})
    about = publish.about(publish.known_runs(here), run, None, goals=here.settings.goals, beside="", alone="nothing")
    told = {"changed_data": {"a|b.csv": {"pointer": "abc", "during": True}}, "data_by_size": ["big.bin"]}

    text = render.render(view.build(replace(about, alerts=view.alerts(told))))

    assert "Its data are not what its code names" in text
    assert "a\\|b.csv: changed during the run; big.bin: judged by its size alone" in text


def test_a_report_reads_the_runs_that_it_is_about_and_no_others(
    here: Place, train: Train, records_read: list[str]
) -> None:
    train("baseline", {"accuracy": [0.5]})
    Path("train.py").write_text("print('learning more')\n")
    here.repo.git("commit", "-q", "-a", "-m", "Learn more")
    for number in range(3):
        train(f"another-{number}", {"accuracy": [0.6]}, sweep="s1")
    head = train("head", {"accuracy": [0.7]})
    query.projects(here.repo)
    records_read.clear()

    about = publish.between(here, base="main^", head=head.branch)

    assert isinstance(about, Compared)
    assert about.base
    assert (about.head.name, about.base.name) == ("head", "baseline")
    assert set(records_read) == {head.ref, about.base.ref}
