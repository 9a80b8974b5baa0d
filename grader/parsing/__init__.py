"""A student's text taken apart: notebooks into cells, source into statements."""
