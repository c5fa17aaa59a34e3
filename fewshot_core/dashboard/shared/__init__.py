"""What pages share: frame, sidebar, figures, tables and controls."""
