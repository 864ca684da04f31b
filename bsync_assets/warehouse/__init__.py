"""The lake: its tables (declared once), connecting to it, replacing a day, folding state, publishing. No Dagster."""
