// The time axis: events to pixels and back.  It runs by events, which gives each
// decision the same room, or by time.

import type { Records } from "./records.ts";
import { count } from "./words.ts";

/** What the axis counts. */
export type Unit = "events" | "time";

export class Scale {
  /**
   * The axis shows [from, to] of the unit (event numbers, or nanoseconds) on
   * `width` pixels.
   */
  constructor(
    private readonly records: Records,
    readonly unit: Unit,
    readonly from: number,
    readonly to: number,
    readonly width: number,
  ) {}

  /** whole shows all of a trace. */
  static whole(records: Records, unit: Unit, width: number): Scale {
    const last = Math.max(records.length - 1, 1);
    if (unit === "events") return new Scale(records, unit, 0, last, width);
    const from = records.length ? records.time(0) : 0;
    return new Scale(records, unit, from, Math.max(records.length ? records.time(records.length - 1) : 0, from + 1), width);
  }

  /** same reports whether events have the same places on both axes. */
  same(s: Scale): boolean {
    return this.unit === s.unit && this.from === s.from && this.to === s.to && this.width === s.width;
  }

  /** value is where an event lies in the unit. */
  value(i: number): number {
    if (this.unit === "events") return i;
    return this.records.length ? this.records.time(Math.min(Math.max(i, 0), this.records.length - 1)) : 0;
  }

  /** x is an event's place in pixels; it may lie outside of the axis. */
  x(i: number): number {
    return ((this.value(i) - this.from) / (this.to - this.from)) * this.width;
  }

  /** event is the last one at or before a place in pixels. */
  event(x: number): number {
    const value = this.from + (x / this.width) * (this.to - this.from);
    const last = this.records.length - 1;
    if (this.unit === "events") return Math.min(Math.max(Math.round(value), 0), last);
    let low = 0;
    for (let high = this.records.length; low < high; ) {
      const middle = (low + high) >> 1;
      if (this.records.time(middle) <= value) low = middle + 1;
      else high = middle;
    }
    return Math.min(Math.max(low - 1, 0), last);
  }

  /** zoom magnifies by a factor around the event i, within the whole trace. */
  zoom(factor: number, i: number): Scale {
    const whole = Scale.whole(this.records, this.unit, this.width);
    const least = Math.min(this.unit === "events" ? 20 : 20_000, whole.to - whole.from);
    const size = Math.min(Math.max((this.to - this.from) / factor, least), whole.to - whole.from);
    const share = (this.value(i) - this.from) / (this.to - this.from);
    return this.at(this.value(i) - size * Math.min(Math.max(share, 0), 1), size, whole);
  }

  /** showing is the axis moved so far that the event i lies on it. */
  showing(i: number): Scale {
    const v = this.value(i);
    const size = this.to - this.from;
    if (v >= this.from && v <= this.to) return this;
    return this.at(v - size / 2, size, Scale.whole(this.records, this.unit, this.width));
  }

  /** ticks are round places on the axis, about one for each 110 pixels. */
  ticks(): { x: number; label: string }[] {
    const wanted = ((this.to - this.from) * 110) / this.width;
    const power = 10 ** Math.floor(Math.log10(Math.max(wanted, 1)));
    const step = power * ([1, 2, 5, 10].find((k) => k * power >= wanted) ?? 10);
    const out = [];
    for (let v = Math.ceil(this.from / step) * step; v <= this.to; v += step) {
      out.push({ x: ((v - this.from) / (this.to - this.from)) * this.width, label: this.label(v, step) });
    }
    return out;
  }

  private label(v: number, step: number): string {
    if (this.unit === "events") return count(v);
    const [size, unit] = step >= 1e9 ? [1e9, "s"] : step >= 1e6 ? [1e6, "ms"] : [1e3, "µs"];
    return `${count(Math.round(v / size))} ${unit}`;
  }

  private at(from: number, size: number, whole: Scale): Scale {
    from = Math.min(Math.max(from, whole.from), whole.to - size);
    return new Scale(this.records, this.unit, from, from + size, this.width);
  }
}
