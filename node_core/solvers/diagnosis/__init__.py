"""Why a solve stopped, or crawled: its record is read, and f is asked again near where it stood."""
