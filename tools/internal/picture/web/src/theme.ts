// The colours that canvases draw with: the custom properties of style.css, as the
// reader's choice of light or dark sets them.

import { Look } from "./look.ts";
import { Change } from "./diff.ts";

export class Theme {
  private values = new Map<string, string>();
  private readonly dark = matchMedia("(prefers-color-scheme: dark)");

  /** changed is called when the colours are others. */
  constructor(changed: () => void) {
    this.dark.addEventListener("change", () => {
      this.values.clear();
      changed();
    });
  }

  /** color is the value of the custom property --name. */
  color(name: string): string {
    let v = this.values.get(name);
    if (v === undefined) {
      v = getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
      this.values.set(name, v);
    }
    return v;
  }

  /** headFont is the font of what is written on the maps, and letter the width of its letters. */
  get headFont(): string {
    return `11px ${this.color("mono")}`;
  }

  get letter(): number {
    if (this.width === 0) {
      const ctx = document.createElement("canvas").getContext("2d")!;
      ctx.font = this.headFont;
      this.width = ctx.measureText("0").width;
    }
    return this.width;
  }
  private width = 0;

  look(l: Look): string {
    return this.color(lookColors[l]);
  }

  change(c: Change): string {
    return this.color(changeColors[c]);
  }
}

/** The custom properties of the looks. */
export const lookColors: Record<Look, string> = {
  [Look.Absent]: "absent",
  [Look.Zero]: "zero",
  [Look.File]: "file",
  [Look.Private]: "private",
  [Look.Shared]: "cow",
  [Look.Last]: "last",
  [Look.Common]: "common",
};

/** The custom properties of the changes. */
export const changeColors: Record<Change, string> = {
  [Change.Appeared]: "appeared",
  [Change.Went]: "went",
  [Change.Split]: "split",
  [Change.Replaced]: "split",
  [Change.Marked]: "cow",
  [Change.Unmarked]: "private",
  [Change.Changed]: "faint",
};

/** A stable hue for a process, far from its neighbours'. */
export function hue(pid: number): number {
  return Math.round(pid * 137.508 + 20) % 360;
}

const contexts = new WeakMap<HTMLCanvasElement, CanvasRenderingContext2D>();

/** fit makes a canvas as sharp as the screen and returns its context, in CSS pixels. */
export function fit(canvas: HTMLCanvasElement, width: number, height: number): CanvasRenderingContext2D {
  const scale = devicePixelRatio || 1;
  const [w, h] = [Math.round(width * scale), Math.round(height * scale)];
  let ctx = contexts.get(canvas);
  if (!ctx) contexts.set(canvas, (ctx = canvas.getContext("2d")!));
  if (canvas.width !== w || canvas.height !== h) {
    canvas.width = w;
    canvas.height = h;
    canvas.style.width = `${width}px`;
    canvas.style.height = `${height}px`;
    ctx.setTransform(scale, 0, 0, scale, 0, 0);
  }
  return ctx;
}
