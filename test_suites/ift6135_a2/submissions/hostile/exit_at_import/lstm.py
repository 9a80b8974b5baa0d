import os
import signal

os.kill(os.getpid(), signal.SIGTERM)
os._exit(0)
