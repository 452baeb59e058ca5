"""What the kernel knows, read through the types that DWARF describes.

Everything begins at yolk/kernel.DebugRoot and follows pointers and field names;
no offset into a kernel structure is written down here.

WHY physical memory is read through the kernel's direct map: the upper half of
every address space is the kernel's, so the debugger reaches all of RAM there
whatever CR3 holds, in user mode too.  QEMU can also read physical addresses
(`maintenance packet Qqemu.PhyMemMode:1`), but that mode stays on when a command
is interrupted, and GDB's own cache does not know of it.
"""

import bisect
import struct

import gdb

VERSION = 2  # kernel.debugVersion: what the names below are those of
PAGE = 4096
ENTRIES = 512
USER_ENTRIES = 256  # of the PML4: the lower half is the user's

# Bits of a page-table entry (SDM 3A section 4.5).  The copy-on-write mark is the
# kernel's own and comes from it: Kernel.cow.
PRESENT, WRITABLE, USER, ACCESSED, DIRTY = 1, 2, 4, 1 << 5, 1 << 6
NO_EXECUTE = 1 << 63
FRAME_BITS = 0x000F_FFFF_FFFF_F000


def read(address, size):
    """The bytes at a virtual address, as the loaded CR3 has it."""
    return bytes(gdb.selected_inferior().read_memory(address, size))


def words(address, count):
    """64-bit words."""
    return struct.unpack("<%dQ" % count, read(address, 8 * count))


def constant(name):
    """The value of a Go constant or variable of the kernel's."""
    return gdb.parse_and_eval("'%s'" % name)


def text(value):
    """A Go string as a Python string."""
    length = int(value["len"])
    return bytes(read(int(value["str"]), length)).decode("utf-8", "replace") if length else ""


def numbers(slice_):
    """The elements of a Go slice of integers, read at once."""
    count = int(slice_["len"])
    if count == 0:
        return ()
    size = slice_["array"].type.target().sizeof
    code = {1: "B", 4: "I", 8: "Q"}[size]
    return struct.unpack("<%d%s" % (count, code), read(int(slice_["array"]), size * count))


def pointers(first, count):
    """The targets of count Go pointers from the value first on, None for nil."""
    target = first.type.target()
    for address in words(int(first.address), count):
        yield gdb.Value(address).cast(target.pointer()).dereference() if address else None


def register(name):
    """A register of the processor as a number, flags registers too."""
    return int(gdb.newest_frame().read_register(name)) & (1 << 64) - 1


def user_mode():
    return register("cs") & 3 == 3


def loaded_root():
    """The frame number of the page-table root that CR3 holds."""
    return (register("cr3") & FRAME_BITS) // PAGE


def position():
    """The name of the function that the processor is in; "" if it has none."""
    return gdb.newest_frame().name() or ""


class Kernel:
    """A view of the kernel at one stop; made anew for each command."""

    def __init__(self):
        self.value = self._root()
        self.memory = self.value["memory"].dereference()
        self.log = self.value["trace"].dereference()
        self.base = int(self.memory["Phys"]["base"])
        self.zero = int(self.memory["zero"])
        self.cow = int(constant("yolk/mm.COW"))
        self.rights = [(letter, int(constant("yolk/mm." + name))) for letter, name in (("r", "Read"), ("w", "Write"), ("x", "Exec"))]
        self.shared = int(constant("yolk/mm.Shared"))
        self._refs = None

    @staticmethod
    def _root():
        symbol = gdb.lookup_global_symbol("yolk/kernel.DebugRoot")
        if symbol is None:
            raise gdb.GdbError("The kernel's symbols are not loaded: use the .gdbinit that `yolk debug` writes.")
        root = symbol.value()
        try:
            version = int(root["Version"])
        except gdb.MemoryError:
            raise gdb.GdbError("The kernel is not there yet: the machine has only just been started.  "
                               "Say `continue`, or `break-exec init` first to stop at the first program.")
        if version == 0:
            raise gdb.GdbError("The kernel is still booting and has no processes.  "
                               "Say `continue`, or `break-exec init` first to stop at the first program.")
        if version != VERSION:
            raise gdb.GdbError("The kernel has version %d of what a debugger reads, these commands are for version %d: "
                               "build both from the same sources." % (version, VERSION))
        return root["Kernel"].dereference()

    def processes(self):
        """All processes, zombies too, by pid."""
        slots = self.value["slots"]
        low, high = slots.type.range()
        found = [Process(self, p) for p in pointers(slots[0], high - low + 1) if p is not None]
        return sorted(found, key=lambda p: p.pid)

    def process(self, pid):
        for p in self.processes():
            if p.pid == pid:
                return p
        raise gdb.GdbError("There is no process %d (kps lists them)." % pid)

    def locked(self):
        """Whether anybody holds the kernel lock: a process does whenever it runs,
        in user mode too; when nobody does, the machine is idle."""
        mutex = self.value["mu"]
        while "mu" in [f.name for f in mutex.type.fields()]:
            mutex = mutex["mu"]
        return int(mutex["state"]) & 1 != 0

    def current(self):
        """The process that runs, in user mode or in the kernel; None if none does."""
        pid = int(self.log["PID"])
        if pid == 0 or not self.locked():
            return None
        return next((p for p in self.processes() if p.pid == pid), None)

    # Page tables.

    def table(self, frame):
        """The 512 entries of the page table in a frame."""
        return words(self.base + frame * PAGE, ENTRIES)

    def tables(self, root):
        """Yields (level, frame, first address) of every page table of a user half."""
        def below(frame, level, base):
            yield level, frame, base
            if level == 1:
                return
            for i, e in enumerate(self.table(frame)):
                if e & PRESENT and (level < 4 or i < USER_ENTRIES):
                    yield from below(frame_of(e), level - 1, base + (i << 12 + 9 * (level - 1)))
        return below(root, 4, 0)

    def leaves(self, root):
        """Yields (address, entry) of every page that is present in a user half."""
        for level, frame, base in self.tables(root):
            if level == 1:
                for i, e in enumerate(self.table(frame)):
                    if e & PRESENT:
                        yield base + i * PAGE, e

    def slot(self, root, va):
        """Where in the direct map the leaf entry for an address lies; None where there is
        no page table for it."""
        frame = root
        for level in (4, 3, 2):
            e = self.table(frame)[va >> 12 + 9 * (level - 1) & 511]
            if not e & PRESENT:
                return None
            frame = frame_of(e)
        return self.base + frame * PAGE + 8 * (va >> 12 & 511)

    # Frames.

    def refs(self, frame):
        counts = self.counts()
        return counts[frame] if frame < len(counts) else 0

    def counts(self):
        """The reference count of every frame."""
        if self._refs is None:
            self._refs = numbers(self.memory["Frames"]["refs"])
        return self._refs

    def free(self):
        """The numbers of the frames on the free list."""
        return numbers(self.memory["Frames"]["free"])

    # Objects: page caches of files and memory that processes share.

    def cached(self, obj):
        """Yields (page, frame, level) of each frame that an mm.Object holds: its
        pages are level 0, the tables of its tree above."""
        first = int(obj["first"])
        for i in range(int(obj["adopted"])):
            yield i, first + i, 0
        if int(obj["root"]):
            yield from self._tree(int(obj["root"]), int(obj["height"]), 0)

    def _tree(self, frame, level, base):
        yield base, frame, level
        if level:
            for i, e in enumerate(self.table(frame)):
                if e & PRESENT:
                    yield from self._tree(frame_of(e), level - 1, base + (i << 9 * (level - 1)))

    # Events.

    def events(self):
        """Yields the events that the kernel's log still has, the latest first."""
        ring, nxt = self.log["ring"], int(self.log["next"])
        low, high = ring.type.range()
        size = high - low + 1
        for seq in range(nxt - 1, max(nxt - size, 0) - 1, -1):
            yield ring[seq % size]


class Process:
    """A process of the kernel's table."""

    def __init__(self, kernel, value):
        value.fetch_lazy()  # all fields in one read
        self.kernel, self.value = kernel, value
        self.pid = int(value["pid"])
        self.state = chr(int(value["state"]))
        image = value["image"]
        self.comm, self.path, self.bias = text(image["comm"]), text(image["path"]), int(image["bias"])
        self.parent = int(value["parent"]["pid"]) if int(value["parent"]) else 0
        self.sleeper = int(value["vforkParent"]["pid"]) if int(value["vforkParent"]) else 0
        self.frame = value["frame"].dereference()
        self.space = value["space"].dereference() if int(value["space"]) else None
        self.root = int(self.space["root"]) if self.space is not None else 0
        self._regions = None

    def __str__(self):
        return "process %d (%s)" % (self.pid, self.comm)

    def must_have_space(self):
        if self.space is None:
            raise gdb.GdbError("%s has left its address space." % str(self).capitalize())
        return self.space

    def regions(self):
        """The regions by address: a slice with a gap in it (mm.regionList)."""
        if self._regions is None:
            self._regions = []
            if self.space is not None and int(self.space["regions"]["slots"]["len"]):
                listed = self.space["regions"]
                slots = list(pointers(listed["slots"]["array"].dereference(), int(listed["slots"]["len"])))
                gap, free = int(listed["gap"]), int(listed["free"])
                self._regions = [Region(self.kernel, r) for r in slots[:gap] + slots[gap + free:]]
        return self._regions

    def region(self, va):
        """The region that an address lies in, or None."""
        regions = self.regions()
        i = bisect.bisect_right([r.start for r in regions], va) - 1
        return regions[i] if i >= 0 and va < regions[i].end else None

    def saved(self, name):
        """A register of user mode, as the last trap saved it."""
        return int(self.frame[name])


class Region:
    """A range with one set of rights (mm.Region)."""

    def __init__(self, kernel, value):
        value.fetch_lazy()  # all fields in one read
        self.start, self.end = int(value["Start"]), int(value["End"])
        prot = int(value["Prot"])
        self.shared = int(value["Flags"]) & kernel.shared != 0
        self.prot = "".join(letter if prot & bit else "-" for letter, bit in kernel.rights) + ("s" if self.shared else "p")
        self.writable = "w" in self.prot
        self.name = text(value["Name"])
        self.object = value["Object"].dereference() if int(value["Object"]) else None
        self.offset = int(value["Offset"])

    def __str__(self):
        return "%#x-%#x %s %s" % (self.start, self.end, self.prot, self.name or "(anonymous)")


def frame_of(entry):
    return (entry & FRAME_BITS) // PAGE


def letters(kernel, entry):
    """An entry's flags as mm.PTE.String draws them."""
    bits = (PRESENT, WRITABLE, USER, ACCESSED, DIRTY, kernel.cow)
    drawn = [letter if entry & bit else "-" for letter, bit in zip("PWUADC", bits)]
    return "".join(drawn) + ("-" if entry & NO_EXECUTE else "X")
