"""The manual pages and the completions of shells, made from the parser and from the schema."""
