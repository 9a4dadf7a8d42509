"""SQLite, one file and one writer per role: journal, lock, ownership, migrations, the stores of live and monitor."""
