import assert from "node:assert/strict";
import { test } from "node:test";
import { plain, sentence } from "../src/sentence.ts";
import { childWrites, entryOf, forked, heap, init, names, owned, play, text, type Told } from "./trace.ts";

const page = 4096;

/** told is the sentence of the last event but for Text. */
function told(...events: Told[]): string {
  const h = play(...init, ...events);
  let i = h.length - 1;
  while (h.records.kind(i) === "text") i--;
  return plain(sentence(h, i));
}

/** fault is a fault of process 1. */
const fault = (decision: string, more: Partial<Told> = {}): Told => ({ kind: "fault", pid: 1, va: heap, err: 6, decision, ...more });

test("a copy names the frame, its copy and who keeps it", () => {
  assert.equal(told(...forked, childWrites), "PID 2 wrote to 0x100000000: the frame 0x21 was shared by 2, so it was copied to 0x40; PID 1 keeps 0x21.");
});

test("a copy by a grandchild names all who keep the frame", () => {
  const third: Told = { kind: "fork", pid: 1, aux: 3, old: 0x10, new: 0x50 };
  assert.match(told(...forked, third, { ...childWrites, refs: 3 }), /shared by 3, .*; PID 1 and PID 3 keep 0x21\.$/);
});

test("fork says how much is shared and how much is marked", () => {
  assert.equal(told(...forked),
    "PID 1 forked PID 2: the child's new address space (root 0x30) shares 3 pages with it; 3 of them are private memory, read-only now and marked copy-on-write on both sides.");
});

test("faults: what was accessed, what was decided", () => {
  assert.match(told(fault("demand-zero", { new: 0x99, va: heap + 9 * page })), /^PID 1 wrote to .*nothing was there yet; it got a fresh zeroed frame, 0x99\.$/);
  assert.match(told(fault("demand-zero", { old: 5, new: 0x99 })), /had seen the shared zero page/);
  assert.match(told(fault("zero-page", { err: 4, new: 5 })), /^PID 1 read /);
  assert.match(told(fault("cow-reuse", { old: 0x21, new: 0x21 })), /nobody else has the frame 0x21/);
  assert.match(told(fault("segv-accerr", { err: 0x15 })), /^PID 1 fetched an instruction from .*SIGSEGV/);
  assert.match(told(fault("segv-maperr", { va: 0xffff800000000123n })), /wrote to 0xffff800000000123:/);
});

test("a file's page names the file", () => {
  const map: Told[] = [{ kind: "map", pid: 1, va: 0x400000, aux: page, err: 5 | 32, old: 0x10 }, text("/bin/sh")];
  assert.match(told(...map, fault("file-page", { va: 0x400010, err: 0x14, new: 0x77 })), /a page of \/bin\/sh: the page cache's frame 0x77/);
  assert.match(told(...map), /4 KiB, r-xp of \/bin\/sh/);
});

test("exec, exit and wait say what becomes of the space", () => {
  const exec: Told = { kind: "exec", pid: 2, old: 0x30, new: 0x70 };
  assert.match(told(...forked, exec), /its old address space goes, with 3 pages and 2 page tables\. In the new one \(root 0x70\) 0 pages are present/);
  const vfork: Told = { kind: "vfork", pid: 1, aux: 2, old: 0x10, new: 0x10 };
  assert.match(told(vfork, { kind: "vfork-wake", pid: 1, aux: 2 }, { kind: "exec", pid: 2, old: 0x10, new: 0x70 }), /borrowed stays with its parent/);
  assert.match(told(...forked, { kind: "exit", pid: 2, err: 11 }), /^PID 2 was ended by SIGSEGV: its address space goes, with 3 pages/);
  assert.match(told({ kind: "wait", pid: 1, aux: 2, err: 0x300 }), /exited with status 3/);
  assert.match(told({ kind: "exec-fail", pid: 1, err: 2 }), /ENOENT/);
});

test("system calls have names and results", () => {
  assert.equal(told({ kind: "syscall", pid: 1, va: 1, aux: 2 }), "PID 1 calls write(0x2, …).");
  assert.equal(told({ kind: "sysreturn", pid: 1, va: 1, aux: 0xfffffffffffffff2n }), "PID 1 got EFAULT from write.");
  assert.equal(told({ kind: "sysreturn", pid: 1, va: 999, aux: 12 }), "PID 1 got 12 from system call 999.");
});

test("raw entries are exact", () => {
  assert.match(told({ kind: "entry", pid: 1, va: heap, old: 0, new: entryOf(0x21, owned), aux: 0x10 }), /went from 0x0 to 0x8000000000021067/);
});

test("lost events are told", () => {
  assert.match(told({ kind: "lost", aux: 12 }), /^12 events were lost here/);
});

test("every kind and every decision has a sentence", () => {
  for (const kind of names.kinds.filter((k) => k !== "" && k !== "text")) {
    const s = told({ kind, pid: 1, err: 11, aux: kind === "table-make" ? 1 : 2, old: 0x10, new: 0x10 });
    assert.doesNotMatch(s, /undefined|NaN|not know/, kind);
    assert.match(s, /^[A-Z0-9].*\.$/, kind);
  }
  for (const decision of names.decisions) assert.doesNotMatch(told(fault(decision)), /undefined|NaN/, decision);
});
