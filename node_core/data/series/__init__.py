"""Series of observations at irregular times: made ones, real ones that come with the project, and users' tables."""
