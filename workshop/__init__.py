"""What authors and CI use: authoring, gates, runs, records, the site, mutants. Never in the wheel."""
