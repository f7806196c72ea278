"""The pictures of the page on the first experiment: `make pictures` plays the page and photographs what comes of it.

The jobs of the workflows are run by act, GitHub's interface is the server of the tests, comments are rendered by
GitHub's own parser of Markdown (cmark-gfm) in a frame of ours. A picture is only written anew where it says something
else than before: how long something took, and when, is no news.
"""

from __future__ import annotations

import base64
import hashlib
import html
import io
import json
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import cmarkgfm
from cmarkgfm.cmark import Options
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from playwright.sync_api import Page, sync_playwright
from rich.console import Console
from rich.text import Text

from tests.conftest import make_repo
from tests.flows.test_ci_workflows import NOTHING, STANDS_IN
from tests.github import NAME
from tests.played import BIN, COLUMNS, Shown, Stage, stage

HERE = Path(__file__).parent
PAGE = HERE.parent / "first-experiment.md"
_WHEN = "2026-11-26T09:00:00Z"
_CHANGE = 2
"""The pull request that is about a change."""
_VARYING = re.compile(r"\bnow\b|\b[\d.]+ ?(ms|s|min)\b|\d{4}-\d\d-\d\d[T ][\d:]+|\b[0-9a-f]{10,}\b")
"""What another play of the same says otherwise."""
_LIGHT = {"ground": "#ffffff", "ink": "#1f2328", "faint": "#59636e", "line": "#d1d9e0", "band": "#f6f8fa"}
_DARK = {"ground": "#0d1117", "ink": "#f0f6fc", "faint": "#9198a1", "line": "#3d444d", "band": "#151b23"}
_STYLE = """
* { box-sizing: border-box }
body { margin: 0; background: GROUND }
#it { display: inline-block; background: GROUND; color: INK }
.terminal { padding: 14px 18px; border-radius: 6px }
.terminal pre { margin: 0; font: 13px/1.4 'DejaVu Sans Mono', monospace }
.said { width: 880px; padding: 16px 20px; border: 1px solid LINE; border-radius: 6px;
        font: 14px/1.5 'Noto Sans', 'Liberation Sans', 'DejaVu Sans', sans-serif }
.said > :first-child { margin-top: 0 } .said > :last-child { margin-bottom: 0 }
h3 { font-size: 17.5px; margin: 0 0 14px } p, table, details, pre { margin: 0 0 14px }
table { border-collapse: collapse } th, td { padding: 5px 12px; border: 1px solid LINE }
tr:nth-child(2n) td { background: BAND } img { max-width: 100% }
code { font: 12px 'DejaVu Sans Mono', monospace; background: BAND; padding: 2px 5px; border-radius: 5px }
pre code { display: block; padding: 12px }
blockquote { margin: 0 0 14px; padding: 0 14px; color: FAINT; border-left: 4px solid LINE }
"""


def main() -> None:
    """Play the page, and write what changed."""
    for name in ("GIT_AUTHOR_DATE", "GIT_COMMITTER_DATE"):  # so that commits, and names of runs, are as last time
        os.environ[name] = _WHEN
    with tempfile.TemporaryDirectory() as work, stage(Path(work)) as played, _camera() as camera:
        said = []
        for event in played.play(PAGE):
            _by_act(played, event)
            said.append({one["body"] for one in played.there.comments.values() if one["of"] == _CHANGE})
        plan = played.work / "summary.md"
        (commit,) = [one.text for one in played.shown if one.command.startswith("mlgit commit -m")]
        played.mlgit("ci", "plan", re.search(r"\b[0-9a-f]{7}\b", commit)[0], "--summary", str(plan))
        report = next(body for body in said[1] if body.startswith("<!-- mlgit:report"))
        sweep = next(body for body in said[2] if body.startswith("<!-- mlgit:sweep")).partition("<details")[0]
        for name, page in (
            ("check", _terminal(played, "mlgit ci check")),
            ("compare", _terminal(played, "mlgit ls", "mlgit compare")),
            *(
                (f"{name}-{mode}", _said(played, text, colours))
                for name, text in (("comment", report), ("plan", plan.read_text()), ("sweep", sweep))
                for mode, colours in (("light", _LIGHT), ("dark", _DARK))
            ),
        ):  # fmt: skip
            _keep(HERE / f"{name}.png", page, camera)


def _by_act(played: Stage, event: str) -> None:
    """Have act run the workflow mlgit-experiment for *event*, on this machine."""
    branch, told = played.event(event)
    number = len([*played.work.glob("job-*")])
    here = played.checkout(branch, f"job-{number}")
    (played.work / "event.json").write_text(json.dumps(told))
    used = {
        found
        for path in (here / ".github").rglob("*.yml")
        for found in re.findall(r"uses: ([\w/-]+@[0-9a-f]{40})", path.read_text())
    }
    stands = []
    for uses in sorted(used):
        name = uses.partition("@")[0].rpartition("/")[2]
        if not (folder := played.work / f"action-{name}").exists():
            make_repo(folder, commit=False)
            (folder / "action.yml").write_text(STANDS_IN.get(name, NOTHING))
            for words in (("add", "."), ("commit", "-qm", "x")):
                subprocess.run(["git", *words], cwd=folder, env=played.env, check=True)
        stands += ["--local-repository", f"{uses}={folder}"]
    kind = {"push": "push", "dispatch": "workflow_dispatch"}[event]
    given = {
        "GITHUB_API_URL": played.env["GITHUB_API_URL"], "GITHUB_REF_NAME": branch, "HEADER": "X-Nothing: 1",
        "REMOTE": f"https://github.com/{NAME}", "ARTIFACTS": str(played.work / f"artifacts-{number}"),
    }  # fmt: skip
    words = [
        BIN / "act", kind, "-W", ".github/workflows/mlgit-experiment.yml", "-e", played.work / "event.json", *stands,
        "-P", "ubuntu-latest=-self-hosted", "-s", "GITHUB_TOKEN=token-of-ada", "--no-cache-server",
        "--action-cache-path", played.work / "cache",
        *(word for name, value in given.items() for word in ("--env", f"{name}={value}")),
    ]  # fmt: skip
    env = {name: value for name, value in played.env.items() if name not in ("GH_TOKEN", "COLUMNS", "TERM")}
    done = subprocess.run(words, cwd=here, env=env, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(done.stdout[-5000:] + done.stderr[-2000:])


def _terminal(played: Stage, *commands: str) -> str:
    """A page with the last of each of *commands* and what it printed."""
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True, color_system="truecolor")
    shown: Sequence[Shown] = [
        [one for one in played.shown if one.command.startswith(command)][-1] for command in commands
    ]
    for number, one in enumerate(shown):
        console.print(Text.assemble("\n" if number else "", ("$ ", "bright_black"), (one.command, "bold")))
        console.print(Text.from_ansi(one.text.rstrip()))
    inside = console.export_html(inline_styles=True, code_format="{code}")
    return _framed(f"<div id=it class=terminal><pre>{inside.rstrip()}</pre></div>", _DARK)


def _said(played: Stage, text: str, colours: dict[str, str]) -> str:
    """A page with Markdown as GitHub renders it, the pictures on its branch in it."""
    inside = cmarkgfm.github_flavored_markdown_to_html(text, options=Options.CMARK_OPT_UNSAFE)

    def picture(found: re.Match[str]) -> str:
        path = html.unescape(found[1])
        png = subprocess.run(
            ["git", "cat-file", "blob", f"mlgit-assets:{path}"],
            cwd=played.there.folder,
            capture_output=True,
            check=True,
        ).stdout
        return f'src="data:image/png;base64,{base64.b64encode(png).decode()}"'

    inside = re.sub(r'src="\.\./blob/mlgit-assets/([^"?]+)\?raw=true"', picture, inside)
    inside = re.sub(r"\[!(NOTE|WARNING)\]", lambda found: f"<b>{found[1].title()}</b><br>", inside)
    return _framed(f"<div id=it class=said>{inside}</div>", colours)


def _framed(inside: str, colours: dict[str, str]) -> str:
    style = _STYLE
    for name, colour in colours.items():
        style = style.replace(name.upper(), colour)
    return f"<!doctype html><meta charset=utf-8><style>{style}</style>{inside}"


@contextmanager
def _camera() -> Iterator[Page]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        yield browser.new_page(viewport={"width": 1000, "height": 600}, device_scale_factor=1.25)
        browser.close()


def _keep(path: Path, page: str, camera: Page) -> None:
    """Photograph *page* into *path*, in few colours, unless it says what the picture there says."""
    digest = hashlib.sha256(_VARYING.sub("…", page).encode()).hexdigest()
    if path.exists() and Image.open(path).info.get("page") == digest:
        return
    camera.set_content(page)
    photo = Image.open(io.BytesIO(camera.locator("#it").screenshot())).convert("RGB")
    info = PngInfo()
    info.add_text("page", digest)
    few = photo.quantize(64, method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
    few.save(path, optimize=True, pnginfo=info)
    print(f"wrote {path}, {path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
