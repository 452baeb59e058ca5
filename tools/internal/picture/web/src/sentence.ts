// One sentence for each event: what was decided, and why.

import { History, type Fact } from "./history.ts";
import { levelNames, pageSize, span } from "./paging.ts";
import { field, hex, hex64, type Event } from "./records.ts";
import { accessWords, callName, count, errorName, many, protectionWords, signalName, sizeWords, statusWords } from "./words.ts";

/** A part of a sentence: words, or something that can be pointed at. */
export type Part = string | { pid: number } | { frame: number } | { va: number };

const pid = (n: number): Part => ({ pid: n });
const frame = (n: number): Part => ({ frame: n });
const va = (n: number): Part => ({ va: n });

/** say is a template tag: words and parts, in their order. */
function say(words: TemplateStringsArray, ...parts: (Part | Part[])[]): Part[] {
  return words.flatMap((w, i) => [w, parts[i] ?? []].flat()).filter((p) => p !== "");
}

type Speaker = (e: Event, fact: Fact, h: History) => Part[];

const speakers: Record<string, Speaker> = {
  boot: (e) => say`Boot: ${many(e.va, "frame")} of ${count(e.aux)} are free; the shared zero page is frame ${frame(e.old)}.`,
  name: (e, _, h) => say`${pid(e.pid)} runs ${h.text(e.index) || "a program"} from now on.`,
  fork: (e, f) => say`${pid(e.pid)} forked ${pid(e.aux)}: the child's new address space (root ${frame(e.new)}) shares ${many(f.pages ?? 0, "page")} with it; ${
    f.marked ? `${count(f.marked)} of them are private memory, read-only now and marked copy-on-write on both sides` : "none of them is marked copy-on-write"}.`,
  vfork: (e) => say`${pid(e.pid)} called vfork: ${pid(e.aux)} borrows its address space (root ${frame(e.new)}). No page and no page table was copied.`,
  "vfork-sleep": (e) => say`${pid(e.pid)} sleeps until ${pid(e.aux)} calls exec or exits, for ${pid(e.aux)} is using its memory.`,
  "vfork-wake": (e) => say`${pid(e.pid)} wakes: ${pid(e.aux)} has given the address space back.`,
  exec: (e, f) => say`${pid(e.pid)} passed exec's point of no return: ${
    f.borrowed ? "the address space that it had borrowed stays with its parent" : e.old ? gone(f, "its old address space") : "it had no address space"
  }. In the new one (root ${frame(e.new)}) ${many(f.present ?? 0, "page is", "pages are")} present: the rest will come when it is touched.`,
  "exec-fail": (e, _, h) => say`Exec failed (${errorName(h.records.names, e.err)}): ${pid(e.pid)} is as it was.`,
  exit: (e, f, h) => say`${pid(e.pid)} ${statusWords(h.records.names, e.err)}: ${f.borrowed ? "the borrowed address space stays with its parent" : gone(f, "its address space")}. It is a zombie until its parent asks for the status.`,
  wait: (e, _, h) => say`${pid(e.pid)} collected the status of ${pid(e.aux)}, which ${statusWords(h.records.names, e.err)}: the zombie is gone.`,
  reparent: (e) => say`The parent of ${pid(e.pid)} has ended: ${pid(e.aux)} is its parent now.`,
  fault: (e, f, h) => (faults[e.decision] ?? faults.none)(e, f, h),
  "table-make": (e) => (e.aux === 4
    ? say`A new address space: its PML4 is frame ${frame(e.new)}.`
    : say`A ${levelNames[e.aux]} for ${range(e.va, span(e.aux + 1))} was made in frame ${frame(e.new)}.`),
  "table-free": (e) => (e.aux === 4
    ? say`The address space with root ${frame(e.old)} is gone: its PML4 was given back.`
    : say`The ${levelNames[e.aux]} in frame ${frame(e.old)} was given back.`),
  "flush-page": (e) => say`The processor was told to forget its translation of ${va(e.va)} (root ${frame(e.old)}).`,
  "flush-space": (e) => say`The processor was told to forget all translations of the address space with root ${frame(e.old)}.`,
  "signal-send": (e, _, h) => say`${pid(e.pid)} sent ${signalName(h.records.names, e.err)} to ${pid(e.aux)}.`,
  "signal-frame": (e, _, h) => say`${pid(e.pid)} goes on in its handler of ${signalName(h.records.names, e.err)}, at ${h.records.hex(e.index, field.va)}.`,
  "signal-kill": (e, _, h) => say`${signalName(h.records.names, e.err)} ends ${pid(e.pid)}.`,
  syscall: (e, _, h) => say`${pid(e.pid)} calls ${callName(h.records.names, e.va)}(${h.records.hex(e.index, field.aux)}, …).`,
  sysreturn: (e, _, h) => say`${pid(e.pid)} got ${result(h, e)} from ${callName(h.records.names, e.va)}.`,
  map: (e, _, h) => say`A region was made: ${range(e.va, e.aux)}, ${sizeWords(e.aux)}, ${protectionWords(e.err)}${h.text(e.index) ? ` of ${h.text(e.index)}` : ""}. No page of it is present yet.`,
  unmap: (e) => say`What was mapped in ${range(e.va, e.aux)} was removed.`,
  protect: (e) => say`The rights of ${range(e.va, e.aux)} are ${protectionWords(e.err & 7).slice(0, 3)} now.`,
  entry: (e, _, h) => say`The entry of ${va(e.va)} (root ${frame(e.aux)}) went from ${raw(h, e, field.old)} to ${raw(h, e, field.new)}.`,
  switch: (e) => say`${pid(e.pid)} runs now (root ${frame(e.new)}).`,
  free: (e) => say`${many(e.aux, "frame is", "frames are")} free, ${count(e.va)} shared; ${many(e.old, "TLB invalidation")} so far.`,
  args: () => say`The fourth to sixth argument of the call before.`,
  lost: (e) => say`${many(e.aux, "event was", "events were")} lost here: the reader did not keep up. What the picture shows from now on may be incomplete.`,
};

const faults: Record<string, Speaker> = {
  "demand-zero": (e, f) => say`${actor(e)}: ${
    f.wasZero ? "until now it had seen the shared zero page there; " : "nothing was there yet; "}it got a fresh zeroed frame, ${frame(e.new)}.`,
  "zero-page": (e) => say`${actor(e)}, memory that nobody has written yet: it sees the shared zero page, ${frame(e.new)}.`,
  "file-page": (e, f, h) => say`${actor(e)}, a page of ${file(h, f)}: the page cache's frame ${frame(e.new)} was mapped; nothing was copied.`,
  "file-copy": (e, f, h) => say`${actor(e)}, a private page of ${file(h, f)}: the page cache's frame ${frame(e.old)} was copied to ${frame(e.new)}; the file stays as it is.`,
  "cow-copy": (e, f) => say`${actor(e)}: the frame ${frame(e.old)} was shared by ${String(e.refs)}, so it was copied to ${frame(e.new)}; ${keeping(e, f)}.`,
  "cow-reuse": (e) => say`${actor(e)}: nobody else has the frame ${frame(e.old)} any more, so it was kept and its copy-on-write mark cleared; nothing was copied.`,
  "stack-grow": (e) => say`${actor(e)}, below its stack: the stack grew down to there and got a fresh zeroed frame, ${frame(e.new)}.`,
  "shared-write": (e, f, h) => say`${actor(e)}, a shared page of ${file(h, f)}: the frame ${frame(e.new)} was mapped writable; all who map it will see the write.`,
  spurious: (e) => say`${actor(e)}: the entry allows it by now; the stale translation was dropped.`,
  "segv-maperr": (e, _, h) => say`${fault(h, e)}: no region is there, so it gets SIGSEGV.`,
  "segv-accerr": (e, _, h) => say`${fault(h, e)}: the region does not allow it, so it gets SIGSEGV.`,
  "bus-adrerr": (e, _, h) => say`${fault(h, e)}: that is past the end of the file, so it gets SIGBUS.`,
  "out-of-memory": (e) => say`${actor(e)}: no frame was to be had.`,
  none: (e) => say`${actor(e)}: ${e.decision}.`,
};

const actor = (e: Event): Part[] => say`${pid(e.pid)} ${accessWords(e.err)} ${va(e.va)}`;

/** fault is actor for an address that may be in the kernel's half. */
const fault = (h: History, e: Event): Part[] => say`${pid(e.pid)} ${accessWords(e.err)} ${h.records.hex(e.index, field.va)}`;

/** file names the file behind the page of a fault. */
const file = (h: History, f: Fact): string => (f.mapping !== undefined && h.text(f.mapping)) || "a file";

function keeping(e: Event, f: Fact): Part[] {
  const pids = f.keepers ?? [];
  if (pids.length === 0) return say`${e.refs === 2 ? "the other keeps" : "the others keep"} ${frame(e.old)}`;
  const list = pids.flatMap((p, i) => [i === 0 ? "" : i === pids.length - 1 ? " and " : ", ", pid(p)]);
  return say`${list} ${pids.length === 1 ? "keeps" : "keep"} ${frame(e.old)}`;
}

function gone(f: Fact, what: string): string {
  return `${what} goes, with ${many(f.pages ?? 0, "page")} and ${many(f.tables ?? 0, "page table")}`;
}

function range(start: number, length: number): string {
  return `${hex(start)}–${hex(start + Math.max(length, pageSize) - 1)}`;
}

function raw(h: History, e: Event, at: number): string {
  return hex64(h.records.word(e.index, at, "low"), h.records.word(e.index, at, "high"));
}

/** result is what a system call returned; the highest 4095 values are errors. */
function result(h: History, e: Event): string {
  const low = h.records.word(e.index, field.aux, "low") | 0;
  const failed = h.records.word(e.index, field.aux, "high") === 0xffffffff && low >= -4095;
  return failed ? errorName(h.records.names, -low) : String(e.aux);
}

/** sentence explains the i-th event. */
export function sentence(h: History, i: number): Part[] {
  const e = h.records.event(i);
  const speaker = speakers[e.kind];
  if (!speaker) return say`An event that this page does not know.`;
  return speaker(e, h.fact(i), h);
}

/** plain is a sentence as text. */
export function plain(parts: Part[]): string {
  return parts.map((p) => {
    if (typeof p === "string") return p;
    if ("pid" in p) return p.pid === 0 ? "the kernel" : `PID ${p.pid}`;
    return hex("frame" in p ? p.frame : p.va);
  }).join("").trim();
}
