// Traces for the tests, written event by event.

import { History } from "../src/history.ts";
import { Records, recordSize, type Names } from "../src/records.ts";
import { bit } from "../src/paging.ts";

export const names: Names = {
  kinds: [
    "", "fork", "vfork", "vfork-sleep", "vfork-wake", "exec", "exec-fail", "exit", "wait", "reparent", "fault",
    "table-make", "table-free", "flush-page", "flush-space", "signal-send", "signal-frame", "signal-kill", "syscall",
    "sysreturn", "boot", "name", "text", "map", "unmap", "protect", "entry", "switch", "free", "lost", "args",
  ],
  decisions: [
    "none", "demand-zero", "zero-page", "file-page", "file-copy", "cow-copy", "cow-reuse", "stack-grow",
    "shared-write", "spurious", "segv-maperr", "segv-accerr", "bus-adrerr", "out-of-memory",
  ],
  calls: ["read", "write"],
  errors: Object.assign([], { 2: "ENOENT", 14: "EFAULT" }),
  signals: Object.assign([], { 11: "SIGSEGV" }),
};

/** What an event of a test says; the rest is zero. */
export interface Told {
  kind: string;
  pid?: number;
  decision?: string;
  err?: number;
  refs?: number;
  va?: number | bigint;
  old?: number | bigint;
  new?: number | bigint;
  aux?: number | bigint;
}

/** encode writes events as the kernel does. */
export function encode(events: Told[], first = 0): Uint8Array {
  const bytes = new Uint8Array(events.length * recordSize);
  const view = new DataView(bytes.buffer);
  events.forEach((e, i) => {
    const at = i * recordSize;
    bytes[at] = 0xe7;
    bytes[at + 1] = names.kinds.indexOf(e.kind);
    bytes[at + 2] = names.decisions.indexOf(e.decision ?? "none");
    view.setUint32(at + 4, e.err ?? 0, true);
    view.setBigUint64(at + 8, BigInt(first + i), true);
    view.setBigUint64(at + 16, BigInt((first + i) * 1000), true);
    view.setInt32(at + 24, e.pid ?? 0, true);
    view.setUint32(at + 28, e.refs ?? 0, true);
    [e.va, e.old, e.new, e.aux].forEach((n, k) => view.setBigUint64(at + 32 + 8 * k, BigInt(n ?? 0), true));
  });
  return bytes;
}

/** text is the Text record that follows an event. */
export function text(s: string): Told {
  const padded = new Uint8Array(32);
  padded.set(new TextEncoder().encode(s));
  const view = new DataView(padded.buffer);
  const [va, old, next, aux] = [0, 8, 16, 24].map((at) => view.getBigUint64(at, true));
  return { kind: "text", err: s.length, va, old, new: next, aux };
}

/** play is the history of some events. */
export function play(...events: Told[]): History {
  const records = new Records(names);
  records.append(encode(events));
  const h = new History(records);
  h.extend();
  return h;
}

/** The flags of entries that the tests use. */
export const owned = bit.present | bit.writable | bit.user | bit.accessed | bit.dirty;
export const cow = bit.present | bit.user | bit.cow;

/** entryOf is a raw entry that points at a frame; no instructions are fetched through it. */
export const entryOf = (frame: number, flags: number): bigint => (1n << 63n) | (BigInt(frame) << 12n) | BigInt(flags);

/** An address of the heap of the tests' processes. */
export const heap = 0x100000000;
const page = 4096;

/** init is process 1 with three pages of heap, in frames 0x21 to 0x23. */
export const init: Told[] = [
  { kind: "boot", aux: 1000, va: 900, old: 5, new: 6, err: 1 },
  { kind: "table-make", old: 0x10, new: 0x10, aux: 4 },
  { kind: "map", va: heap, aux: 16 * page, err: 3, old: 0x10 },
  { kind: "exec", pid: 1, old: 0, new: 0x10 },
  { kind: "name", pid: 1 },
  text("/bin/init"),
  { kind: "table-make", pid: 1, old: 0x10, new: 0x11, aux: 1, va: heap },
  ...[0, 1, 2].map((i): Told => ({ kind: "fault", pid: 1, va: heap + i * page + 8, err: 6, decision: "demand-zero", new: 0x21 + i })),
];

/** forked is a fork of process 1 into process 2, root 0x30. */
export const forked: Told[] = [
  { kind: "table-make", pid: 1, old: 0x30, new: 0x30, aux: 4 },
  { kind: "table-make", pid: 1, old: 0x30, new: 0x31, aux: 1, va: heap },
  { kind: "fork", pid: 1, aux: 2, old: 0x10, new: 0x30 },
];

/** childWrites is the child's write to the first page. */
export const childWrites: Told = {
  kind: "fault", pid: 2, va: heap, err: 7, decision: "cow-copy", old: 0x21, new: 0x40, refs: 2,
};
