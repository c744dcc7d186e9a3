"""Where facts are kept: tables, sessions, migrations, and what marketers have published."""
