"""Tables, figures and pages. Reads the run store only."""
