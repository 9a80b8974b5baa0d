"""The student-side process. Runs untrusted code: everything that it says is a claim."""
