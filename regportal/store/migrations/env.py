"""How Alembic runs our migrations: on the connection it is given, in one transaction."""

from alembic import context

context.configure(
    connection=context.config.attributes["connection"],
    render_as_batch=True,
    transactional_ddl=True,  # on SQLite, too: Alembic does not believe it by itself
    transaction_per_migration=False,
)
with context.begin_transaction():
    context.run_migrations()
