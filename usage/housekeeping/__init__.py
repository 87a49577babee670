"""The work that is done now and then: one list of jobs (jobs.py), run and recorded in one way (runner.py)."""
