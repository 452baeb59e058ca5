// Four-level paging as this page needs it: how an address splits, what the bits
// of an entry mean (SDM 3A §4.5; bits 9 to 11 are free for software, and bit 9 is
// Yolk's copy-on-write mark).

export const pageSize = 4096;

/** The entries of a page table. */
export const entries = 512;

/** The levels from the root down, by number. */
export const levelNames = ["", "PT", "PD", "PDPT", "PML4"];

/** span is the number of bytes that one entry of a table of this level covers. */
export function span(level: number): number {
  return pageSize * entries ** (level - 1);
}

/** indexAt is which entry of a table of the given level translates va. */
export function indexAt(va: number, level: number): number {
  return Math.floor(va / span(level)) % entries;
}

/** An entry, in halves: JavaScript's numbers hold 53 bits. */
export interface Entry {
  low: number;
  high: number;
}

/** The empty entry. */
export const none: Entry = { low: 0, high: 0 };

/** The bits of an entry's lower half. */
export const bit = { present: 1, writable: 2, user: 4, accessed: 32, dirty: 64, cow: 512 } as const;

/** The no-execute bit, in the upper half. */
const nx = 2 ** 31;

export const present = (e: Entry): boolean => (e.low & bit.present) !== 0;
export const writable = (e: Entry): boolean => (e.low & bit.writable) !== 0;
export const marked = (e: Entry): boolean => (e.low & bit.cow) !== 0;

/** frameOf is the number of the frame that an entry points at. */
export function frameOf(e: Entry): number {
  return (e.high & 0xfffff) * 2 ** 20 + (e.low >>> 12);
}

/** makeEntry builds an entry as the kernel would. */
export function makeEntry(frame: number, flags: number, executable: boolean): Entry {
  const high = Math.floor(frame / 2 ** 20) + (executable ? 0 : nx);
  return { low: (((frame % 2 ** 20) * pageSize) | flags) >>> 0, high: high >>> 0 };
}

/** A named bit of an entry. */
export interface Bit {
  name: string;
  at: number; // 0 to 63
  on: boolean;
  means: string;
}

/** decode names the bits of an entry that the kernel uses, from the highest down. */
export function decode(e: Entry): Bit[] {
  const low = (at: number, name: string, means: string): Bit => ({ name, at, on: (e.low & (1 << at)) !== 0, means });
  return [
    { name: "NX", at: 63, on: e.high >= nx, means: "no instruction may be fetched" },
    low(9, "COW", "copy-on-write, Yolk's own mark: a write copies first"),
    low(6, "D", "dirty: written through this entry"),
    low(5, "A", "accessed: used through this entry"),
    low(2, "U", "user mode may use it"),
    low(1, "W", "writes are allowed"),
    low(0, "P", "present: the entry translates"),
  ];
}
