"""The commands that show processes, address spaces, page tables and frames."""

import gdb

from .command import command, number
from .kernel import (ACCESSED, DIRTY, NO_EXECUTE, PAGE, PRESENT, USER, WRITABLE, Kernel, constant, frame_of, letters, register,
                     user_mode)


# Processes.

@command("kps")
def kps():
    """Lists the processes: state, page-table root, resident pages, what each does
or waits for.  The star marks the one that the processor runs.

GDB's own `info threads` shows processors, of which there is one."""
    kernel = Kernel()
    current = kernel.current()
    print("   PID  PPID S     ROOT  RESIDENT  NAME             DOES")
    for p in kernel.processes():
        here = current is not None and p.pid == current.pid
        print("%s%5d %5d %s %8s %9s  %-15s  %s" % (
            "*" if here else " ", p.pid, p.parent, p.state, "%#x" % p.root if p.root else "-",
            sum(1 for _ in kernel.leaves(p.root)) if p.root else "-", p.comm, does(kernel, p, here)))


def does(kernel, p, here):
    """What a process does, in words."""
    child = next((c for c in kernel.processes() if c.sleeper == p.pid), None)
    if p.state == "Z":
        return "zombie: " + ended(int(p.value["status"]))
    if p.state == "T":
        return "stopped by a signal"
    if child is not None:
        return "vfork: sleeps until %d calls exec or exits" % child.pid
    if p.state == "S":
        return "sleeps in " + call(kernel, p)
    if not here:
        return "ready"
    if user_mode():
        return "user mode at %#x" % register("rip")
    if p.saved("Vector") == int(constant("yolk/arch/amd64.Syscall")):
        return "in the kernel: " + call(kernel, p)
    if p.saved("Vector") == int(constant("yolk/arch/amd64.PageFault")):
        return "in the kernel: page fault at %#x" % p.saved("CR2")
    return "in the kernel: exception or interrupt %d" % p.saved("Vector")


def ended(status):
    """A wait status in words (wait(2))."""
    if status & 0x7f:
        return "killed by signal %d" % (status & 0x7f)
    return "exited with status %d" % (status >> 8)


def call(kernel, p):
    """The system call that a process is in: RAX keeps its number until it returns."""
    nr = p.saved("RAX")
    calls = kernel.value["calls"]
    low, high = calls.type.range()
    name = "system call %d" % nr
    if nr <= high:
        known = calls[nr]["Name"]
        if int(known["len"]):
            name = known["str"].string(length=int(known["len"]))
    return "%s(%s, ...)" % (name, ", ".join(small(p.saved(r)) for r in ("RDI", "RSI", "RDX")))


def small(value):
    """A number as a reader likes it: small ones decimal, with their sign."""
    signed = value - (1 << 64) if value >> 63 else value
    if value >> 32 == 0 and value >> 31:
        signed = value - (1 << 32)  # a C int
    return str(signed) if -4096 < signed < 4096 else "%#x" % value


@command("ktree")
def ktree():
    """Draws the tree of processes.  A child of vfork is shown with the sleeper whose
address space it runs in."""
    kernel = Kernel()
    processes, current = kernel.processes(), kernel.current()

    def draw(p, indent, joint):
        notes = [p.state]
        if current is not None and p.pid == current.pid:
            notes.append("running")
        if p.sleeper:
            notes.append("vfork: runs in the memory of %d, which sleeps" % p.sleeper)
        print("%s%s%d %s [%s]" % (indent, joint, p.pid, p.comm, ", ".join(notes)))
        children = [c for c in processes if c.parent == p.pid]
        indent += {"": "", "├─ ": "│  ", "└─ ": "   "}[joint]
        for c in children:
            draw(c, indent, "└─ " if c is children[-1] else "├─ ")

    for p in processes:
        if p.parent == 0:
            draw(p, "", "")


# Address spaces.

@command("kvm", "PID")
def kvm(pid):
    """Lists the regions of a process, and for each how many of its pages are present,
marked copy-on-write, and of a frame that has more than one reference."""
    kernel = Kernel()
    p = kernel.process(number(pid))
    space = p.must_have_space()
    print("%s: root %#x, %d page tables, %d user%s" % (
        p, p.root, int(space["tables"]), int(space["users"]), "s (vfork)" if int(space["users"]) > 1 else ""))
    pages = list(kernel.leaves(p.root))
    print("%16s %16s  prot %9s %9s %6s %7s  what" % ("start", "end", "pages", "resident", "cow", "shared"))
    for r in p.regions():
        here = [e for va, e in pages if r.start <= va < r.end]
        print("%#16x %#16x  %s %9d %9d %6d %7d  %s" % (
            r.start, r.end, r.prot, (r.end - r.start) // PAGE, len(here),
            sum(1 for e in here if e & kernel.cow), sum(1 for e in here if kernel.refs(frame_of(e)) > 1), r.name or "(anonymous)"))


LEVELS = {4: "PML4", 3: "PDPT", 2: "PD", 1: "PT"}


@command("kpt", "PID VA")
def kpt(pid, va):
    """Walks the page tables of a process from the root down to an address and decodes
each entry on the way."""
    kernel = Kernel()
    p, va = kernel.process(number(pid)), number(va)
    p.must_have_space()
    print("%s, address %#x, in %s" % (p, va, p.region(va) or "no region"))
    frame = p.root
    for level in (4, 3, 2, 1):
        index = va >> 12 + 9 * (level - 1) & 511
        e = kernel.table(frame)[index]
        print("  %-4s [%3d] of frame %#x: %s" % (LEVELS[level], index, frame, describe(kernel, e, level)))
        if not e & PRESENT:
            return
        frame = frame_of(e)
    refs = kernel.refs(frame)
    print("  frame %#x has %d reference%s%s" % (
        frame, refs, "" if refs == 1 else "s", ": it is the zero page" if frame == kernel.zero else ""))


def describe(kernel, e, level):
    """An entry in words."""
    if not e & PRESENT:
        return "empty" if e == 0 else "not present (%#x)" % e
    said = ["%#x" % e, "=", "frame %#x" % frame_of(e), letters(kernel, e) + ":"]
    said.append("writable" if e & WRITABLE else "read-only")
    said.append("user" if e & USER else "kernel only")
    said += [name for bit, name in ((ACCESSED, "accessed"), (DIRTY, "dirty")) if e & bit]
    said += ["copy-on-write"] if e & kernel.cow else []
    said += ["no-execute"] if e & NO_EXECUTE else []
    return " ".join(said)


@command("kpt-dump", "PID [KIND]")
def kpt_dump(pid, kind=""):
    """Lists the pages of a process that are present, neighbours with the same rights
in one line.  KIND chooses: u those that user mode may use, w writable ones, x
executable ones, cow those marked copy-on-write."""
    kernel = Kernel()
    wanted = {"": lambda e: True, "u": lambda e: e & USER, "w": lambda e: e & WRITABLE,
              "x": lambda e: not e & NO_EXECUTE, "cow": lambda e: e & kernel.cow}
    if kind not in wanted:
        raise gdb.GdbError("usage: kpt-dump PID [u|w|x|cow]")
    p = kernel.process(number(pid))
    p.must_have_space()
    chosen = ((va, letters(kernel, e & ~(ACCESSED | DIRTY))) for va, e in kernel.leaves(p.root) if wanted[kind](e))
    total = 0
    for start, end, drawn in merged(chosen):
        total += (end - start) // PAGE
        print("%#16x %#16x %7d  %s" % (start, end, (end - start) // PAGE, drawn))
    print("%d pages" % total)


def merged(pages):
    """Joins (address, label) of neighbouring pages with equal labels to (start, end, label)."""
    start = end = label = None
    for va, this in pages:
        if va == end and this == label:
            end += PAGE
            continue
        if start is not None:
            yield start, end, label
        start, end, label = va, va + PAGE, this
    if start is not None:
        yield start, end, label


# Frames.

@command("kframe", "PFN")
def kframe(pfn):
    """Tells all about a frame of physical memory: its reference count, and each page
of each process that maps it."""
    kernel = Kernel()
    frame = number(pfn)
    print("frame %#x: reference count %d" % (frame, kernel.refs(frame)))
    if frame == kernel.zero:
        print("  the zero page")
    if frame in kernel.free():
        print("  on the free list")
    roots, objects = set(), {}
    for p in kernel.processes():
        if p.space is None:
            continue
        for r in p.regions():
            if r.object is not None:
                objects[int(r.object.address)] = (r.object, r.name)
        if p.root in roots:
            continue  # the child of a vfork: the tables are its parent's
        roots.add(p.root)
        for level, table, base in kernel.tables(p.root):
            if table == frame:
                print("  a page table (%s) of %s, for addresses from %#x" % (LEVELS[level], p, base))
        for va, e in kernel.leaves(p.root):
            if frame_of(e) == frame:
                print("  %s at %#x %s, in %s" % (p, va, letters(kernel, e), p.region(va)))
    for obj, name in objects.values():
        for page, f, level in kernel.cached(obj):
            if f == frame:
                print("  page %d of %s" % (page, name or "shared memory") if level == 0 else
                      "  a table of the page cache of %s" % name)


@command("kcowdiff", "A B [VA]")
def kcowdiff(a, b, va=None):
    """Compares the pages of two processes, region by region: how many have the same frame
in both, and how many of those are marked copy-on-write in both; of how many each has
a frame of its own; how many only one has.  With an address, the pages of the region
that it lies in are listed."""
    kernel = Kernel()
    first, second = kernel.process(number(a)), kernel.process(number(b))
    first.must_have_space(), second.must_have_space()
    if first.root == second.root:
        print("%s and %s run in one address space (vfork): everything is shared." % (first, second))
        return
    left, right = dict(kernel.leaves(first.root)), dict(kernel.leaves(second.root))
    if va is not None:
        show_pages(kernel, first, second, left, right, first.region(number(va)) or second.region(number(va)))
        return
    rows = {}
    for va in sorted(left.keys() | right.keys()):
        row = rows.setdefault(str(first.region(va) or second.region(va)), dict.fromkeys(COLUMNS, 0))
        row[relation(left.get(va), right.get(va))] += 1
        row["marked"] += left.get(va, 0) & right.get(va, 0) & kernel.cow != 0
    line = "%8s %8s %8s %8s %8s  %s"
    print(line % ("shared", "marked", "own", "only %d" % first.pid, "only %d" % second.pid, "region"))
    for region, row in rows.items():
        print(line % (tuple(row[c] for c in COLUMNS) + (region,)))
    print(line % (tuple(sum(row[c] for row in rows.values()) for c in COLUMNS) + ("in all",)))


COLUMNS = ("shared", "marked", "own", "first", "second")


def relation(e, f):
    """What the entries of two processes for one address have to do with each other; None
    stands for no page."""
    if e is None or f is None:
        return "second" if e is None else "first"
    return "shared" if frame_of(e) == frame_of(f) else "own"


def show_pages(kernel, first, second, left, right, region):
    """The pages of a region, side by side."""
    if region is None:
        raise gdb.GdbError("No region of either process is there.")
    print(region)
    for va in sorted(left.keys() | right.keys()):
        if region.start <= va < region.end:
            print("%#16x  %-6s  %s" % (va, relation(left.get(va), right.get(va)).replace("first", "only").replace("second", "only"), "  ".join(
                "%d: frame %#x %s" % (p.pid, frame_of(e), letters(kernel, e))
                for p, e in ((first, left.get(va)), (second, right.get(va))) if e is not None)))


# Events.

@command("kfaults", "[N]")
def kfaults(n="10"):
    """Shows the last N page faults (10 without N), the latest last: what was accessed,
what the kernel decided, from which frame to which."""
    kernel = Kernel()
    kind, names = int(constant("yolk/kernel/trace.Fault")), constant("yolk/kernel/trace.decisionNames")
    found = []
    for ev in kernel.events():
        if len(found) == number(n):
            break
        if int(ev["Kind"]) == kind:
            found.append(ev)
    if not found:
        print("No page fault is in the kernel's log.  It keeps them when the machine was started by `yolk debug` or `yolk run -gdb`.")
    for ev in reversed(found):
        code, name = int(ev["Err"]), names[int(ev["Decision"])]
        access = "fetch" if code & 16 else "write" if code & 2 else "read"
        print("%8d  pid %d  %-5s %#14x  %-12s frame %#x -> %#x, %d references before" % (
            int(ev["Seq"]), int(ev["PID"]), access, int(ev["VA"]), name["str"].string(length=int(name["len"])),
            int(ev["Old"]), int(ev["New"]), int(ev["Refs"])))
