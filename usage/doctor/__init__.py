"""Looks at what an operator can get wrong, and says how to mend each: settings, database, machine, processes, servers."""
