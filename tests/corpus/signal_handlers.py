# The handlers that are set before the notebook sets any.
# %%
import signal

for number in sorted(signal.valid_signals()):
    handler = signal.getsignal(number)
    print(int(number), getattr(handler, "__qualname__", handler))
# %%
print(signal.pthread_sigmask(signal.SIG_BLOCK, []), signal.sigpending(), signal.getitimer(signal.ITIMER_REAL))
for line in open("/proc/self/status"):
    if line.startswith(("SigP", "SigB", "SigI", "SigC", "Shd")):
        print(line.split())
# %%
import subprocess

print(subprocess.run(["grep", "^Sig[BI]", "/proc/self/status"], capture_output=True, text=True).stdout)
