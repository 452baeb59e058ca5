// What changed between two moments.

import { bit } from "./paging.ts";
import { Holds, chunkPages, chunkStart, type Chunk, type Space, type State } from "./state.ts";

/**
 *	before    after            change
 *	absent    present          Appeared
 *	present   absent           Went
 *	shared    another frame    Split: the frame was shared, the page was copied from it
 *	present   another frame    Replaced: the zero page or a file's page, by one of its own
 *	present   the same frame   Marked or Unmarked copy-on-write, else Changed
 */
export enum Change {
  Appeared,
  Went,
  Split,
  Replaced,
  Marked,
  Unmarked,
  Changed,
}

/** What a list of changes calls them. */
export const changeNames = ["appeared", "went", "split", "replaced", "marked copy-on-write", "mark cleared", "changed"];

/** A page that is not as it was. */
export interface PageChange {
  va: number;
  change: Change;
  from: number; // frame, 0 for none
  to: number;
}

/** What happened to one address space. */
export interface SpaceChange {
  before?: Space; // absent: the space is new
  after?: Space; // absent: it has gone
  pages: PageChange[]; // by address
}

/** diff lists what changed from a to b, by address space. */
export function diff(a: State, b: State): SpaceChange[] {
  const out: SpaceChange[] = [];
  for (const id of new Set([...a.spaces.keys(), ...b.spaces.keys()])) {
    const before = a.spaces.get(id);
    const after = b.spaces.get(id);
    if (before === after) continue;
    const pages = diffPages(a, before, after);
    if (pages.length > 0 || !before || !after) out.push({ before, after, pages });
  }
  return out;
}

function diffPages(a: State, before: Space | undefined, after: Space | undefined): PageChange[] {
  const pages: PageChange[] = [];
  const keys = new Set([...(before?.chunks.keys() ?? []), ...(after?.chunks.keys() ?? [])]);
  for (const key of [...keys].sort((x, y) => x - y)) {
    const x = before?.chunks.get(key);
    const y = after?.chunks.get(key);
    if (x === y) continue; // shared since: nothing in it has changed
    for (let i = 0; i < chunkPages; i++) {
      const change = changeOf(a, x, y, i);
      if (change !== null) pages.push({ va: chunkStart(key) + i * 4096, change, from: x?.frame(i) ?? 0, to: y?.frame(i) ?? 0 });
    }
  }
  return pages;
}

function changeOf(a: State, x: Chunk | undefined, y: Chunk | undefined, i: number): Change | null {
  const before = x?.low(i) ?? 0;
  const after = y?.low(i) ?? 0;
  const was = (before & bit.present) !== 0;
  const is = (after & bit.present) !== 0;
  if (!was && !is) return null;
  if (!was) return Change.Appeared;
  if (!is) return Change.Went;
  const frame = x!.frame(i);
  if (frame !== y!.frame(i)) {
    const anonymous = a.holds(frame) !== Holds.Zero && a.holds(frame) !== Holds.File;
    return anonymous && (before & bit.cow || a.mapped(frame) > 1) ? Change.Split : Change.Replaced;
  }
  if (!(before & bit.cow) && after & bit.cow) return Change.Marked;
  if (before & bit.cow && !(after & bit.cow)) return Change.Unmarked;
  return before !== after || x!.get(i).high !== y!.get(i).high ? Change.Changed : null;
}

/** total counts the changes of each kind. */
export function total(changes: SpaceChange[]): number[] {
  const n = changeNames.map(() => 0);
  for (const c of changes) for (const p of c.pages) n[p.change]++;
  return n;
}
