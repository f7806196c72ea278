import pytest

from mlgit.forge.sections import fitted


def test_a_long_report_is_cut_before_a_section():
    text = "verdict\n" + "".join(f"\n## part {one}\n\n{'x' * 30}\n" for one in range(20))

    cut = fitted(text, 400, whole="all.md")

    assert len(cut) <= 400
    kept, _, last = cut.partition("\n\n*This is too long")
    assert text.startswith(kept)
    assert text[len(kept) :].lstrip("\n").startswith("## part")
    assert "[all of it](all.md)" in last


@pytest.mark.parametrize(
    ("inner", "ends"),
    [
        ("<details><summary>more</summary>\n\n{}\n</details>\n", "before"),
        ("```text\n{}\n```\n", "before"),
    ],
)
def test_what_belongs_together_is_not_torn_apart(inner: str, ends: str):
    text = f"verdict\n\n{'before ' * 20}\n\n" + inner.format("\n\n## no heading\n\n" + "y\n\n" * 200) + "\n## next\n"

    cut = fitted(text, 400, whole="all.md")

    assert cut.partition("\n\n*This")[0].endswith(ends)


def test_one_piece_that_is_too_long_is_cut_between_lines_and_its_fence_is_closed():
    cut = fitted("```text\n" + "line\n" * 500, 400, whole="all.md")

    assert len(cut) <= 400
    assert "line\n```\n\n*This" in cut
