# Python face only: a database is read once, when it is loaded.
