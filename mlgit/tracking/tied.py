"""What artifacts ask of the rooms above them, handed over by name: nothing of it is loaded before somebody asks."""

from __future__ import annotations

from mlgit.artifacts import ties


def hand_over() -> None:
    """Let artifacts have it; who does so twice does no harm."""
    ties.hand_over(
        notify="mlgit.tracking.notice:notify",
        save="mlgit.tracking.media:save",
        get="mlgit.tracking.media:get",
        object_kinds="mlgit.tracking.media:kinds",
        table="mlgit.tracking.logged_tables:find",
        tables="mlgit.tracking.logged_tables:versions",
        table_names="mlgit.tracking.logged_tables:names",
        table_kinds="mlgit.tracking.logged_tables:kinds",
        collection="mlgit.public.collections:ArtifactCollection",
        past="mlgit.public.run:Run",
        sweep="mlgit.public.sweep:of_id",
    )
