"""How a command is declared: a function with a docstring."""

import gdb


def command(name, usage=""):
    """Makes a GDB command of a function of the command's words.  usage names them:
    in brackets what may be left out, `...` at the end for the rest of the line."""
    names = usage.split()
    least = len([n for n in names if not n.startswith("[")])

    def declare(function):
        class Declared(gdb.Command):
            __doc__ = ("%s %s\n%s" % (name, usage, function.__doc__)).replace(" \n", "\n")

            def __init__(self):
                super().__init__(name, gdb.COMMAND_USER)

            def invoke(self, line, from_tty):
                if names and names[-1].endswith("..."):
                    given = line.split(None, len(names) - 1)
                else:
                    given = gdb.string_to_argv(line)
                if not least <= len(given) <= len(names):
                    raise gdb.GdbError("usage: %s %s" % (name, usage))
                try:
                    function(*given)
                except gdb.error as e:  # or it would be called an error of Python's
                    raise gdb.GdbError(str(e))
        Declared()
        return function
    return declare


def number(word):
    """A number as the user writes one: any expression of GDB's."""
    return int(gdb.parse_and_eval(word)) & (1 << 64) - 1
