"""Templates of the report page, with its style sheet, and of the model card."""
