"""The short form: checks, answers and known mistakes as data in `assignment.yaml`, written out as the long form."""
