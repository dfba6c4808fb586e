"""The pages: widgets, and which figures are shown when."""
