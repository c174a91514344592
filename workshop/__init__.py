"""What authors and CI use: gates, runs, records, the site, mutants. Never in the wheel."""
