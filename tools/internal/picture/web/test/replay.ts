// Plays the trace of a page and holds it against what the kernel says itself: with
// each entry it tells how many references its frame has.
//
//	node build.mjs replay PAGE

import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { apply } from "../src/apply.ts";
import { frameOf, present } from "../src/paging.ts";
import { field, Records, hex } from "../src/records.ts";
import { Holds, State } from "../src/state.ts";

/** element is the content of the page's element with that id. */
function element(page: string, id: string): string {
  return new RegExp(`id="${id}">(.*?)</script>`, "s").exec(page)![1];
}

const page = readFileSync(process.argv[2], "utf8");
const records = new Records(JSON.parse(element(page, "about")));
records.append(gunzipSync(Buffer.from(element(page, "trace"), "base64")));
const s = new State();
let compared = 0;
let forking = false; // a fork counts all references before it tells of any
const differ: string[] = [];
for (let i = 0; i < records.length; i++) {
  const e = records.event(i);
  apply(s, records, e);
  if (e.kind === "table-make" && e.aux === 4) forking = true;
  else if (e.kind === "fork" || e.kind === "exec") forking = false;
  const entry = { low: records.word(i, field.new, "low"), high: records.word(i, field.new, "high") };
  if (e.kind !== "entry" || !present(entry) || forking) continue;
  const frame = frameOf(entry);
  // The page cache holds its pages, and the kernel the zero page, besides all who map them.
  const own = s.holds(frame) === Holds.File || s.holds(frame) === Holds.Zero ? 1 : 0;
  compared++;
  if (s.mapped(frame) + own !== e.refs) differ.push(`event ${i}: frame ${hex(frame)} has ${e.refs} references, the picture shows ${s.mapped(frame) + own}`);
}
if (records.damage || compared < 500 || differ.length > 0) {
  console.error(records.damage, `${compared} compared`, ...differ.slice(0, 10));
  process.exitCode = 1;
}
