"""Where student code runs. `base` is the interface; `linux` and `portable` are the back ends."""
