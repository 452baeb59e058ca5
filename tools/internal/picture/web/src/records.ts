// The trace as it comes over the wire: fixed records of 64 bytes (trace.Event in
// the kernel's sources says what the fields mean for each kind).  The records
// are kept as they are; an Event is made of one when somebody looks at it.

/** The length of a record in bytes. */
export const recordSize = 64;

/** The first byte of every record. */
const magic = 0xe7;

/** The names that stand for the numbers in a record, as this build of Yolk has them. */
export interface Names {
  kinds: string[]; // by number; "" where a number has no meaning
  decisions: string[];
  calls: string[]; // system calls
  errors: string[];
  signals: string[];
}

/**
 * One event.  Numbers above 2^53 (kernel addresses, page-table entries with the
 * NX bit) are not exact here; Records.hex and Records.word give them exactly.
 */
export interface Event {
  index: number; // its place in Records
  kind: string;
  decision: string;
  time: number; // nanoseconds since boot
  pid: number;
  err: number;
  refs: number;
  va: number;
  old: number;
  new: number;
  aux: number;
}

/** The 64-bit fields of a record, by their offset. */
export const field = { seq: 8, time: 16, va: 32, old: 40, new: 48, aux: 56 } as const;

/** A string, or a part of one, that belongs to the event before it. */
export interface Text {
  of: number; // the argument of a system call that it is of; else 0
  cut: boolean; // there was more
  bytes: Uint8Array;
}

/** Records holds the events of a trace in their order, and grows at its end. */
export class Records {
  length = 0;
  /** Why nothing more can be read, or "". */
  damage = "";

  private bytes = new Uint8Array(1 << 16);
  private view = new DataView(this.bytes.buffer);
  private used = 0;

  constructor(readonly names: Names) {}

  /** append takes the next bytes of the stream; a record may come in pieces. */
  append(chunk: Uint8Array): void {
    if (this.damage) return;
    this.reserve(chunk.length);
    this.bytes.set(chunk, this.used);
    this.used += chunk.length;
    while ((this.length + 1) * recordSize <= this.used) {
      if (this.bytes[this.length * recordSize] !== magic) {
        this.damage = `The trace is damaged after ${this.length} events: what follows is no event.`;
        return;
      }
      this.length++;
    }
  }

  /** rest is the number of bytes of a record whose end has not come. */
  get rest(): number {
    return this.damage ? 0 : this.used - this.length * recordSize;
  }

  /** kind names the i-th event's kind. */
  kind(i: number): string {
    return this.names.kinds[this.bytes[i * recordSize + 1]] || "unknown";
  }

  /** decision names what was done about the i-th event, a fault. */
  decision(i: number): string {
    return this.names.decisions[this.bytes[i * recordSize + 2]] || "unknown";
  }

  /** pid is the process of the i-th event. */
  pid(i: number): number {
    return this.view.getInt32(i * recordSize + 24, true);
  }

  /** time is the i-th event's, in nanoseconds since boot. */
  time(i: number): number {
    return this.number(i, field.time);
  }

  /** word gives one half of a 64-bit field of the i-th event. */
  word(i: number, at: number, half: "low" | "high"): number {
    return this.view.getUint32(i * recordSize + at + (half === "high" ? 4 : 0), true);
  }

  /** number gives a 64-bit field as a number, exact up to 2^53. */
  number(i: number, at: number): number {
    return this.word(i, at, "high") * 2 ** 32 + this.word(i, at, "low");
  }

  /** hex writes a 64-bit field exactly. */
  hex(i: number, at: number): string {
    return hex64(this.word(i, at, "low"), this.word(i, at, "high"));
  }

  /** event decodes the i-th event. */
  event(i: number): Event {
    const at = i * recordSize;
    return {
      index: i,
      kind: this.kind(i),
      decision: this.decision(i),
      time: this.time(i),
      pid: this.pid(i),
      err: this.view.getUint32(at + 4, true),
      refs: this.view.getUint32(at + 28, true),
      va: this.number(i, field.va),
      old: this.number(i, field.old),
      new: this.number(i, field.new),
      aux: this.number(i, field.aux),
    };
  }

  /** text is what a Text record holds. */
  text(i: number): Text {
    const at = i * recordSize;
    const what = this.view.getUint32(at + 4, true);
    const n = Math.min(what & 0xff, recordSize - field.va);
    return { of: (what >> 8) & 0x7f, cut: (what & 0x8000) !== 0, bytes: this.bytes.slice(at + field.va, at + field.va + n) };
  }

  private reserve(more: number): void {
    if (this.used + more <= this.bytes.length) return;
    const bytes = new Uint8Array(Math.max(2 * this.bytes.length, this.used + more));
    bytes.set(this.bytes.subarray(0, this.used));
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer);
  }
}

/** hex64 writes a 64-bit number, given in halves. */
export function hex64(low: number, high: number): string {
  return high === 0 ? hex(low) : `0x${high.toString(16)}${low.toString(16).padStart(8, "0")}`;
}

/** hex writes a number as hexadecimal, with 0x. */
export function hex(n: number): string {
  return `0x${n.toString(16)}`;
}
