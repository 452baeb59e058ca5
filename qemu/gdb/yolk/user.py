"""The commands that look into user programs and stop in them."""

import os

import gdb

from .command import command, number
from .kernel import PAGE, Kernel, Process, loaded_root, position, text, user_mode

USER_END = 1 << 47  # addresses from here on are the kernel's


class Root(gdb.Function):
    """$kroot(): the frame number of the page-table root that CR3 holds.

WHY a function for conditions: GDB shows $cr3 as a set of flags, which neither
its C nor its Go expressions can compare with a number."""

    def __init__(self):
        super().__init__("kroot")

    def invoke(self):
        return loaded_root()


class Pid(gdb.Function):
    """$kpid(): the process that the kernel runs, or runs for; 0 if none."""

    def __init__(self):
        super().__init__("kpid")

    def invoke(self):
        p = Kernel().current()
        return p.pid if p else 0


class Entry(gdb.Function):
    """$kpte(PID, VA): a pointer to the page-table entry that translates an address of a
process, in the kernel's direct map.  `watch *$kpte(2, 0x400000)` stops at whatever
changes it."""

    def __init__(self):
        super().__init__("kpte")

    def invoke(self, pid, va):
        kernel = Kernel()
        p = kernel.process(int(pid))
        p.must_have_space()
        slot = kernel.slot(p.root, int(va))
        if slot is None:
            raise gdb.GdbError("No page table of %s covers %#x." % (p, int(va)))
        return gdb.Value(slot).cast(gdb.lookup_type("yolk/mm.PTE").pointer())


# Symbols.

class Symbols:
    """Keeps the symbols of one user program loaded: the one that runs.

WHY one at a time: programs lie at the same addresses, so GDB could not tell
which of two names an address has."""

    def __init__(self):
        self.files = []  # (path in the guest, path on the host), a directory stands for all below it
        self.following = True
        self.loaded = None  # (path in the guest, bias, path on the host)

    def host(self, guest):
        """The file on the host that became a path in the guest, or None."""
        for path, host in reversed(self.files):  # the last one wins, as with -add
            if guest == path and os.path.isfile(host):
                return host
            if guest.startswith(path.rstrip("/") + "/"):
                below = os.path.join(host, os.path.relpath(guest, path))
                if os.path.isfile(below):
                    return below
        return None

    def load(self, guest, bias):
        """Makes the symbols those of a program; reports whether they changed."""
        if self.loaded is not None and self.loaded[:2] == (guest, bias):
            return False
        before, self.loaded = self.loaded, (guest, bias, self.host(guest))
        if before is not None and before[2]:
            gdb.execute('remove-symbol-file "%s"' % before[2], to_string=True)
        if self.loaded[2]:
            gdb.execute('add-symbol-file "%s" -o %#x' % (self.loaded[2], bias), to_string=True)
        return True

    def stopped(self, event):
        """On every stop: follow the process that runs.

        WHY not where ExecBreakpoint stops: it goes on at once, and GDB would run its
        commands in the midst of the ones below."""
        if not self.following or any(isinstance(b, ExecBreakpoint) for b in getattr(event, "breakpoints", ())):
            return
        try:
            p = Kernel().current()
        except (gdb.error, gdb.GdbError):
            return  # there is no kernel yet, or no symbols
        if p is not None and p.path and self.follow(p) and user_mode():
            gdb.execute("frame 0")

    def follow(self, p):
        """Loads the symbols of a process's program, and says so if they are others."""
        changed = self.load(p.path, p.bias)
        if changed:
            print("[%s runs %s: %s]" % (p, p.path, "symbols of " + self.loaded[2] if self.loaded[2] else
                                        "no file with its symbols is known; see help ksym"))
        return changed

    def show(self):
        if self.loaded is None:
            print("No user program's symbols are loaded.")
        else:
            print("%s, at its addresses plus %#x: %s" % (self.loaded[0], self.loaded[1], self.loaded[2] or "no file is known"))
        print("They %s the process that runs.  Files:" % ("follow" if self.following else "do not follow"))
        for guest, host in self.files:
            print("  %s = %s" % (guest, host))


symbols = Symbols()


@command("ksym", "[PID|on|off|GUEST] [HOST]")
def ksym(what="", host=""):
    """Chooses whose symbols are loaded for user addresses.  Alone it says which.  They
follow the process that runs, through every exec, unless `ksym off` was said;
`ksym PID` loads those of a process.  `ksym GUEST HOST` names the file on this host
that is the program GUEST inside, for one that yolk was not given with -add."""
    if host:
        symbols.files.append((what, os.path.abspath(os.path.expanduser(host))))
        symbols.loaded = symbols.loaded if symbols.loaded and symbols.loaded[2] else None
        symbols.stopped(None)
    elif what in ("on", "off"):
        symbols.following = what == "on"
        symbols.stopped(None)
    elif what:
        p = Kernel().process(number(what))
        symbols.load(p.path, p.bias)
    symbols.show()


# A process's own view.

REGISTERS = {name: name.upper() for name in
             "rax rbx rcx rdx rsi rdi rbp rsp r8 r9 r10 r11 r12 r13 r14 r15 rip".split()}
REGISTERS.update(eflags="RFLAGS", fs_base="FSBase")

# What a command must not do while the processor's registers are borrowed.
RUNNING = {"continue", "step", "next", "stepi", "nexti", "finish", "until", "advance", "jump", "call", "signal", "run", "start",
           "starti", "detach", "disconnect", "kill", "return", "reverse-continue", "reverse-step", "reverse-next", "reverse-stepi",
           "reverse-nexti", "reverse-finish", "nextuser", "quit", "thread", "target", "queue-signal", "kproc", "load"}


@command("kproc", "PID COMMAND...")
def kproc(pid, line):
    """Runs a command of GDB's as if the processor ran that process in user mode: with
its registers, its memory and its symbols.  Everything is put back afterwards.

  kproc 3 bt             its user stack, also while it sleeps in a system call
  kproc 3 info registers
  kproc 3 x/8i $pc

Only commands that look: nothing that lets the machine run."""
    kernel = Kernel()
    p, current = kernel.process(number(pid)), kernel.current()
    p.must_have_space()
    first = line.split()[0].split("/")[0]
    if resolve(first) in RUNNING:
        raise gdb.GdbError("kproc only looks; `%s` would run the kernel with the registers of %s." % (first, p))
    live = current is not None and current.pid == p.pid and user_mode()
    if position() in ("yolk/arch/amd64.syscallEntry", "coded", "bare", "vector", "leave", "yolk/arch/amd64.gates") and not live:
        print("The trap is only just being saved: these may be the registers of the one before.")
    following, symbols.following = symbols.following, False
    before = symbols.loaded
    try:
        symbols.load(p.path, p.bias)
        if live:
            gdb.execute(line)
        else:
            borrowed(p, line)
    finally:
        if before is not None:
            symbols.load(before[0], before[1])
        symbols.following = following


# Aliases and shortest forms of commands that run something.
SHORT = {"c": "continue", "fg": "continue", "s": "step", "n": "next", "si": "stepi", "ni": "nexti", "fin": "finish", "u": "until",
         "j": "jump", "r": "run", "k": "kill", "q": "quit", "t": "thread", "rc": "reverse-continue", "rs": "reverse-step",
         "rn": "reverse-next", "rsi": "reverse-stepi", "rni": "reverse-nexti"}


def resolve(word):
    """A command's full name, if it is one that runs something."""
    if word in SHORT:
        return SHORT[word]
    return next((full for full in sorted(RUNNING) if len(word) > 2 and full.startswith(word)), word)


def borrowed(p, line):
    """Executes a command with the registers of a process that does not run.

WHY everything is read before anything is written, and put back in `finally`: what
is lost here, the kernel has lost."""
    frame = gdb.newest_frame()
    selected = gdb.selected_frame().level() if hasattr(gdb.Frame, "level") else 0
    old = {name: frame.read_register(name) for name in REGISTERS}
    old["cr3"] = frame.read_register("cr3")
    for value in old.values():
        value.fetch_lazy()
    new = {name: p.saved(field) for name, field in REGISTERS.items()}
    new["cr3"] = p.root * PAGE
    new = {name: gdb.Value(value.to_bytes(8, "little")[:old[name].type.sizeof], old[name].type) for name, value in new.items()}
    try:
        write_registers(new)
        gdb.execute(line)
    finally:
        write_registers(old)
        gdb.execute("frame %d" % selected, to_string=True)


def write_registers(values):
    for name, value in values.items():
        gdb.set_convenience_variable("_yolk", value)
        gdb.execute("set var $%s = $_yolk" % name, to_string=True)
    gdb.set_convenience_variable("_yolk", None)


# Breakpoints.

@command("ubreak", "PID WHERE...")
def ubreak(pid, where):
    """Sets a breakpoint in one process: WHERE is a function, FILE:LINE or *ADDRESS of its
program.  An address of the user half means something else in each address space,
so the breakpoint has the condition that CR3 is that process's.  A child of vfork
runs in its parent's address space and stops there too."""
    p = Kernel().process(number(pid))
    p.must_have_space()
    symbols.load(p.path, p.bias)
    places = gdb.decode_line(where)[1] or ()
    address = next((place.pc for place in places if place.pc < USER_END), None)
    if address is None:
        raise gdb.GdbError("%s is not in the user half: use break." % where)
    set_user_breakpoint(address, p.root)


def set_user_breakpoint(address, root, temporary=False, internal=False):
    breakpoint = gdb.Breakpoint("*%#x" % address, temporary=temporary, internal=internal)
    breakpoint.condition = "$kroot() == %#x" % root
    return breakpoint


class ExecBreakpoint(gdb.Breakpoint):
    """Stops where a program begins.

It lies in the kernel, on hookExec, where the process and its entry point are known
and no instruction has run.  There it is silent, sets a temporary breakpoint on the
entry point and goes on."""

    def __init__(self, name, temporary=False):
        super().__init__("yolk/kernel.hookExec", temporary=temporary, internal=temporary)
        self.wanted = name
        self.silent = True
        self.commands = "silent\nyolk-entered"

    def stop(self):
        image = gdb.newest_frame().read_var("p")["image"]
        path = text(image["path"])
        return self.wanted is None or self.wanted in (path, os.path.basename(path), text(image["comm"]))


class Entered(gdb.Command):
    """What ExecBreakpoint does when it has found the program: not for typing."""

    def __init__(self):
        super().__init__("yolk-entered", gdb.COMMAND_MAINTENANCE)

    def invoke(self, line, from_tty):
        p = Process(Kernel(), gdb.newest_frame().read_var("p").dereference())
        if symbols.following:
            symbols.follow(p)
        set_user_breakpoint(p.saved("RIP"), p.root, temporary=True)
        gdb.execute("continue")


@command("break-exec", "NAME")
def break_exec(name):
    """Stops before the first instruction of the program NAME, in whatever process it is
executed: NAME is a path, the last part of one, or the name that a program of many
names was called by.  It can be set before the kernel has booted."""
    ExecBreakpoint(name)


@command("nextuser")
def nextuser():
    """Continues to the first instruction of the next program that any process executes."""
    ExecBreakpoint(None, temporary=True)
    gdb.execute("continue")


def start(files):
    """Called by .gdbinit with the files of the programs: (guest, host)."""
    Root(), Pid(), Entry(), Entered()
    symbols.files = list(files)
    guest, host = symbols.files[0]
    symbols.load(guest, 0)
    gdb.events.stop.connect(symbols.stopped)
    print("Try: break-exec cowdemo, continue, kps; help user-defined lists the commands.")
