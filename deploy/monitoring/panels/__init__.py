"""The graphs of the dashboards."""
