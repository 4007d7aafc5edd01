"""The Qavix client: one table of endpoints, wire values, a limiter, uploads and downloads."""
