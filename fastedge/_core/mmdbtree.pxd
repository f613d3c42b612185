# Python face only: a database is flattened once, when it is loaded.
