"""The state: SQLite behind named verbs. SQL lives in this room alone."""
