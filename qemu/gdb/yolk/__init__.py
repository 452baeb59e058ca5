"""GDB commands that know Yolk's processes, address spaces and page tables.

The .gdbinit that `yolk debug` writes imports this package and calls start."""

import re

import gdb

OLDEST = (12, 0)


def start(files):
    """Declares the commands.  files lists (path in the guest, path on the host) of the
    programs whose symbols can be had; the first one's are loaded at once."""
    version = tuple(int(n) for n in re.match(r"\D*(\d+)\.(\d+)", gdb.VERSION).groups())
    if version < OLDEST:
        print("This is GDB %s; the commands for processes (kps, kvm, ...) need GDB %d or newer: install one "
              "(Debian 12, Ubuntu 22.04 and Homebrew have it) and start it with `yolk gdb`." % (gdb.VERSION, OLDEST[0]))
        gdb.execute('add-symbol-file "%s"' % files[0][1], to_string=True)
        return
    # WHY without the printers of Go's own helpers, of which `info goroutines` is the
    # part to have: they fail, with noise, on the arguments that the compiler has
    # optimized away, and in a backtrace of Go code most are.
    for objfile in gdb.objfiles():
        objfile.pretty_printers = []
    from . import check, show, user
    user.start(files)
