"""What was said on a pull request: by GraphQL, whose answer tells who we are and which pictures are there, too."""

from __future__ import annotations

from typing import Any

from mlgit.forge.base import Comment
from mlgit.forge.github import said
from mlgit.forge.github.pictures import Pictures
from mlgit.forge.github.rest import Rest

_TALK = """
query Talk($owner: String!, $name: String!, $number: Int!, $after: String) {
  viewer { login }
  repository(owner: $owner, name: $name) {
    ASSETS
    pullRequest(number: $number) {
      comments(first: 100, after: $after) {
        pageInfo { hasNextPage endCursor }
        nodes {
          fullDatabaseId author { login __typename } body createdAt updatedAt isMinimized viewerDidAuthor
        }
      }
    }
  }
}
"""


def read(rest: Rest, repository: str, number: int, pictures: Pictures) -> tuple[str, list[Comment]]:
    """Our name, and every comment on pull request *number*, oldest first; *pictures* hear which of them are there."""
    owner, _, name = repository.partition("/")
    query, after, found = _TALK.replace("ASSETS", pictures.asked()), None, list[Comment]()

    def hear(data: Any) -> said.Talk:
        page = said.talk(data)
        if page.after in (None, after):
            pictures.heard(data["repository"])
        return page

    while True:
        page = rest.ask(query, hear, owner=owner, name=name, number=number, after=after)
        found += page.comments
        if page.after in (None, after):
            return page.me, found
        after = page.after
