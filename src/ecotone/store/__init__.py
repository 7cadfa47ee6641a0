"""The catalogue (SQLite) and the vectors beside it: everything a project keeps."""
