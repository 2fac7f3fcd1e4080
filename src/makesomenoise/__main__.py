"""`python -m makesomenoise` is `msn`."""

from makesomenoise.cli.main import app

app()
