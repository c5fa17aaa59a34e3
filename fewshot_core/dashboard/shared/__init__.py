"""Shared parts of pages: frame, sidebar, figures, tables and controls."""
