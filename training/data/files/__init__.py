"""Finds the files of a table and reads them as one frame, whatever their folders, columns and types."""
