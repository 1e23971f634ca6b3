"""Run folders: their files, locks, settings and provenance."""
