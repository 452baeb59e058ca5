// How a page looks on the map: what is behind its entry, and who else has it.

import { bit, marked, present, type Entry } from "./paging.ts";
import { Holds, region, type Process, type Space, type State } from "./state.ts";

/** The looks of a page.  Being borrowed by a vfork child comes on top. */
export enum Look {
  Absent,
  Zero, // the shared zero page
  File, // the page cache's page
  Private, // the process's own
  Shared, // private memory that a fork shares: the next write copies
  Last, // marked copy-on-write, but nobody else is left: the next write keeps it
  Common, // shared for good: writes reach all who map it
}

/** What each look is called. */
export const lookNames: Record<Look, string> = {
  [Look.Absent]: "absent",
  [Look.Zero]: "zero page",
  [Look.File]: "file page",
  [Look.Private]: "private",
  [Look.Shared]: "copy-on-write, shared",
  [Look.Last]: "copy-on-write, last owner",
  [Look.Common]: "shared memory",
};

/** lookOf says how the page looks whose entry has that lower half and frame. */
export function lookOf(s: State, low: number, frame: number, regionFlags: number): Look {
  if (!(low & bit.present)) return Look.Absent;
  const holds = s.holds(frame);
  if (holds === Holds.Zero) return Look.Zero;
  if (regionFlags & region.shared && !(regionFlags & region.file)) return Look.Common;
  if (holds === Holds.File) return Look.File;
  if (s.mapped(frame) > 1) return Look.Shared;
  return low & bit.cow ? Look.Last : Look.Private;
}

/** A page as it stands at some moment. */
export interface Page {
  va: number;
  entry: Entry;
  frame: number; // 0 when absent
  look: Look;
}

/** pageAt is the page of va. */
export function pageAt(s: State, space: Space, va: number): Page {
  va -= va % 4096;
  const entry = space.entry(va);
  const frame = present(entry) ? (entry.high & 0xfffff) * 2 ** 20 + (entry.low >>> 12) : 0;
  return { va, entry, frame, look: lookOf(s, entry.low, frame, space.region(va)?.flags ?? 0) };
}

/** lender is the process that sleeps while a vfork child uses its address space. */
export function lender(s: State, space: Space): Process | undefined {
  const sleeper = space.pids.map((pid) => s.process(pid)).find((p) => p.state === "asleep");
  return sleeper && space.pids.length > 1 ? sleeper : undefined;
}

/** Someone who maps a frame. */
export interface Mapper {
  space: Space;
  va: number;
  marked: boolean;
}

/** What mappers has found already: states do not change once they are shown. */
const found = new WeakMap<State, Map<number, Mapper[]>>();

/** mappers are all entries that point at a frame. */
export function mappers(s: State, frame: number): Mapper[] {
  if (frame === 0) return [];
  let known = found.get(s);
  if (!known) found.set(s, (known = new Map()));
  let list = known.get(frame);
  if (!list) known.set(frame, (list = findMappers(s, frame)));
  return list;
}

function findMappers(s: State, frame: number): Mapper[] {
  const list: Mapper[] = [];
  for (const space of s.spaces.values()) {
    space.pages((va, c, i) => {
      if (c.frame(i) === frame) list.push({ space, va, marked: marked(c.get(i)) });
    });
  }
  return list;
}

/** counts are the numbers of pages by look. */
export function counts(s: State, space: Space): number[] {
  const n = new Array<number>(Look.Common + 1).fill(0);
  space.pages((va, c, i) => n[lookOf(s, c.low(i), c.frame(i), space.region(va)?.flags ?? 0)]++);
  return n;
}
