"""Files as they really are: scanning, completeness, durable writing, media facts, watching. Everything here may
block.
"""
