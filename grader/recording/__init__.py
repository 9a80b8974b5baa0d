"""The reference run as a thing of its own: a folder that is judged from again, elsewhere, or without the reference."""
