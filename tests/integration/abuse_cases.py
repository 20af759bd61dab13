# SPDX-License-Identifier: Apache-2.0
"""The catalogue of abuse: one handler a case. test_abuse.py runs them; docs/security.md names each of them in its table.

A case's code is the body of the handler, in a module that begins with HELP; what it returns is looked at by `check`. `status` lists the
statuses that its row may have; nothing else is accepted."""
import dataclasses
import typing

HELP = r'''
import ctypes, errno, glob, json, mmap, os, platform, resource, signal, socket, stat, struct, subprocess, sys, threading, time
libc = ctypes.CDLL(None, use_errno=True)
X86 = platform.machine() == "x86_64"
#            x86_64, aarch64
NR = {"io_uring_setup": (425, 425), "bpf": (321, 280), "keyctl": (250, 219), "add_key": (248, 217), "request_key": (249, 218),
      "perf_event_open": (298, 241), "userfaultfd": (323, 282), "kexec_load": (246, 104), "init_module": (175, 105), "finit_module": (313, 273),
      "delete_module": (176, 106), "swapon": (167, 224), "reboot": (169, 142), "syslog": (103, 116), "settimeofday": (164, 170),
      "clock_settime": (227, 112), "pivot_root": (155, 41), "setns": (308, 268), "unshare": (272, 97), "mount": (165, 40), "umount2": (166, 39),
      "open_by_handle_at": (304, 265), "quotactl": (179, 60), "acct": (163, 89), "fsopen": (430, 430), "open_tree": (428, 428),
      "move_mount": (429, 429), "clone3": (435, 435), "fanotify_init": (300, 262), "pidfd_getfd": (438, 438), "process_vm_readv": (310, 270),
      "chroot": (161, 51), "sethostname": (170, 161), "memfd_create": (319, 279), "mount_setattr": (442, 442)}
def call(name, *args):
    """The name of the error of a raw system call, or what it returned."""
    ctypes.set_errno(0)
    r = libc.syscall(ctypes.c_long(NR[name][0 if X86 else 1]), *[ctypes.c_long(a) if isinstance(a, int) else a for a in args])
    return errno.errorcode[ctypes.get_errno()] if r < 0 else int(r)
def attempt(f, *args, **kw):
    """The name of the error of a Python call, or "done"."""
    try:
        f(*args, **kw)
    except OSError as e:
        return errno.errorcode.get(e.errno, str(e.errno))
    except BaseException as e:
        return type(e).__name__
    return "done"
def read(path):
    try:
        with open(path, "rb") as f:
            return f.read(65536).decode(errors="replace")
    except OSError as e:
        return errno.errorcode[e.errno]
def files(top):
    """Every regular file below, without following links, which may lead in circles."""
    for folder, _, names in os.walk(top):
        for name in names:
            path = os.path.join(folder, name)
            if os.path.isfile(path) and not os.path.islink(path):
                yield path
def api():
    host, _, port = os.environ["AWS_LAMBDA_RUNTIME_API"].partition(":")
    return host, int(port)
def raw_api(data, half_close=False, port=None):
    """What the Runtime API answers to these bytes; "" when it closes without a word."""
    try:
        with socket.create_connection((api()[0], port or api()[1]), timeout=15) as s:
            s.sendall(data)
            if half_close:
                s.shutdown(socket.SHUT_WR)
            return s.recv(65536).decode(errors="replace")
    except OSError as e:
        return errno.errorcode.get(e.errno, type(e).__name__)
def fork_off(f):
    """A grandchild in a session of its own, with nothing of ours open."""
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            os.closerange(0, 1024)
            try:
                f()
            finally:
                os._exit(0)
        os._exit(0)
    os.wait()
'''


@dataclasses.dataclass
class Case:
    name: str
    group: str
    threat: str
    defence: str
    code: str
    status: tuple = ("ok",)
    check: typing.Callable = None       # of what the handler returned
    row: typing.Callable = None         # of the invocation's row
    violations: tuple = ()              # limits whose violation must be recorded
    memory: int = 1769
    timeout: int = 30                   # of those that come to an end by themselves; what must time out has its own
    network: str = "host"
    init: str = ""                      # code at the top of the module


CASES = []
OVER = ("timeout", "out_of_memory", "crash", "function_error")


def case(name, group, threat, defence, code, **kw):
    CASES.append(Case(name, group, threat, defence, code, **kw))


def equal(want):
    def check(got):
        assert got == want, got
    return check


def all_in(*allowed):
    """Every value of the object the handler returned is one of these."""
    def check(got):
        bad = {k: v for k, v in got.items() if v not in allowed}
        assert not bad, bad
    return check


# ---- using up ----------------------------------------------------------------------------------------------------------------------------

case("fork-bomb", "resources", "forks without end", "limit of processes (control group, RLIMIT_NPROC); the whole pid namespace is killed at the timeout", '''
while True:
    try:
        os.fork()
    except OSError:
        pass
''', status=("timeout",), timeout=2)

case("fork-bomb-shell", "resources", "the shell's fork bomb, in the background", "as fork-bomb", '''
subprocess.Popen(["bash", "-c", ":(){ :|:& };:"], stderr=subprocess.DEVNULL)
time.sleep(60)
''', status=("timeout",), timeout=2)

case("threads-100000", "resources", "starts 100,000 threads", "limit of processes and threads", '''
stop, n = threading.Event(), 0
threading.stack_size(65536)
try:
    for n in range(100000):
        threading.Thread(target=stop.wait, daemon=True).start()
except RuntimeError:
    pass
return {"n": n}
''', check=lambda got: got["n"] < 1100 or (_ for _ in ()).throw(AssertionError(got)), violations=("processes",))

case("zombies", "resources", "children that nobody waits for", "limit of processes; pid 1 reaps what lost its parent", '''
n = 0
try:
    while True:
        if os.fork() == 0:
            os._exit(0)
        n += 1
except OSError:
    return {"n": n}
''', check=lambda got: got["n"] < 1100 or (_ for _ in ()).throw(AssertionError(got)), violations=("processes",))

case("memory-own", "resources", "allocates without end", "control group of memory; without one, sampling", '''
keep = []
while True:
    keep.append(bytearray(16 << 20))
''', status=("out_of_memory",), memory=256, violations=("memory",))

case("memory-children", "resources", "many children allocate together", "one control group for the whole environment", '''
for _ in range(20):
    if os.fork() == 0:
        keep = bytearray(40 << 20)
        time.sleep(60)
        os._exit(0)
time.sleep(60)
''', status=("out_of_memory",), memory=256, violations=("memory",))

case("memory-shared", "resources", "memory shared among processes (MAP_SHARED)", "control group of memory; shared pages are counted when sampled too", '''
keep = []
while True:
    m = mmap.mmap(-1, 16 << 20)
    for i in range(0, 16 << 20, 4096):
        m[i] = 1
    keep.append(m)
''', status=("out_of_memory",), memory=256, violations=("memory",))

case("memory-memfd", "resources", "files that live in memory only (memfd)", "control group of memory", '''
fd = os.memfd_create("x")
block = b"x" * (1 << 20)
while True:
    os.write(fd, block)
''', status=("out_of_memory",), memory=256, violations=("memory",))

case("memory-sysv", "resources", "System V shared memory", "control group of memory; an IPC namespace that ends with the environment", '''
libc.shmat.restype = ctypes.c_void_p
for _ in range(40):
    i = libc.shmget(0, 16 << 20, 0o1600)
    if i < 0:
        return {"refused": True}
    p = libc.shmat(i, None, 0)
    ctypes.memset(p, 1, 16 << 20)
time.sleep(5)
''', status=("out_of_memory", "ok"), memory=256)

case("memory-pipes", "resources", "kernel memory in pipes that nobody reads", "control group of memory, limit of descriptors, the kernel's limit of pipes", '''
n = 0
try:
    while True:
        r, w = os.pipe()
        try:
            libc.fcntl(w, 1031, 1 << 20)
        except OSError:
            pass
        os.set_blocking(w, False)
        try:
            while True:
                n += os.write(w, b"x" * 65536)
        except BlockingIOError:
            pass
except OSError as e:
    return {"mb": n >> 20, "end": errno.errorcode[e.errno]}
''', status=("ok", "out_of_memory"), memory=256)

case("memory-sockets", "resources", "kernel memory in sockets that nobody reads", "control group of memory, limit of descriptors", '''
keep, n = [], 0
try:
    while True:
        a, b = socket.socketpair()
        keep += [a, b]
        a.setblocking(False)
        try:
            while True:
                n += a.send(b"x" * 65536)
        except BlockingIOError:
            pass
except OSError as e:
    return {"mb": n >> 20, "end": errno.errorcode[e.errno]}
''', status=("ok", "out_of_memory"), memory=256)

case("memory-tcp", "resources", "kernel memory in TCP connections that nobody reads", "a limit of its own with version 1, the control group of memory with version 2", '''
listener = socket.create_server(("127.0.0.1", 0), backlog=512)
keep, n = [listener], 0
try:
    for _ in range(400):
        a = socket.create_connection(listener.getsockname())
        keep += [a, listener.accept()[0]]
        a.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8 << 20)
        a.setblocking(False)
        try:
            while n < 2 << 30:
                n += a.send(b"x" * 262144)
        except BlockingIOError:
            pass
except OSError:
    pass
return {"mb": n >> 20}
''', status=("ok", "out_of_memory"), check=lambda got: got["mb"] < 700 or (_ for _ in ()).throw(AssertionError(got)), memory=256)

case("memory-mapped-again", "resources", "maps one file ten thousand times, and all of its pages each time", "page tables are memory; what is too large to be walked in a moment is not looked at", '''
with open("/tmp/f", "wb") as f:
    f.write(bytes(64 << 20))
fd = os.open("/tmp/f", os.O_RDONLY)
libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long]
for _ in range(250):
    libc.mmap(None, 64 << 20, 1, 0x8001, fd, 0)
for _ in range(10000):
    libc.mmap(None, 64 << 20, 1, 1, fd, 0)
return True
''', status=("ok", "out_of_memory"), timeout=60)

case("memory-page-cache", "resources", "fills the page cache by reading the host's files", "cache is charged to the environment's own group and given back", '''
n = 0
for path in files("/usr/lib"):
    if n > 600 << 20:
        break
    try:
        with open(path, "rb") as f:
            while block := f.read(1 << 20):
                n += len(block)
    except OSError:
        pass
return {"mb": n >> 20}
''', status=("ok",), memory=512, timeout=60)

case("tmp-full", "resources", "fills /tmp", "a tmpfs of exactly the quota", '''
n = 0
with open("/tmp/f", "wb", buffering=0) as f:
    try:
        while True:
            n += f.write(b"x" * (1 << 20))
    except OSError as e:
        return {"mb": n >> 20, "end": errno.errorcode[e.errno]}
''', check=equal({"mb": 512, "end": "ENOSPC"}), violations=("tmp",))

case("tmp-inodes", "resources", "makes files in /tmp until none can be made", "the tmpfs's limit of inodes, which are charged to the memory group", '''
n = 0
os.chdir("/tmp")
try:
    while True:
        os.close(os.open(str(n), os.O_CREAT | os.O_WRONLY))
        n += 1
except OSError as e:
    return {"n": n, "end": errno.errorcode[e.errno]}
''', check=lambda got: (got["end"] == "ENOSPC" and got["n"] <= 131072) or (_ for _ in ()).throw(AssertionError(got)), timeout=60)

case("tmp-deep", "resources", "a tree in /tmp that is deeper than any path may be long", "mounts go with their namespace: nobody walks them", '''
os.chdir("/tmp")
for n in range(5000):
    os.mkdir("d" * 200)
    os.chdir("d" * 200)
return n
''', check=equal(4999))

case("tmp-sparse", "resources", "a file of 8 EB with nothing in it", "a tmpfs counts pages, not lengths", '''
with open("/tmp/f", "wb") as f:
    f.truncate((1 << 62))
    f.seek(1 << 61)
    f.write(b"x")
return os.stat("/tmp/f").st_blocks * 512 <= 4096
''', check=equal(True))

case("descriptors", "resources", "opens descriptors without end", "RLIMIT_NOFILE of the function's own", '''
fds = []
try:
    while True:
        fds.append(os.open("/dev/null", os.O_RDONLY))
except OSError as e:
    end = errno.errorcode[e.errno]
n = len(fds)
for fd in fds[-20:]:
    os.close(fd)
return {"end": end, "few": n < 1024}
''', check=equal({"end": "EMFILE", "few": True}), violations=("fds",))

case("limits-raised", "resources", "raises its own limits", "hard limits, no CAP_SYS_RESOURCE", '''
out = {}
for name in ("NOFILE", "NPROC", "MEMLOCK", "CORE"):
    what = getattr(resource, "RLIMIT_" + name)
    hard = resource.getrlimit(what)[1]
    out[name] = attempt(resource.setrlimit, what, (hard + 1, hard + 1)) if hard != resource.RLIM_INFINITY else "ValueError"
return out
''', check=all_in("EPERM", "ValueError"))

case("priority", "resources", "takes a higher priority, or real time", "no CAP_SYS_NICE", '''
return {"nice": attempt(os.nice, -10), "fifo": attempt(os.sched_setscheduler, 0, os.SCHED_FIFO, os.sched_param(50)),
        "setpriority": attempt(os.setpriority, os.PRIO_PROCESS, 0, -20)}
''', check=all_in("EPERM", "EACCES"))

case("locked-memory", "resources", "locks its memory", "RLIMIT_MEMLOCK, no CAP_IPC_LOCK", '''
m = mmap.mmap(-1, 64 << 20)
buf = (ctypes.c_char * (64 << 20)).from_buffer(m)
ctypes.set_errno(0)
r = libc.mlock(ctypes.byref(buf), 64 << 20)
return {"mlock": errno.errorcode[ctypes.get_errno()] if r < 0 else "done"}
''', check=all_in("ENOMEM", "EPERM", "EAGAIN"))

case("descriptors-sent", "resources", "sends descriptors to itself and does not take them", "the kernel's limit of a user's that are on their way, and each environment is another user", '''
import array
pairs, n = [socket.socketpair()], 0
try:
    while n < 100000:
        fds = [os.open("/dev/null", os.O_RDONLY) for _ in range(200)]
        pairs[-1][0].setblocking(False)
        try:
            pairs[-1][0].sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))])
            n += 200
        except BlockingIOError:
            pairs.append(socket.socketpair())
        finally:
            for fd in fds:
                os.close(fd)
except OSError as e:
    return {"end": errno.errorcode[e.errno], "few": n < 5000}
return n
''', check=equal({"end": "ETOOMANYREFS", "few": True}))

case("signals-queued", "resources", "queues signals and makes timers without end, of which the user who runs the daemon has only so many", "RLIMIT_SIGPENDING of the function's own", '''
signal.pthread_sigmask(signal.SIG_BLOCK, range(34, 64))
libc.sigqueue.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_void_p]
n, timer = 0, ctypes.c_void_p()
while n < 100000 and libc.sigqueue(os.getpid(), 40, None) == 0:
    n += 1
while n < 100000 and libc.timer_create(0, None, ctypes.byref(timer)) == 0:
    n += 1
return n
''', check=lambda got: got <= 1100 or (_ for _ in ()).throw(AssertionError(got)))

case("watches", "resources", "takes the user's inotify instances", "a limit of the user namespace far below the host's", '''
fds, end = [], ""
for _ in range(1000):
    ctypes.set_errno(0)
    fd = libc.inotify_init1(0)
    if fd < 0:
        end = errno.errorcode[ctypes.get_errno()]
        break
    fds.append(fd)
return {"end": end, "few": len(fds) <= 64}
''', check=equal({"end": "EMFILE", "few": True}))

case("watches-many", "resources", "watches files without end", "as watches", '''
fd, n = libc.inotify_init1(0), 0
for n in range(20000):
    os.close(os.open(f"/tmp/{n}", os.O_CREAT | os.O_WRONLY))
    if libc.inotify_add_watch(fd, f"/tmp/{n}".encode(), 2) < 0:
        break
return n
''', check=lambda got: got <= 8192 or (_ for _ in ()).throw(AssertionError(got)))

case("names-of-tasks", "resources", "names its threads like the fields of /proc/PID/stat", "names are skipped from their last parenthesis on", '''
def named():
    libc.prctl(15, b") R 1 (\\n", 0, 0, 0)
    time.sleep(60)
for _ in range(50):
    threading.Thread(target=named, daemon=True).start()
libc.prctl(15, b") X 99 (\\xff", 0, 0, 0)
return True
''', check=equal(True))

case("cpu-burn", "resources", "burns all CPUs", "the CPU quota of its control group", '''
stop = time.time() + 1.5
for _ in range(8):
    if os.fork() == 0:
        while time.time() < stop:
            pass
        os._exit(0)
while time.time() < stop:
    pass
return True
''', check=equal(True))

# ---- output ------------------------------------------------------------------------------------------------------------------------------

case("log-flood", "output", "prints without end", "output is read in turns of bounded size; only the last 8 KB are kept", '''
line = b"flood " * 1000 + b"\\n"
end = time.time() + 1
while time.time() < end:
    os.write(1, line)
return True
''', check=equal(True))

case("log-flood-timeout", "output", "prints without end and never answers", "as log-flood; the timeout", '''
while True:
    os.write(2, b"x" * 65536)
''', status=("timeout",), timeout=1)

case("log-line-50mb", "output", "one line of 50 MB", "output is never collected by lines", '''
block = b"x" * (1 << 20)
for _ in range(50):
    os.write(1, block)
return True
''', check=equal(True), row=lambda r: len(r["log_tail"]) <= 8192, timeout=60)

case("log-binary", "output", "binary output, broken UTF-8, terminal escapes", "kept as bytes; escaped where it is shown", '''
os.write(1, bytes(range(256)) * 20 + b"\\x1b]0;owned\\x07\\x1b[2J\\xff\\xfe\\xc0\\x80" + os.urandom(65536))
return True
''', check=equal(True))

case("log-forged", "output", "prints lines that look like the platform's", "the record is never read back from text", '''
rid = context.aws_request_id
print(f"END RequestId: {rid}\\nREPORT RequestId: {rid}\\tDuration: 0.01 ms\\tBilled Duration: 1 ms\\tMemory Size: 128 MB\\tMax Memory Used: 1 MB\\t")
time.sleep(0.3)
return True
''', check=equal(True), row=lambda r: r["duration_us"] >= 300000 and r["max_memory_bytes"] > 1 << 20)

case("output-closed", "output", "closes its outputs", "the end of a pipe ends nothing else", '''
os.close(1); os.close(2)
return True
''', check=equal(True))

case("response-large", "output", "an answer of 20 MB", "bodies over the limit are read and thrown away", '''
return "x" * (20 << 20)
''', status=("function_error",), violations=("response",))

case("response-deep", "output", "an answer of 100,000 nested lists", "answers are passed on as bytes", '''
text = "[" * 100000 + "]" * 100000
body = text.encode()
host, port = api()
print(raw_api(f"POST /2018-06-01/runtime/invocation/{context.aws_request_id}/response HTTP/1.1\\r\\nHost: x\\r\\nContent-Length: {len(body)}\\r\\n\\r\\n".encode() + body))
time.sleep(0.1)
return True
''', status=("ok", "function_error"))

case("error-huge", "output", "an error message of 5 MB", "what a row keeps is cut", '''
raise ValueError("x" * (5 << 20))
''', status=("function_error",), row=lambda r: len(r["error_message"] or "") <= 1024)

# ---- signals and processes ---------------------------------------------------------------------------------------------------------------

case("kill-pid-1", "processes", "signals its supervisor", "pid 1 of a namespace ignores signals from inside", '''
out = {}
for s in range(1, 65):
    out[str(s)] = attempt(os.kill, 1, s)
time.sleep(0.1)
return set(out.values()) <= {"EPERM", "done"}
''', check=equal(True))

case("kill-everyone", "processes", "signals everyone it may", "the pid namespace holds its own processes only", '''
os.kill(-1, signal.SIGKILL)
time.sleep(60)
''', status=("crash", "timeout", "ok", "function_error"), timeout=2)

case("kill-daemon", "processes", "signals the daemon by its process number", "a pid namespace: no such process", '''
return {"daemon": attempt(os.kill, event["daemon"], signal.SIGKILL), "group": attempt(os.killpg, event["daemon"], signal.SIGKILL)}
''', check=all_in("ESRCH"))

case("kill-all-numbers", "processes", "signals every process number there can be", "as kill-daemon", '''
hit = []
for pid in range(2, 40000):
    if pid != os.getpid():
        try:
            os.kill(pid, signal.SIGKILL)
            hit.append(pid)
        except OSError:
            pass
return hit
''', check=equal([]), timeout=30)

case("stop-itself", "processes", "stops itself with SIGSTOP", "the timeout kills what is stopped too", '''
os.kill(os.getpid(), signal.SIGSTOP)
''', status=("timeout",), timeout=1)

case("ignore-signals", "processes", "ignores every signal it can", "SIGKILL", '''
for s in range(1, 65):
    try:
        signal.signal(s, signal.SIG_IGN)
    except (OSError, ValueError):
        pass
time.sleep(60)
''', status=("timeout",), timeout=1)

case("daemon-outlives", "processes", "a double-forked daemon that outlives the timeout", "the whole tree is killed, whatever its sessions and parents", '''
def live():
    while True:
        with open("/tmp/alive", "ab") as f:
            f.write(b"x")
        time.sleep(0.005)
if not os.path.exists("/tmp/alive"):
    fork_off(live)
    time.sleep(60)
first = os.stat("/tmp/alive").st_size
time.sleep(0.2)
return os.stat("/tmp/alive").st_size - first
''', status=("timeout",), timeout=4)

case("daemon-between", "processes", "works on between invocations", "environments are frozen", '''
def live():
    while True:
        with open("/tmp/alive", "ab") as f:
            f.write(bytes(4096))
        time.sleep(0.001)
first = os.path.getsize("/tmp/alive") if os.path.exists("/tmp/alive") else fork_off(live)
while not os.path.exists("/tmp/alive") or os.path.getsize("/tmp/alive") < (first or 0) + 8192:
    time.sleep(0.001)
return os.stat("/tmp/alive").st_size
''')

case("close-descriptors", "processes", "closes all of its descriptors", "the environment ends, nothing else", '''
os.closerange(0, 4096)
return True
''', status=OVER + ("ok",), timeout=2)

case("exit-zero", "processes", "ends in the middle of an invocation, well", "an exit before the answer is an error, as on Lambda", '''
os._exit(0)
''', status=("crash",))

case("crash-core", "processes", "crashes with a large core dump", "the working directory is read-only", '''
keep = bytearray(64 << 20)
os.kill(os.getpid(), signal.SIGABRT)
time.sleep(60)
''', status=("crash", "timeout"), timeout=5)

case("exec-other", "processes", "becomes another program in the middle of an invocation", "an end like any other", '''
os.execv("/bin/sleep", ["sleep", "60"])
''', status=("timeout",), timeout=1)

# ---- the kernel --------------------------------------------------------------------------------------------------------------------------

case("capabilities", "kernel", "has powers left", "all capability sets are empty, no_new_privs is set, a filter is in force", '''
status = dict(line.split(":\\t") for line in read("/proc/self/status").splitlines() if ":\\t" in line)
return {k: status[k].strip() for k in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb", "NoNewPrivs", "Seccomp", "Uid", "Groups")}
''', check=lambda got: (all(got[k] == "0" * 16 for k in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")) and got["NoNewPrivs"] == "1" and got["Seccomp"] == "2"
                        and got["Uid"] == "993\t993\t993\t993") or (_ for _ in ()).throw(AssertionError(got)))

case("ptrace", "kernel", "traces its supervisor", "it is not dumpable, and root's where there is a root", '''
out = {"seize": None, "attach": None}
for name, request in (("attach", 16), ("seize", 0x4206)):
    ctypes.set_errno(0)
    r = libc.ptrace(request, 1, 0, 0)
    out[name] = errno.errorcode[ctypes.get_errno()] if r < 0 else "done"
for f in ("mem", "environ", "maps", "syscall", "stack", "auxv"):
    v = read("/proc/1/" + f)
    out[f] = v if v in errno.errorcode.values() else "read"
for f in ("root", "cwd", "exe", "fd", "ns/mnt"):
    out[f] = attempt(os.listdir, "/proc/1/fd") if f == "fd" else attempt(os.readlink, "/proc/1/" + f)
buf = ctypes.create_string_buffer(64)
class iov(ctypes.Structure):
    _fields_ = [("base", ctypes.c_void_p), ("len", ctypes.c_size_t)]
local, remote = iov(ctypes.addressof(buf), 64), iov(0x400000, 64)
out["process_vm_readv"] = call("process_vm_readv", 1, ctypes.byref(local), 1, ctypes.byref(remote), 1, 0)
pidfd = libc.syscall(434, 1, 0)
out["pidfd_getfd"] = call("pidfd_getfd", pidfd, 3, 0) if pidfd >= 0 else "EPERM"
return out
''', check=all_in("EPERM", "EACCES", "EFAULT", "EIO", "ENOENT", "EINVAL", "ESRCH"))

case("mount", "kernel", "mounts, unmounts, makes writable again", "no capability, no user namespace; the filter", '''
os.makedirs("/tmp/m", exist_ok=True)
return {"tmpfs": call("mount", b"none", b"/tmp/m", b"tmpfs", 0, 0), "proc": call("mount", b"proc", b"/tmp/m", b"proc", 0, 0),
        "bind": call("mount", b"/", b"/tmp/m", 0, 4096, 0), "remount": call("mount", 0, b"/", 0, 32 | 4096, 0),
        "cgroup": call("mount", b"none", b"/tmp/m", b"cgroup2", 0, 0), "umount": call("umount2", b"/tmp", 2), "proc/cpuinfo": call("umount2", b"/proc/cpuinfo", 2),
        "fsopen": call("fsopen", b"tmpfs", 0), "open_tree": call("open_tree", -100, b"/", 1), "setattr": call("mount_setattr", -100, b"/", 0, 0, 0)}
''', check=all_in("EPERM", "ENOSYS", "EINVAL", "EACCES"))

case("unshare", "kernel", "makes namespaces of its own, in which it would be root", "none may be made in the sandbox's; the filter", '''
out = {}
for name, flag in (("user", 0x10000000), ("mnt", 0x20000), ("pid", 0x20000000), ("net", 0x40000000), ("ipc", 0x8000000), ("uts", 0x4000000), ("cgroup", 0x2000000), ("time", 0x80)):
    out[name] = call("unshare", flag)
out["user+mnt"] = call("unshare", 0x10000000 | 0x20000)
pid = libc.syscall(56 if X86 else 220, ctypes.c_long(0x10000000 | 17), 0, 0, 0, 0)
if pid == 0:
    os._exit(0)
out["clone"] = "EPERM" if pid < 0 else "done"
args = struct.pack("8Q", 0x10000000, 0, 0, 0, 17, 0, 0, 0)
r = call("clone3", ctypes.c_char_p(args), 64)
if r == 0:
    os._exit(0)
out["clone3"] = r if isinstance(r, str) else "done"
r = subprocess.run(["unshare", "-Ur", "true"], capture_output=True)
out["unshare -Ur"] = "EPERM" if r.returncode else "done"
return out
''', check=all_in("EPERM", "ENOSYS", "ENOSPC", "EUSERS"))

case("setns", "kernel", "enters other namespaces", "no capability there; the filter", '''
out = {}
for pid in ("1", "self"):
    for ns in ("mnt", "user", "pid", "net"):
        fd = -1
        try:
            fd = os.open(f"/proc/{pid}/ns/{ns}", os.O_RDONLY)
        except OSError as e:
            out[pid + ns] = errno.errorcode[e.errno]
            continue
        out[pid + ns] = call("setns", fd, 0)
        os.close(fd)
return out
''', check=all_in("EPERM", "EACCES", "EINVAL", "ENOSYS"))

case("chroot", "kernel", "leaves by chroot or pivot_root", "no capability; the filter", '''
os.makedirs("/tmp/r", exist_ok=True)
return {"chroot": call("chroot", b"/tmp/r"), "pivot": call("pivot_root", b"/tmp/r", b"/tmp/r")}
''', check=all_in("EPERM"))

case("mknod", "kernel", "makes device files", "no CAP_MKNOD; /tmp is mounted nodev", '''
out = {}
for name, kind, dev in (("mem", stat.S_IFCHR, (1, 1)), ("disk", stat.S_IFBLK, (8, 0)), ("vda", stat.S_IFBLK, (254, 0)), ("kmsg", stat.S_IFCHR, (1, 11))):
    out[name] = attempt(os.mknod, "/tmp/" + name, 0o666 | kind, os.makedev(*dev))
return out
''', check=all_in("EPERM"))

case("raw-sockets", "kernel", "raw and packet sockets", "no CAP_NET_RAW", '''
out = {}
for name, args in (("raw", (socket.AF_INET, socket.SOCK_RAW, 1)), ("raw6", (socket.AF_INET6, socket.SOCK_RAW, 58)), ("packet", (17, socket.SOCK_RAW, 0x300)),
                   ("packet-dgram", (17, socket.SOCK_DGRAM, 0x300))):
    out[name] = attempt(socket.socket, *args)
return out
''', check=all_in("EPERM", "EAFNOSUPPORT"))

case("odd-sockets", "kernel", "socket families with a history of holes, and the way to the hypervisor", "the filter lets Unix, IPv4, IPv6 and netlink through", '''
out = {}
for family in (3, 4, 5, 6, 9, 15, 19, 20, 21, 23, 24, 29, 30, 31, 33, 35, 36, 37, 38, 39, 40, 41, 42, 43, 44):
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_SEQPACKET):
        out[f"{family}/{kind}"] = attempt(socket.socket, family, kind, 0)
return out
''', check=all_in("EAFNOSUPPORT"))

case("network-admin", "kernel", "changes the host's network", "the network namespace belongs to another user namespace", '''
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
import fcntl
req = struct.pack("16sH14x", b"lo", 0)
route = socket.socket(16, socket.SOCK_RAW, 0)
msg = struct.pack("=IHHII", 32, 16, 5, 1, 0) + struct.pack("=BxHiII", 0, 0, 1, 0, 1)
route.send(msg)
answer = route.recv(4096)
code = -struct.unpack("=i", answer[16:20])[0]
return {"down": attempt(fcntl.ioctl, s, 0x8914, req), "netlink": errno.errorcode.get(code, str(code)), "bind-80": attempt(socket.socket().bind, ("127.0.0.1", 80))}
''', check=all_in("EPERM", "EACCES"))

case("keyrings", "kernel", "reads and fills the kernel's keyrings", "a session keyring of its own; the filter", '''
return {"describe": call("keyctl", 6, -3, 0, 0, 0), "user": call("keyctl", 0, -4, 0), "add": call("add_key", b"user", b"x", b"y", 1, -3),
        "request": call("request_key", b"user", b"x", 0, 0), "join": call("keyctl", 1, b"other"), "persistent": call("keyctl", 22, -1, -3)}
''', check=all_in("EPERM", "ENOSYS"))

case("bpf", "kernel", "loads BPF programs", "the filter", 'return {"bpf": call("bpf", 0, 0, 0), "perf": call("perf_event_open", 0, 0, -1, -1, 0)}', check=all_in("EPERM", "EACCES"))

case("io-uring", "kernel", "io_uring, which goes around filters", "the filter", 'return {"setup": call("io_uring_setup", 8, ctypes.create_string_buffer(120))}', check=all_in("EPERM", "ENOSYS"))

case("userfaultfd", "kernel", "userfaultfd, which makes races in the kernel easy", "the filter", 'return {"userfaultfd": call("userfaultfd", 0), "fanotify": call("fanotify_init", 0, 0)}', check=all_in("EPERM", "ENOSYS"))

case("machine-control", "kernel", "reboots, loads modules or a kernel, swaps, accounts, reads the kernel's log", "no capability; the filter", '''
return {"reboot": call("reboot", 0xfee1dead, 672274793, 0x89abcdef, 0), "kexec": call("kexec_load", 0, 0, 0, 0), "init_module": call("init_module", b"", 0, b""),
        "finit_module": call("finit_module", 0, b"", 0), "delete_module": call("delete_module", b"loop", 0), "swapon": call("swapon", b"/tmp/x", 0),
        "acct": call("acct", b"/tmp/x"), "quotactl": call("quotactl", 0x800002, 0, 0, 0), "syslog": call("syslog", 3, 0, 0),
        "sethostname": call("sethostname", b"x", 1)}
''', check=all_in("EPERM", "ENOSYS"))

case("clock", "kernel", "sets the clock", "no CAP_SYS_TIME; the filter", '''
return {"settimeofday": call("settimeofday", ctypes.create_string_buffer(16), 0), "clock_settime": call("clock_settime", 0, ctypes.create_string_buffer(16))}
''', check=all_in("EPERM"))

case("io-ports", "kernel", "asks for the machine's ports", "no CAP_SYS_RAWIO; the filter", '''
if not X86:
    return {"iopl": "EPERM", "ioperm": "EPERM"}
ctypes.set_errno(0)
a = libc.syscall(172, 3); ea = ctypes.get_errno()
ctypes.set_errno(0)
b = libc.syscall(173, 0x70, 1, 1); eb = ctypes.get_errno()
return {"iopl": errno.errorcode[ea] if a < 0 else "done", "ioperm": errno.errorcode[eb] if b < 0 else "done"}
''', check=all_in("EPERM", "ENOSYS"))

case("file-handles", "kernel", "opens files by handle, around all paths", "no CAP_DAC_READ_SEARCH in the host's namespace; the filter", '''
handle = struct.pack("Ii", 8, 1) + struct.pack("Q", 2)
return {"open": call("open_by_handle_at", os.open("/usr", os.O_RDONLY), ctypes.c_char_p(handle), 0)}
''', check=all_in("EPERM", "ENOSYS"))

case("foreign-calls", "kernel", "goes around the filter by the 32-bit and the x32 calls", "the filter knows the architecture of a call", '''
if not X86:
    return {"x32": "ENOSYS", "int80": "EPERM"}
ctypes.set_errno(0)
r = libc.syscall(ctypes.c_long(0x40000000 + 272), ctypes.c_long(0x10000000))   # unshare, by x32
out = {"x32": errno.errorcode[ctypes.get_errno()] if r < 0 else "done"}
# mov eax, 310 (unshare); mov ebx, CLONE_NEWUSER; push rbx around it; int 0x80
code = bytes([0x53, 0xb8, 0x36, 1, 0, 0, 0xbb, 0, 0, 0, 0x10, 0xcd, 0x80, 0x5b, 0xc3])
m = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
m.write(code)
if os.fork() == 0:
    f = ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(m)))
    r = f()
    os._exit(-r & 0xff)
code = os.wait()[1]
out["int80"] = errno.errorcode.get(os.waitstatus_to_exitcode(code), "done") if os.WIFEXITED(code) else "ENOSYS"
return out
''', check=all_in("EPERM", "ENOSYS"))

# ---- what is not its own -----------------------------------------------------------------------------------------------------------------

case("host-secrets", "files", "reads the host's secrets", "they are not in its root", '''
out = {}
for path in ("/etc/shadow", "/etc/gshadow", "/etc/sudoers", "/etc/ssh/ssh_host_rsa_key", "/root/.bashrc", "/root/.ssh/id_rsa", "/root/.aws/credentials",
             "/var/lib/dpkg/status", "/var/log/syslog", "/var/run/docker.sock", "/run/docker.sock", "/run/systemd/private", "/proc/kcore", "/dev/mem", "/dev/kmsg",
             "/boot/vmlinuz", event["secret"]):
    out[path] = read(path)
return out
''', check=all_in("ENOENT", "EACCES", "EPERM"))

case("homes", "files", "lists people's homes and the host's folders", "empty folders, or none", '''
out = {}
for path in ("/root", "/home", "/mnt", "/media", "/srv", "/run", "/boot", "/var/lib", "/var/log", "/var/spool", "/var/tmp", "/sys/fs", "/sys/kernel/debug", "/lost+found"):
    try:
        out[path] = os.listdir(path) or "empty"
    except OSError as e:
        out[path] = errno.errorcode[e.errno]
return out
''', check=all_in("ENOENT", "empty", "EACCES"))

case("other-tmp", "files", "looks for another environment's /tmp", "mount and pid namespaces", '''
found = [p for p in glob.glob("/tmp/**", recursive=True) if "canary" in p]
for pid in os.listdir("/proc"):
    if pid.isdigit():
        try:
            found += [p for p in os.listdir(f"/proc/{pid}/root/tmp") if "canary" in p]
        except OSError:
            pass
return {"found": found, "foreign": [p for p in os.listdir("/proc") if p.isdigit() and int(p) > 1000]}
''', check=equal({"found": [], "foreign": []}))

case("other-runtime-api", "files", "steals another environment's event and answers for it", "only the environment's own processes may use its Runtime API", '''
listening = {int(line.split()[1].split(":")[1], 16) for line in read("/proc/net/tcp").splitlines()[1:] if line.split()[3] == "0A"}
own, answers = api()[1], {}
if not set(event["ports"]) <= listening:
    return "the ports are not seen"
for port in set(event["ports"]) - {own, event["port"]}:
    got = raw_api(b"GET /2018-06-01/runtime/invocation/next HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n", port=port)
    post = raw_api(b"POST /2018-06-01/runtime/init/error HTTP/1.1\\r\\nHost: x\\r\\nContent-Length: 2\\r\\n\\r\\n{}", port=port)
    if "Lambda-Runtime" in got or "lambda-runtime" in got.lower() or " 202 " in post or " 200 " in got:
        answers[str(port)] = [got[:200], post[:200]]
return answers
''', check=equal({}), timeout=60)

case("proc-escapes", "files", "the known ways out through /proc and /sys", "both are read-only, and show the environment's own", '''
out = {}
for path in ("/proc/sys/kernel/core_pattern", "/proc/sys/kernel/modprobe", "/proc/sysrq-trigger", "/proc/sys/vm/drop_caches", "/proc/sys/user/max_user_namespaces",
             "/proc/self/oom_score_adj", "/proc/self/uid_map", "/proc/self/coredump_filter", "/proc/1/oom_score_adj", "/sys/kernel/uevent_helper",
             "/sys/kernel/mm/transparent_hugepage/enabled", "/sys/devices/system/cpu/cpu0/online", "/sys/power/state"):
    out[path] = attempt(lambda: open(path, "r+b", buffering=0).write(b"1"))
return out
''', check=all_in("EROFS", "ENOENT", "EACCES", "EPERM"))

case("cgroup-writes", "files", "leaves its control group", "no control group is in its root, and none can be mounted", '''
out, places = {}, [line.split()[4] for line in read("/proc/self/mountinfo").splitlines() if " - cgroup" in line]
for path in ["/sys/fs/cgroup/cgroup.procs", "/sys/fs/cgroup/memory/cgroup.procs", "/sys/fs/cgroup/memory/memory.limit_in_bytes", *places]:
    out[path] = attempt(lambda: open(path, "w").write("0"))
out["own"] = "ENOENT" if all(line.endswith(":/") or "/.." in line or "lambdafit" not in line for line in read("/proc/self/cgroup").splitlines()) else read("/proc/self/cgroup")
return out
''', check=all_in("ENOENT", "EROFS", "EACCES"))

case("setuid-programs", "files", "runs set-user-id programs, the host's and its own", "no_new_privs, mounts without set-user-id", '''
out = {}
for path in [*files("/usr/bin"), *files("/usr/sbin")]:
    st = os.stat(path)
    if st.st_mode & stat.S_ISUID and st.st_uid == 0:
        p = subprocess.Popen([path, "--help"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
        status = read(f"/proc/{p.pid}/status")
        ids = [line for line in status.splitlines() if line.startswith("Uid:")]
        out[path] = "run" if not ids or ids[0].split()[1:] == ["993"] * 4 else ids
        p.kill()
        p.wait()
import shutil
shutil.copy("/usr/bin/id", "/tmp/id")
os.chmod("/tmp/id", 0o6755)
out["own"] = subprocess.run(["/tmp/id", "-u"], capture_output=True, text=True).stdout.strip()
out["su"] = subprocess.run(["/bin/su", "-c", "id -u"], capture_output=True, text=True, stdin=subprocess.DEVNULL).stdout.strip()
out["passwd"] = attempt(os.setuid, 0)
return {k: v for k, v in out.items() if v not in ("run", "993", "", "EPERM", "EINVAL")}
''', check=equal({}), timeout=30)

case("links", "files", "symbolic and hard links in /tmp to what is not its own", "links are followed in its own root only; the daemon never opens what is in /tmp", '''
out = {}
for name, target in (("shadow", "/etc/shadow"), ("root", "/proc/1/root/etc/passwd"), ("up", "../../../../../../root"), ("host", event["secret"])):
    os.symlink(target, "/tmp/" + name)
    out[name] = read("/tmp/" + name)
for name, target in (("su", "/bin/su"), ("task", "/var/task/lambda_function.py"), ("passwd", "/etc/passwd")):
    out["hard-" + name] = attempt(os.link, target, "/tmp/hard-" + name)
return out
''', check=all_in("ENOENT", "EACCES", "EPERM", "EXDEV"))

case("read-only", "files", "writes where it may not", "everything but /tmp is a read-only mount", '''
out = {}
for path in ("/var/task/x", "/opt/x", "/usr/x", "/etc/x", "/x", "/var/runtime/x", "/dev/x", "/proc/x", "/sys/x", "/home/x", "/run/x", "/var/tmp/x", "/usr/lib/x"):
    out[path] = attempt(lambda: open(path, "w"))
for path in ("/var/task/lambda_function.py", "/etc/passwd", "/usr/bin/python3"):
    out[path] = attempt(lambda: open(path, "r+b"))
    out["chmod " + path] = attempt(os.chmod, path, 0o777)
    out["rm " + path] = attempt(os.unlink, path)
return out
''', check=all_in("EROFS", "EACCES", "ENOENT", "EPERM", "ETXTBSY"))

case("overwrite-programs", "files", "overwrites the interpreter or the helper that runs it", "read-only mounts; the helper's program cannot be opened from inside", '''
return {"self": attempt(lambda: open("/proc/self/exe", "r+b")), "one": attempt(lambda: open("/proc/1/exe", "rb")), "reopen": attempt(lambda: open("/proc/self/fd/0", "r+b").write(b""))}
''', check=lambda got: (got["self"] in ("ETXTBSY", "EROFS", "EACCES") and got["one"] in ("EACCES", "EPERM", "ENOENT")) or (_ for _ in ()).throw(AssertionError(got)))

case("inherited-descriptors", "files", "uses descriptors that the daemon left open", "all are close-on-exec, and the helper closes the rest", '''
out = {}
for fd in os.listdir("/proc/self/fd"):
    try:
        out[fd] = os.readlink("/proc/self/fd/" + fd)
    except OSError:
        pass
# 0: /dev/null, 1 and 2: the log pipe; the bootstrap's own connection to the Runtime API is a socket above
return {k: v for k, v in out.items() if not (v == "/dev/null" and k == "0") and not (k in "12" and v.startswith("pipe:")) and not v.startswith("socket:") and not v.startswith("/proc/")}
''', check=equal({}))

case("inherited-environment", "files", "reads the daemon's environment variables", "a function's variables are made, not passed on", '''
return sorted(k for k, v in os.environ.items() if "canary" in v or k in ("HOME", "USER", "LOGNAME", "SUDO_USER", "SSH_AUTH_SOCK", "LAMBDAFIT_SECRET", "LAMBDAFIT_DATADIR"))
''', check=equal([]))

case("devices", "files", "uses the host's devices and terminals", "five harmless devices, no terminal", '''
out = {"list": "ENOENT" if set(os.listdir("/dev")) <= {"null", "zero", "full", "random", "urandom", "fd", "stdin", "stdout", "stderr"} else os.listdir("/dev")}
for name in ("tty", "ptmx", "console", "kmsg", "mem", "sda", "vda", "fuse", "kvm", "net/tun", "shm/x", "loop-control"):
    out[name] = attempt(os.open, "/dev/" + name, os.O_RDWR)
import fcntl, termios
out["tiocsti"] = attempt(fcntl.ioctl, 0, termios.TIOCSTI, b"x")
return out
''', check=all_in("ENOENT", "ENOTTY", "EACCES"))

case("abstract-sockets", "files", "connects to the host's abstract Unix sockets", "Landlock keeps them apart where the kernel can (Linux 6.12); elsewhere `--network none` does", '''
s = socket.socket(socket.AF_UNIX)
return {"connect": attempt(s.connect, "\\0" + event["abstract"]), "landlock": event["landlock"]}
''', check=lambda got: got["connect"] in (("EPERM",) if got["landlock"] else ("EPERM", "done")) or (_ for _ in ()).throw(AssertionError(got)))

case("host-processes", "files", "sees the host's processes", "/proc of its own pid namespace", '''
names = {read(f"/proc/{p}/comm").strip() for p in os.listdir("/proc") if p.isdigit()}
return sorted(n for n in names if n not in ("lambdafit-init", "python3.11", "python3") and not n.startswith("python"))
''', check=equal([]))

case("posix-queues", "resources", "message queues and semaphores that outlive it", "an IPC namespace that ends with the environment, RLIMIT_MSGQUEUE", '''
n = 0
rt = ctypes.CDLL("librt.so.1", use_errno=True)
for n in range(2000):
    if rt.mq_open(b"/q%d" % n, os.O_CREAT | os.O_RDWR, 0o600, None) < 0:
        break
for i in range(2000):
    if libc.semget(0, 1, 0o1600) < 0:
        break
return n
''', check=lambda got: got <= 2 or (_ for _ in ()).throw(AssertionError(got)))

# ---- the Runtime API ---------------------------------------------------------------------------------------------------------------------

case("answers-for-another", "api", "answers for a request that is not its own", "an id is valid in its own environment and for its own event only", '''
body = b"stolen"
other = "00000000-0000-4000-8000-000000000000"
got = raw_api(f"POST /2018-06-01/runtime/invocation/{other}/response HTTP/1.1\\r\\nHost: x\\r\\nContent-Length: 6\\r\\n\\r\\n".encode() + body)
return {"status": got.split(" ")[1] if got else ""}
''', check=equal({"status": "400"}))

case("answers-twice", "api", "answers twice", "the second answer is refused", '''
rid = context.aws_request_id
def post(body):
    return raw_api(f"POST /2018-06-01/runtime/invocation/{rid}/response HTTP/1.1\\r\\nHost: x\\r\\nContent-Length: {len(body)}\\r\\n\\r\\n".encode() + body).split(" ")[1]
first, second = post(b'"first"'), post(b'"second"')
print(first, second)
return "third"
''', check=equal("first"), status=("ok", "crash"))

case("api-garbage", "api", "garbage to the Runtime API", "a parser with limits; the connection ends", '''
import random
r = random.Random(1)
for i in range(200):
    raw_api(bytes(r.randrange(256) for _ in range(r.randrange(1, 400))), half_close=True)
return True
''', check=equal(True), timeout=60)

case("api-headers", "api", "endless headers to the Runtime API", "2 MB of headers, then 431", '''
s = socket.create_connection(api())
s.settimeout(15)
try:
    s.sendall(b"GET / HTTP/1.1\\r\\n")
    for _ in range(100):
        s.sendall(b"x: " + b"y" * 65536 + b"\\r\\n")
    return s.recv(100).decode(errors="replace")[:12]
except OSError as e:
    return "closed"
''', check=lambda got: got in ("HTTP/1.1 431", "closed", "") or (_ for _ in ()).throw(AssertionError(got)))

case("api-connections", "api", "thousands of connections to the Runtime API", "256 connections an environment, and its own descriptors", '''
keep = []
try:
    for _ in range(2000):
        keep.append(socket.create_connection(api(), timeout=15))
except OSError:
    pass
n = len(keep)
for s in keep:
    s.close()
return n > 0
''', check=equal(True), timeout=30)

case("api-body-endless", "api", "a body without end to the Runtime API", "at most 6 MB are kept; what follows is thrown away, then the connection ends", '''
s = socket.create_connection(api())
s.sendall(f"POST /2018-06-01/runtime/invocation/{context.aws_request_id}/response HTTP/1.1\\r\\nHost: x\\r\\nTransfer-Encoding: chunked\\r\\n\\r\\n".encode())
chunk = b"100000\\r\\n" + b"x" * (1 << 20) + b"\\r\\n"
for _ in range(64):
    s.sendall(chunk)
s.close()
return True
''', check=equal(True), timeout=30)

case("api-response-stalls", "api", "announces an answer and does not send it", "the timeout", '''
s = socket.create_connection(api())
s.sendall(f"POST /2018-06-01/runtime/invocation/{context.aws_request_id}/response HTTP/1.1\\r\\nHost: x\\r\\nContent-Length: 6000000\\r\\n\\r\\n".encode() + b"x" * 1000)
time.sleep(60)
''', status=("timeout",), timeout=1)

case("api-error-type-2mb", "api", "an error whose type, in a header, is of nearly 2 MB", "as error-huge", '''
body = b'{"errorMessage":"x"}'
raw_api(f"POST /2018-06-01/runtime/invocation/{context.aws_request_id}/error HTTP/1.1\\r\\nHost: x\\r\\nLambda-Runtime-Function-Error-Type: {'E' * 1900000}\\r\\n"
        f"Content-Length: {len(body)}\\r\\n\\r\\n".encode() + body)
''', status=("function_error",), row=lambda r: len(r["error_type"] or "") <= 4096)

case("api-next-flood", "api", "asks for 1,000 events at once", "64 may wait", '''
keep = []
for _ in range(200):
    s = socket.create_connection(api())
    s.sendall(b"GET /2018-06-01/runtime/invocation/next HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n")
    keep.append(s)
time.sleep(0.2)
return True
''', status=("ok", "function_error", "crash", "timeout"))

case("api-register-flood", "api", "registers 2,000 extensions", "a registration keeps nothing", '''
s = socket.create_connection(api())
body = b'{"events":[]}'
for _ in range(2000):
    s.sendall(b"POST /2020-01-01/extension/register HTTP/1.1\\r\\nHost: x\\r\\nLambda-Extension-Name: x\\r\\nContent-Length: 13\\r\\n\\r\\n" + body)
    s.recv(4096)
return True
''', check=equal(True), timeout=30)

case("init-endless", "api", "prints and never ends its init", "the limit of an init, then the timeout", 'return True', init='''
def spin():
    while True:
        os.write(1, b"init " * 100)
spin()
''', status=("init_timeout", "timeout", "init_error"), timeout=1)

case("init-exit", "api", "ends in its init, again and again", "an init that fails is retried once, as on Lambda", 'return True', init="os._exit(3)", status=("init_error", "crash"))

# ---- without a network -------------------------------------------------------------------------------------------------------------------

case("network-none", "network", "reaches out although it may not (`--network none`)", "a network namespace with nothing but its own loopback", '''
out = {}
for name, place in (("daemon", ("127.0.0.1", event["port"])), ("world", ("1.1.1.1", 53)), ("metadata", ("169.254.169.254", 80))):
    s = socket.socket()
    s.settimeout(1)
    out[name] = attempt(s.connect, place)
s = socket.socket(socket.AF_UNIX)
out["abstract"] = attempt(s.connect, "\\0" + event["abstract"])
out["interfaces"] = "ENETUNREACH" if [n for _, n in socket.if_nameindex()] == ["lo"] else str(socket.if_nameindex())
return out
''', check=all_in("ECONNREFUSED", "ENETUNREACH", "EPERM"), network="none")
