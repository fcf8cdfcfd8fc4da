"""Reports of an evaluation for people: Markdown, an HTML page with charts, and the model card."""
