// Sentences as elements: processes, frames and addresses in them can be told apart.

import { h } from "./dom.ts";
import { hex } from "./records.ts";
import { type Part } from "./sentence.ts";
import { hue } from "./theme.ts";

/** speech makes a sentence into elements. */
export function speech(parts: Part[]): Node[] {
  return parts.map((p) => {
    if (typeof p === "string") return document.createTextNode(p);
    if ("pid" in p) return h("b", { class: "pid", style: `--hue:${hue(p.pid)}` }, p.pid === 0 ? "the kernel" : `PID ${p.pid}`);
    return "frame" in p ? h("code", { class: "frame" }, hex(p.frame)) : h("code", {}, hex(p.va));
  });
}
