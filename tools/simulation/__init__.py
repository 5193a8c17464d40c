"""The program's own rule and gathering, run a million times on networks that do not exist."""
