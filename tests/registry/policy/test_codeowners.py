from __future__ import annotations

import pytest

from mlgit.registry.policy import codeowners

PATH = "registry/policy.yaml"


@pytest.mark.parametrize(
    ("pattern", "owned"),
    [
        ("*", True),
        ("*.yaml", True),
        ("*.yml", False),
        ("registry/", True),
        ("/registry/", True),
        ("/registry", True),
        ("registry", True),
        ("registry/*", True),
        ("/registry/**", True),
        ("**/policy.yaml", True),
        ("policy.yaml", True),
        ("/policy.yaml", False),
        ("**/registry/", True),
        ("registry/*/policy.yaml", False),
        ("registry/polic?.yaml", True),
        ("regist", False),
        ("/*", False),
        ("other/registry/", False),
        ("", False),
    ],
)
def test_a_pattern_covers_what_it_covers_on_github(pattern: str, owned: bool):
    assert codeowners.owners(f"# ours\n{pattern} @acme/ml # why\n", PATH) == (["@acme/ml"] if owned else [])


def test_the_last_line_that_matches_counts_and_may_name_nobody():
    text = "* @everybody\n/registry/ @acme/ml @ada\n/registry/keys/\n"

    assert codeowners.owners(text, PATH) == ["@acme/ml", "@ada"]
    assert codeowners.owners(text, "registry/keys/ada.pem") == []
    assert codeowners.owners(text, "train.py") == ["@everybody"]
