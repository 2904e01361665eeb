# Sourced: packages, a home of its own, a free port; at the end no process of it is left.
repository=$(cd .. && pwd)
export PATH=$PWD/node_modules/.bin:$repository/.venv/bin:$PATH
unset PYTHONDONTWRITEBYTECODE DISPLAY

stamp=node_modules/.stamp
if ! [ -f "$stamp" ] || ! cat package.json yarn.lock | cmp -s - "$stamp"; then
  jlpm install --immutable >/dev/null || { jlpm install --immutable; exit 1; }
  cat package.json yarn.lock >"$stamp"
fi

# of this process alone, so that two may run at once
export MLOPS_UI_TESTS_HOME=$PWD/.home/$$
mkdir -p "$MLOPS_UI_TESTS_HOME"/{root,data,workspaces,runtime}
export HOME=$MLOPS_UI_TESTS_HOME
export JUPYTER_CONFIG_DIR=$HOME/config JUPYTER_DATA_DIR=$HOME/share JUPYTER_RUNTIME_DIR=$HOME/runtime
export IPYTHONDIR=$HOME/ipython
# inherited by all that is started, however far it goes from its parents
export MLOPS_UI_TESTS_ID=$$-$RANDOM
MLOPS_UI_TESTS_PORT=$(python -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
export MLOPS_UI_TESTS_PORT

end_processes() {
  python - <<'PYTHON'
import os, psutil

mark, mine = os.environ["MLOPS_UI_TESTS_ID"], {os.getpid(), *(p.pid for p in psutil.Process().parents())}
left = []
for process in psutil.process_iter():
    try:
        if process.pid not in mine and process.environ().get("MLOPS_UI_TESTS_ID") == mark:
            left.append(process)
    except psutil.Error:
        continue
for process in left:
    process.terminate()
for process in psutil.wait_procs(left, timeout=5)[1]:
    process.kill()
PYTHON
}
at_exit() {
  local status=$?
  end_processes
  if [ "$status" != 0 ]; then
    mkdir -p test-results
    for log in "$MLOPS_UI_TESTS_HOME"/{server.log,data/service.log}; do
      [ ! -f "$log" ] || cp "$log" test-results/
    done
    echo "The server's and the service's logs are in $PWD/test-results." >&2
  fi
  rm -rf "$MLOPS_UI_TESTS_HOME"
}
trap at_exit EXIT
