"""kcheck: the invariants of memory management, recomputed from outside."""

import collections

from .command import command
from .kernel import WRITABLE, Kernel, frame_of, letters, position, user_mode

# Where the kernel stands between two operations although it runs: the hooks of
# kernel/debug.go.
HOOKS = ["yolk/kernel.hook" + name for name in ("Fork", "Vfork", "Exec", "Exit", "Enter")]


@command("kcheck")
def kcheck():
    """Checks, from scratch, what must hold between any two operations of the kernel:

  - a frame's reference count is the number of entries that map it, of page
    caches that hold it and of page tables that it is;
  - no entry is both writable and marked copy-on-write;
  - a private page that is writable has no other owner;
  - every page lies in a region and grants no more than it;
  - no frame in use is on the free list, and none is lost.

A frame that nobody maps and that has one reference may be a page of a file that
no process maps, or lie in a pipe; those are counted, not checked."""
    kernel = Kernel()
    if not settled(kernel):
        print("The kernel is in the midst of %s: what it is just changing may look wrong." % (position() or "something"))
    checker = Checker(kernel)
    for p in kernel.processes():
        checker.space(p)
    checker.frames()
    for complaint in checker.complaints[:20]:
        print("  " + complaint)
    if len(checker.complaints) > 20:
        print("  and %d more" % (len(checker.complaints) - 20))
    print("%d address spaces, %d pages, %d frames in use, %d of them held by files that nobody maps and by pipes: %s" % (
        len(checker.roots), checker.pages, checker.used, checker.unmapped,
        "%d complaint%s" % (len(checker.complaints), "s" * (len(checker.complaints) > 1)) if checker.complaints else "clean"))


def settled(kernel):
    return user_mode() or not kernel.locked() or position() in HOOKS


class Checker:
    """Counts references anew and collects what is wrong."""

    def __init__(self, kernel):
        self.kernel, self.complaints = kernel, []
        self.want = collections.Counter({kernel.zero: 1})
        self.mapped, self.roots, self.objects = {}, set(), set()
        self.pages = self.used = self.unmapped = 0

    def space(self, p):
        """Checks the address space of a process, once even if two run in it."""
        if p.space is None or p.root in self.roots:
            return
        self.roots.add(p.root)
        for _, frame, _ in self.kernel.tables(p.root):
            self.want[frame] += 1
        for va, e in self.kernel.leaves(p.root):
            self.page(p, va, e, p.region(va))
        for r in p.regions():
            if r.object is not None:
                self.object(r.object)
        if int(p.space["exe"]):
            self.object(p.space["exe"].dereference())

    def page(self, p, va, e, region):
        kernel, frame = self.kernel, frame_of(e)
        self.pages += 1
        self.want[frame] += 1
        self.mapped.setdefault(frame, (p, va))
        where = "%s at %#x: entry %#x (%s)" % (p, va, e, letters(kernel, e))
        if e & WRITABLE and e & kernel.cow:
            self.complaints.append(where + " is both writable and copy-on-write")
        if region is None:
            self.complaints.append(where + " lies in no region")
            return
        if e & WRITABLE and not region.writable:
            self.complaints.append(where + " is writable, in %s" % region)
        if e & WRITABLE and not region.shared and (kernel.refs(frame) > 1 or frame == kernel.zero):
            self.complaints.append(where + " is private and writable, but its frame %#x has %d references" % (frame, kernel.refs(frame)))

    def object(self, obj):
        if int(obj.address) in self.objects:
            return
        self.objects.add(int(obj.address))
        for _, frame, _ in self.kernel.cached(obj):
            self.want[frame] += 1

    def frames(self):
        """Compares the counts, then the free list."""
        kernel, counts = self.kernel, self.kernel.counts()
        pending = kernel.memory["pending"]
        for i in range(int(pending["held"])):
            self.want[int(pending["frames"][i])] += 1  # released, and waiting for the TLB to be told
        for frame, count in enumerate(counts):
            want = self.want[frame]
            self.used += count > 0
            if want == 0 and count == 1:
                self.unmapped += 1
            elif want != count:
                p, va = self.mapped.get(frame, (None, 0))
                self.complaints.append("frame %#x counts %d references and has %d%s" % (
                    frame, count, want, ", one by %s at %#x" % (p, va) if p else ""))
        free = kernel.free()
        for frame in free:
            if counts[frame] or self.want[frame]:
                self.complaints.append("frame %#x is in use and on the free list" % frame)
        if len(set(free)) != len(free):
            self.complaints.append("a frame is on the free list twice")
        total = int(kernel.memory["Frames"]["total"])
        if self.used + len(free) != total:
            self.complaints.append("%d frames are in use and %d free, of %d: some are lost" % (self.used, len(free), total))
