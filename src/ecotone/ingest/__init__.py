"""Readers of folders, tables and the field's json files: lenient in, checked values out."""
