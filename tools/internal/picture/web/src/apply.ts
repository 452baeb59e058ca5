// What each kind of event does to the state.  The events are the only source:
// nothing here knows how the kernel works beyond what they mean (trace.Kind).
//
// Where a class of events is switched off, its place is taken by what the other
// events imply: without Entry events a fault gives the entry that the kernel
// would make, and a fork marks the pages that it would mark.

import { bit, frameOf, makeEntry, none, present, writable, type Entry } from "./paging.ts";
import { field, type Event, type Records } from "./records.ts";
import { Holds, nothing, region, type Space, type State } from "./state.ts";

type Handler = (s: State, e: Event, r: Records) => void;

const handlers: Record<string, Handler> = {
  boot(s, e) {
    s.totalFrames = e.aux;
    s.freeFrames = e.va;
    s.zeroFrame = e.old;
    s.kernelRoot = e.new;
  },
  fork: forked,
  vfork(s, e) {
    born(s, e.aux, e.pid);
    s.enter(e.aux, known(s, e.new, e.pid, e.pid).id);
  },
  "vfork-sleep": (s, e) => s.change(e.pid, { state: "asleep", awaits: e.aux }),
  "vfork-wake"(s, e) {
    s.change(e.pid, { state: "running", awaits: 0 });
    if (s.process(e.aux).space === s.process(e.pid).space) s.leave(e.aux);
  },
  exec: execed,
  exit(s, e) {
    const space = s.spaces.get(s.process(e.pid).space);
    s.leave(e.pid);
    dropIfLeft(s, space);
    s.change(e.pid, { state: "zombie", awaits: 0, status: e.err });
  },
  wait: (s, e) => void s.processes.delete(e.aux),
  reparent: (s, e) => s.change(e.pid, { parent: e.aux }),
  fault: faulted,
  "table-make"(s, e) {
    if (e.aux === 4) s.makeSpace(e.new, e.pid).ends = true;
    else s.addTable(known(s, e.old, e.pid).id, { frame: e.new, level: e.aux, va: e.va });
  },
  "table-free": (s, e) => s.removeTable(e.old),
  "flush-page": (s) => void s.flushes++,
  "flush-space": (s) => void s.flushes++,
  map(s, e) {
    s.setRegion(known(s, e.old, e.pid).id, e.va, e.va + e.aux, { start: e.va, end: e.va + e.aux, flags: e.err, offset: e.new, made: e.index });
  },
  unmap(s, e) {
    const space = known(s, e.old, e.pid);
    s.setRegion(space.id, e.va, e.va + e.aux);
    if (!space.told) eachIn(space, e.va, e.va + e.aux, (va) => s.setEntry(space.id, va, none));
  },
  protect: protected_,
  entry: changed,
  switch: (s, e) => void (s.running = e.pid),
  free: (s, e) => void (s.freeFrames = e.aux),
  lost: (s, e) => void (s.lost += e.aux),
};

/** The kinds of events between the first and the last of an address space that is emptied. */
const emptying = new Set(["entry", "table-free", "flush-page", "flush-space", "exit"]);

/** apply makes s the state after the event e of r. */
export function apply(s: State, r: Records, e: Event): void {
  const handler = handlers[e.kind];
  if (s.given !== nothing && !emptying.has(e.kind)) s.given = nothing;
  if (!handler) return;
  if (e.pid > 0 && e.kind !== "lost" && !s.processes.has(e.pid)) s.change(e.pid, {});
  handler(s, e, r);
}

/** known is the space with that root; made now, if its beginning was not told. */
function known(s: State, root: number, maker: number, pid = 0): Space {
  const space = s.spaceOf(root) ?? s.makeSpace(root, maker);
  if (pid && s.process(pid).space !== space.id) s.enter(pid, space.id);
  return s.spaces.get(space.id)!;
}

/** born makes a new process; one of that pid whose end was not told is forgotten. */
function born(s: State, pid: number, parent: number): void {
  s.leave(pid);
  s.processes.delete(pid);
  s.change(pid, { parent });
}

/**
 * forked puts the child into its space, which the table events have made, and
 * gives it the parent's regions.  A space whose entries were told has its pages
 * already; else they are the parent's, private writable ones marked on both sides.
 */
function forked(s: State, e: Event): void {
  const parent = known(s, e.old, e.pid, e.pid);
  const child = known(s, e.new, e.pid);
  born(s, e.aux, e.pid);
  s.enter(e.aux, child.id);
  s.own(child.id).regions = parent.regions;
  if (child.told) return;
  parent.pages((va, c, i) => {
    const flags = parent.region(va)?.flags ?? 0;
    let entry = c.get(i);
    if (writable(entry) && !(flags & region.shared)) {
      entry = { low: ((entry.low & ~bit.writable) | bit.cow) >>> 0, high: entry.high };
      s.setEntry(parent.id, va, entry);
    }
    s.setEntry(child.id, va, { low: (entry.low & ~(bit.accessed | bit.dirty)) >>> 0, high: entry.high });
  });
}

/** execed moves a process into the space that was built for it. */
function execed(s: State, e: Event): void {
  const old = s.spaceOf(e.old);
  const next = known(s, e.new, e.pid);
  s.enter(e.pid, next.id);
  s.change(e.pid, { state: "running", awaits: 0 });
  dropIfLeft(s, old);
}

/** dropIfLeft ends a space that nobody is in any more, unless its end is still to be told. */
function dropIfLeft(s: State, space: Space | undefined): void {
  if (space && !space.ends && s.spaces.get(space.id)?.pids.length === 0) s.dropSpace(space.root);
}

/** changed is an Entry event: the entry as the processor sees it from now on. */
function changed(s: State, e: Event, r: Records): void {
  const space = s.own(known(s, e.aux, e.pid).id);
  space.told = true;
  const entry: Entry = { low: r.word(e.index, field.new, "low"), high: r.word(e.index, field.new, "high") };
  const frame = frameOf(entry);
  if (present(entry) && s.mapped(frame) === 0) s.setHolds(frame, guess(space, e.va, entry));
  if (!present(entry)) s.give(1, 0);
  s.setEntry(space.id, e.va, entry);
}

/**
 * guess says what a frame holds that nobody mapped until now: the page cache's
 * page, where a file's region maps it without owning it.  The Fault event that
 * follows knows better.
 */
function guess(space: Space, va: number, e: Entry): Holds {
  const flags = space.region(va)?.flags ?? 0;
  const owned = writable(e) && !(flags & region.shared);
  return flags & region.file && !owned ? Holds.File : Holds.Anonymous;
}

/** What the frame of a page holds after a fault, by decision. */
const afterFault: Record<string, Holds> = {
  "demand-zero": Holds.Anonymous,
  "stack-grow": Holds.Anonymous,
  "zero-page": Holds.Zero,
  "file-page": Holds.File,
  "shared-write": Holds.File,
  "file-copy": Holds.Anonymous,
  "cow-copy": Holds.Anonymous,
  "cow-reuse": Holds.Anonymous,
};

/** The bits of an error code (SDM 3A §4.7). */
export const faultBit = { present: 1, write: 2, user: 4, reserved: 8, fetch: 16 } as const;

function faulted(s: State, e: Event): void {
  const space = faultSpace(s, e.pid);
  const holds = afterFault[e.decision];
  if (!space || holds === undefined || e.new === 0) return;
  const va = e.va - (e.va % 4096);
  if (e.decision === "stack-grow") growStack(s, space, va);
  if (holds === Holds.Zero && s.zeroFrame < 0) s.zeroFrame = e.new;
  if (holds !== Holds.Zero) s.setHolds(e.new, holds);
  if (!space.told) s.setEntry(space.id, va, implied(space, e, va));
}

/**
 * faultSpace is where a fault of pid took place: in the space that exec is
 * building for it, if it is, else in its own.
 */
export function faultSpace(s: State, pid: number): Space | undefined {
  return s.spaces.get(s.building.get(pid) ?? s.process(pid).space);
}

/** implied is the entry that the kernel makes of the decision. */
function implied(space: Space, e: Event, va: number): Entry {
  const r = space.region(va);
  const write = (e.err & faultBit.write) !== 0;
  const executable = r ? (r.flags & region.exec) !== 0 : (e.err & faultBit.fetch) !== 0;
  let flags = bit.present | bit.user | bit.accessed;
  if (write) flags |= bit.writable | bit.dirty;
  else if (r && r.flags & region.write) flags |= r.flags & region.shared ? bit.writable : bit.cow;
  return makeEntry(e.new, flags, executable);
}

/** growStack extends the stack's region down to va. */
function growStack(s: State, space: Space, va: number): void {
  const above = space.regions.find((r) => r.end > va);
  if (!above || above.start <= va || !(above.flags & region.growsDown)) return;
  s.setRegion(space.id, va, above.end, { ...above, start: va });
}

/** protected_ is mprotect(2): a right that is taken is taken from the entries too. */
function protected_(s: State, e: Event): void {
  const space = known(s, e.old, e.pid);
  const end = e.va + e.aux;
  s.protect(space.id, e.va, end, e.err);
  if (space.told || e.err & region.write) return;
  eachIn(space, e.va, end, (va, entry) => s.setEntry(space.id, va, { low: (entry.low & ~(bit.writable | bit.cow)) >>> 0, high: entry.high }));
}

/** eachIn calls visit for the pages that are present in [start, end). */
function eachIn(space: Space, start: number, end: number, visit: (va: number, e: Entry) => void): void {
  const found: [number, Entry][] = [];
  space.pages((va, c, i) => {
    if (start <= va && va < end) found.push([va, c.get(i)]);
  });
  for (const [va, e] of found) visit(va, e);
}
