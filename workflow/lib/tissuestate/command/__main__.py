"""`python -m tissuestate.command` is the command `tissuestate`."""

from tissuestate.command.main import main

main()
