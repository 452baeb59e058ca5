// Where the pages of an address space lie on its map.
//
// A map is 32 pages wide, and a page's column is its place in its row's 128 KiB,
// so that the same address has the same place in parent and child.  Of a region
// only the rows are drawn that the space, or one it was forked with, ever uses:
// a reservation of 512 MiB takes no more room than what is touched of it.

import { chunkOf, chunkPages, chunkStart, type Region, type Space } from "./state.ts";

/** The height of the line above a region's rows, and of a gap between rows that are not neighbours. */
const headHeight = 17;
const gapHeight = 4;

/** A row of a region: the part of a chunk that the region covers. */
export interface Row {
  key: number; // of the chunk
  y: number;
  first: number; // columns that the region covers
  last: number;
}

/** A region on the map. */
export interface Block {
  region: Region;
  told: boolean; // false: no Map event told of it, it is made up of the pages there
  y: number; // of its line of text
  rows: Row[];
}

export class Geometry {
  readonly blocks: Block[] = [];
  readonly height: number;

  /** The map of a space, whose rows are those given, with pages `pitch` pixels apart. */
  constructor(space: Space, rows: ReadonlySet<number>, readonly pitch: number) {
    const sorted = [...rows].sort((a, b) => a - b);
    let y = 0;
    for (const { region, told } of withUntold(space)) {
      const block: Block = { region, told, y, rows: [] };
      y += headHeight;
      const [low, high] = [chunkOf(region.start), chunkOf(region.end - 1)];
      for (let i = firstFrom(sorted, low); i < sorted.length && sorted[i] <= high; i++) {
        if (block.rows.length > 0 && sorted[i] !== sorted[i - 1] + 1) y += gapHeight;
        block.rows.push(row(region, sorted[i], y));
        y += pitch;
      }
      this.blocks.push(block);
      y += gapHeight;
    }
    this.height = y;
  }

  /** width is the map's, in pixels. */
  get width(): number {
    return chunkPages * this.pitch;
  }

  /** hit is the address of the page at a point, if there is one. */
  hit(x: number, y: number): number | null {
    const column = Math.floor(x / this.pitch);
    for (const b of this.blocks) {
      const r = b.rows.find((r) => y >= r.y && y < r.y + this.pitch);
      if (r) return column >= r.first && column <= r.last ? chunkStart(r.key) + column * 4096 : null;
    }
    return null;
  }

  /** place is where a page lies, if it is on the map. */
  place(va: number): { x: number; y: number } | null {
    const b = this.blocks.find((b) => b.region.start <= va && va < b.region.end);
    const r = b?.rows.find((r) => r.key === chunkOf(va));
    return r ? { x: (Math.floor(va / 4096) % chunkPages) * this.pitch, y: r.y } : null;
  }

  /**
   * step is the page beside va on the map: columns to the right, rows down.  At
   * the edge of a row it goes on in the next one; at the end it stays.
   */
  step(va: number, columns: number, rows: number): number {
    const all = this.blocks.flatMap((b) => b.rows);
    const here = all.findIndex((r) => r.key === chunkOf(va) && column(va) >= r.first && column(va) <= r.last);
    if (here < 0) return all.length > 0 ? chunkStart(all[0].key) + all[0].first * 4096 : va;
    let at = here;
    let col = column(va) + columns;
    if (col < all[at].first && at > 0) col = all[--at].last;
    else if (col > all[at].last && at + 1 < all.length) col = all[++at].first;
    at = Math.min(Math.max(at + rows, 0), all.length - 1);
    return chunkStart(all[at].key) + Math.min(Math.max(col, all[at].first), all[at].last) * 4096;
  }
}

const column = (va: number): number => Math.floor(va / 4096) % chunkPages;

function row(region: Region, key: number, y: number): Row {
  const start = chunkStart(key);
  const first = Math.max(0, (region.start - start) / 4096);
  const last = Math.min(chunkPages, Math.ceil((region.end - start) / 4096)) - 1;
  return { key, y, first, last };
}

function firstFrom(sorted: number[], key: number): number {
  let low = 0;
  for (let high = sorted.length; low < high; ) {
    const middle = (low + high) >> 1;
    if (sorted[middle] < key) low = middle + 1;
    else high = middle;
  }
  return low;
}

/**
 * withUntold are the space's regions, and one for each run of chunks with pages
 * outside of all of them: the events of class map may be missing.
 */
function withUntold(space: Space): { region: Region; told: boolean }[] {
  const out = space.regions.map((region) => ({ region, told: true }));
  const strays = new Set<number>();
  space.pages((va) => {
    if (!space.region(va)) strays.add(chunkOf(va));
  });
  for (const key of [...strays].sort((a, b) => a - b)) {
    const last = out.at(-1);
    const [start, end] = clear(space, chunkStart(key), chunkStart(key + 1));
    if (last && !last.told && last.region.end === start) last.region = { ...last.region, end };
    else out.push({ region: { start, end, flags: 0, offset: 0, made: -1 }, told: false });
  }
  return out.sort((a, b) => a.region.start - b.region.start);
}

/** clear is [start, end) without what regions cover at its ends. */
function clear(space: Space, start: number, end: number): [number, number] {
  for (const r of space.regions) {
    if (r.start <= start && r.end > start && r.end < end) start = r.end;
    else if (r.start > start && r.start < end) end = Math.min(end, r.start);
  }
  return [start, end];
}
