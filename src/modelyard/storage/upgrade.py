"""Which revision a yard's tables have, and bringing them up to this Modelyard's."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy import exc

from modelyard.errors import Misuse

REVISIONS = ("0001", "0002", "0003", "0004", "0005", "0006", "0007")
"""All migrations in order. Kept by hand: asking Alembic would import it at every start."""
HEAD = REVISIONS[-1]


def current(connection: sa.Connection, place: str) -> bool:
    """Whether the tables are those of this Modelyard; False when ``upgrade`` has to make them so.

    ``Misuse`` when a newer Modelyard wrote them, or another program did.
    """
    # On PostgreSQL a statement that fails ends the transaction, so the table is asked for first.
    if connection.dialect.name == "postgresql" and not sa.inspect(connection).has_table("alembic_version"):
        return _nobodys(connection, place)
    try:
        revision = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()
    except exc.DBAPIError as error:
        if "alembic_version" not in str(error.orig):
            raise
        return _nobodys(connection, place)
    if revision is not None and revision not in REVISIONS:
        raise Misuse(
            f"The yard {place} was written by a newer Modelyard (revision {revision}, this one knows up to "
            f"{HEAD}); upgrade Modelyard, or set 'yard.database' to another yard."
        )
    return revision == HEAD


def _nobodys(connection: sa.Connection, place: str) -> bool:
    """False; ``Misuse`` when another program's tables are there."""
    if strangers := sa.inspect(connection).get_table_names():
        raise Misuse(
            f"The database {place} holds another program's tables ({', '.join(strangers[:3])}); "
            "set 'yard.database' to one of the yard's own (on PostgreSQL a schema is enough: "
            "'...?options=-csearch_path%3Dyard')."
        )
    return False


def upgrade(connection: sa.Connection) -> None:
    """Run the missing migrations within the connection's transaction."""
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", "modelyard.storage:migrations")
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
