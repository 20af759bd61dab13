# SPDX-License-Identifier: Apache-2.0
"""Who may run functions: root, an ordinary user, and those whom the machine forbids it, who must be told so by `doctor` and `run` alike.

The machines are made with `unshare`: the limit of user namespaces is one of the user namespace that is entered, so nobody else notices."""
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import urllib.request

import pytest

from conftest import BUILD, SRC, environment, listening, wait_for

ROOT_ONLY = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
USER = 54321

HANDLER = '''
import os, resource, threading
def lambda_handler(event, context):
    if event.get("threads"):
        stop, n = threading.Event(), 0
        threading.stack_size(65536)
        try:
            while True:
                threading.Thread(target=stop.wait, daemon=True).start()
                n += 1
        except RuntimeError:
            return n
    return {"uid": os.getuid(), "nproc": resource.getrlimit(resource.RLIMIT_NPROC)[0], "caps": open("/proc/self/status").read()}
'''

# `unshare --map-users` needs newuidmap, which is in another package; root may write the map itself.
ENTER_ALL = """
import ctypes, os, sys
ready, go = os.pipe(), os.pipe()
os.set_inheritable(go[0], True)
pid = os.fork()
if pid == 0:
    os.close(go[1])
    if ctypes.CDLL(None).unshare(0x10000000):
        os._exit(99)
    os.write(ready[1], b"x")
    os.read(go[0], 1)
    os.execvp(sys.argv[1], sys.argv[1:])
os.close(ready[1])
if os.read(ready[0], 1):
    for f in ("uid_map", "gid_map"):
        with open(f"/proc/{pid}/{f}", "w") as out:
            out.write("0 0 65536")
os.close(go[1])
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"""

FORBID = "echo 0 >/proc/sys/user/max_user_namespaces && "
MACHINES = {
    # As a container gives it that was started by a user: root, but of nobody else.
    "root alone, no namespaces": (["unshare", "--user", "--map-root-user"], FORBID),
    "ordinary user, no namespaces": ([sys.executable, "-c", ENTER_ALL],
                                     FORBID + f"exec setpriv --reuid {USER} --regid {USER} --clear-groups "),
}


@pytest.fixture
def place():
    """A copy of the program that every user may read and run, and a folder that user may write. Not in pytest's own folder, which it makes private."""
    with tempfile.TemporaryDirectory(prefix="lfplace") as top:
        yield fill(pathlib.Path(top))


def fill(top):
    for name in ("lambdafit", "lambdafit-init"):
        shutil.copy(BUILD / name, top / name)
    shutil.copytree(SRC / "profiles", top / "profiles")
    shutil.copytree(SRC / "src" / "runtimes", top / "src" / "runtimes")
    (top / "hello").mkdir()
    (top / "hello" / "lambda_function.py").write_text(HANDLER)
    (top / "state").mkdir()
    for p in [top, *top.rglob("*")]:
        p.chmod(0o755 if p.is_dir() or os.access(p, os.X_OK) else 0o644)
    (top / "state").chmod(0o777)
    return top


def lambdafit(place, prefix, *args):
    env = {k: v for k, v in environment().items() if not k.startswith("XDG_")}
    env.update(LAMBDAFIT_DATADIR=str(place), LAMBDAFIT_LIBEXECDIR=str(place), HOME=str(place / "state"), LAMBDAFIT_DB=str(place / "state" / "log.db"))
    return subprocess.run([*prefix, str(place / "lambdafit"), *args], capture_output=True, text=True, env=env, cwd=place, timeout=300)


def on_machine(name):
    enter, then = MACHINES[name]
    if os.geteuid() != 0 and "setpriv" in then:
        pytest.skip("only root can become another user")
    prefix = [*enter, "sh", "-c", then + 'exec "$@"' if then.endswith("&& ") else then + '"$@"', "sh"]
    if subprocess.run([*prefix, "true"], capture_output=True).returncode != 0:
        pytest.skip("this kernel cannot make such a machine")
    return prefix


@pytest.mark.parametrize("machine", MACHINES)
def test_forbidden(place, machine):
    prefix = on_machine(machine)
    r = lambdafit(place, prefix, "doctor", "--json")
    assert r.returncode == 3, r.stderr
    said = json.loads(r.stdout)
    assert said["sandbox"] is False
    failed = {m["name"]: m for m in said["mechanisms"] if not m["ok"]}
    assert "user_namespaces" in failed and "runtime_user" in failed
    assert all("user.max_user_namespaces" in failed[n]["fix"] for n in ("user_namespaces", "runtime_user"))
    text = lambdafit(place, prefix, "doctor")
    assert text.returncode == 3 and "sandbox: no" in text.stdout and "fix for user_namespaces: " in text.stdout
    for command in (["run", "hello"], ["serve", "hello", "--port", "0"]):
        r = lambdafit(place, prefix, *command)
        assert r.returncode == 3, (command, r.stdout, r.stderr)
        assert r.stdout == "" and "Runtime." not in r.stderr
        assert "lambdafit: sandbox: cannot make namespaces: no more of them are allowed" in r.stderr
        assert "\n  fix: " in r.stderr and "user.max_user_namespaces" in r.stderr
        if machine.startswith("root"):
            assert "no user 993" in r.stderr


@ROOT_ONLY
def test_ordinary_user(place):
    prefix = ["setpriv", "--reuid", str(USER), "--regid", str(USER), "--clear-groups"]
    doctor = lambdafit(place, prefix, "doctor", "--json")
    if doctor.returncode == 3:
        assert not json.loads(doctor.stdout)["sandbox"]
        pytest.skip("this machine lets no ordinary user make namespaces")
    assert doctor.returncode == 0 and json.loads(doctor.stdout)["sandbox"], doctor.stderr
    r = lambdafit(place, prefix, "run", "hello", "--memory", "512", "--json", "--quiet")
    assert r.returncode == 0, r.stderr
    inv = json.loads(r.stdout)["invocations"][0]
    assert inv["response"]["uid"] == 993 and inv["response"]["nproc"] == 742
    assert "CapEff:\t0000000000000000" in inv["response"]["caps"] and "NoNewPrivs:\t1" in inv["response"]["caps"]


@ROOT_ONLY
def test_ordinary_user_breaks_processes(place):
    """The supervisor has the function's user there and takes one of its processes: the next fork fails all the same."""
    prefix = ["setpriv", "--reuid", str(USER), "--regid", str(USER), "--clear-groups"]
    if lambdafit(place, prefix, "doctor").returncode == 3:
        pytest.skip("this machine lets no ordinary user make namespaces")
    r = lambdafit(place, prefix, "run", "hello", "--memory", "2048", "--timeout", "60", "-e", '{"threads": true}', "--json", "--quiet")
    assert r.stdout, r.stderr
    out = json.loads(r.stdout)
    assert out["invocations"][0]["response"] >= 730
    assert [(v["limit_id"], v["severity"], v["used"], v["allowed"]) for v in out["violations"]] == [("processes", "broken", 742, 742)]


SHARED = '''
import mmap
def lambda_handler(event, context):
    keep = []
    while True:
        m = mmap.mmap(-1, 8 << 20)
        m.write(b"x" * (8 << 20))
        keep.append(m)
'''


@ROOT_ONLY
def test_ordinary_user_shared_memory(place):
    """Without control groups memory is sampled, and shared memory counts."""
    prefix = ["setpriv", "--reuid", str(USER), "--regid", str(USER), "--clear-groups"]
    if lambdafit(place, prefix, "doctor").returncode == 3:
        pytest.skip("this machine lets no ordinary user make namespaces")
    (place / "hello" / "lambda_function.py").write_text(SHARED)
    r = lambdafit(place, prefix, "run", "hello", "--memory", "512", "--timeout", "120", "--json", "--quiet")
    assert r.returncode == 1, r.stderr
    assert json.loads(r.stdout)["invocations"][0]["status"] == "out_of_memory"


THIEF = '''
import http.client, json
def lambda_handler(event, context):
    got = {}
    for port in event["ports"]:
        try:
            c = http.client.HTTPConnection("127.0.0.1", port, timeout=15)
            c.request("GET", "/2018-06-01/ping")
            got[port] = c.getresponse().read().decode()
        except Exception as e:
            got[port] = type(e).__name__
    return got
'''


@ROOT_ONLY
def test_ordinary_user_runtime_api(place, tmp_path):
    """All environments are the same user there: the daemon looks whose socket it is."""
    prefix = ["setpriv", "--reuid", str(USER), "--regid", str(USER), "--clear-groups"]
    if lambdafit(place, prefix, "doctor").returncode == 3:
        pytest.skip("this machine lets no ordinary user make namespaces")
    (place / "thief").mkdir(mode=0o755)
    (place / "thief" / "lambda_function.py").write_text(THIEF)
    env = {k: v for k, v in environment().items() if not k.startswith("XDG_")}
    env.update(LAMBDAFIT_DATADIR=str(place), LAMBDAFIT_LIBEXECDIR=str(place), HOME=str(place / "state"))
    port_file = place / "state" / "port"
    p = subprocess.Popen([*prefix, place / "lambdafit", "serve", "hello", "thief", "--port", "0", "--port-file", port_file, "--db", place / "state" / "serve.db",
                          "--memory", "1769", "--timeout", "60", "--quiet"], env=env, cwd=place)
    try:
        wait_for(lambda: port_file.exists() or p.poll() is not None, "the daemon is ready")
        port = int(port_file.read_text())
        invoke = lambda name, event: json.load(urllib.request.urlopen(f"http://127.0.0.1:{port}/2015-03-31/functions/{name}/invocations",
                                                                      data=json.dumps(event).encode(), timeout=120))
        assert invoke("hello", {})["uid"] == 993
        others = set(listening(p.pid)) - {port}
        assert len(others) == 1
        got = invoke("thief", {"ports": sorted(others)})
        assert list(got.values()) == ["RemoteDisconnected"] or list(got.values()) == ["ConnectionResetError"], got
        own = set(listening(p.pid)) - {port} - others
        assert list(invoke("thief", {"ports": sorted(own)}).values()) == ["pong"]
        assert invoke("hello", {})["uid"] == 993
    finally:
        p.terminate()
        assert p.wait(60) == 0


# A container whose filter of system calls is older than its kernel: nothing that came with Linux 5.1 or later (424 is pidfd_send_signal; the numbers are
# the same on all architectures since).
OLD_FILTER = """
import ctypes, os, sys
class Code(ctypes.Structure):
    _fields_ = [("code", ctypes.c_uint16), ("jt", ctypes.c_uint8), ("jf", ctypes.c_uint8), ("k", ctypes.c_uint32)]
class Program(ctypes.Structure):
    _fields_ = [("len", ctypes.c_uint16), ("filter", ctypes.POINTER(Code))]
codes = (Code * 4)(Code(0x20, 0, 0, 0), Code(0x35, 0, 1, 424), Code(0x06, 0, 0, 0x00050000 | 38), Code(0x06, 0, 0, 0x7fff0000))
libc = ctypes.CDLL(None, use_errno=True)
libc.prctl(38, 1, 0, 0, 0)
if libc.prctl(22, 2, ctypes.byref(Program(4, codes)), 0, 0):
    sys.exit("no filter: " + os.strerror(ctypes.get_errno()))
try:
    os.pidfd_open(os.getpid())
    sys.exit("the filter does nothing")
except OSError:
    os.execvp(sys.argv[1], sys.argv[1:])
"""


def test_old_filter(serve, run, function):
    """Functions run there as anywhere, and all is gone at the end; `doctor` knows."""
    under = [sys.executable, "-c", OLD_FILTER]
    doctor = subprocess.run([*under, BUILD / "lambdafit", "doctor", "--json"], capture_output=True, text=True, env=environment(), timeout=120)
    found = {m["name"]: m["ok"] for m in json.loads(doctor.stdout)["mechanisms"]}
    if not found["runtime_user"] or run("doctor").returncode:
        pytest.skip("no sandbox here")
    assert found["pidfd"] and not found["clone3"] and not found["mount_api"] and doctor.returncode == 0
    f = function("old", {"lambda_function.py": "import time\ndef lambda_handler(e, c):\n    time.sleep(e.get('s', 0))\n    return 1\n"})
    d = serve(f, args=["--timeout", "2"], under=under)
    assert [d.invoke("old").body for _ in range(2)] == [b"1", b"1"]
    assert "timed out" in d.invoke("old", {"s": 60}).json["errorMessage"]
    assert d.invoke("old").body == b"1"
    wait_for(lambda: [e["state"] for e in d.environments()] == ["idle"], "its environment is idle")
    assert d.stop() == 0, d.err  # the fixture sees that nothing is left
