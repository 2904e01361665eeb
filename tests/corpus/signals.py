# Signals and their handlers.
# %%
import os
import signal
import time


def ring(number, frame):
    print("rang", signal.Signals(number).name)


signal.signal(signal.SIGALRM, ring)
signal.setitimer(signal.ITIMER_REAL, 0.05)
time.sleep(0.2)


# %% [raises-exception]
def expire(number, frame):
    raise TimeoutError("too slow")


signal.signal(signal.SIGALRM, expire)
signal.setitimer(signal.ITIMER_REAL, 0.05)
while True:
    time.sleep(1)
# %% [raises-exception]
raise KeyboardInterrupt
# %% [raises-exception]
signal.raise_signal(signal.SIGINT)
time.sleep(1)
# %%
signal.signal(signal.SIGUSR1, ring)
os.kill(os.getpid(), signal.SIGUSR1)
# %%
signal.signal(signal.SIGTERM, signal.SIG_IGN)
os.kill(os.getpid(), signal.SIGTERM)
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR2}), signal.getsignal(signal.SIGTERM)
