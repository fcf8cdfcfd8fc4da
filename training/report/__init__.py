"""Human-readable reports of an evaluation: Markdown, an HTML page with charts, and the model card."""
