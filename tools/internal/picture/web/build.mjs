// Builds the page, or its tests, from the sources beside this file:
//
//	node build.mjs page [FILE]   write the page to FILE (../page.html)
//	node build.mjs test          run the tests of the model
//	node build.mjs replay PAGE   hold the model against what the kernel says in a trace
//
// The page is one file.  Its first comment holds a digest of the sources and one
// of the page itself, so that Go's tests can tell, without Node, that neither was
// changed without the other.

import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";
import * as esbuild from "esbuild";

const here = fileURLToPath(new URL(".", import.meta.url));
const common = { bundle: true, target: "es2022", charset: "utf8", absWorkingDir: here, logLevel: "warning" };

/** text reads a source, with the line ends that git may have changed. */
const text = (path) => readFileSync(join(here, path), "utf8").replaceAll("\r\n", "\n");
const sha = (s) => createHash("sha256").update(s, "utf8").digest("hex");

/** sources are the files that the page is made of, in the order of their names. */
function sources() {
  const inSrc = readdirSync(join(here, "src"), { recursive: true, withFileTypes: true })
    .filter((d) => d.isFile())
    .map((d) => relative(here, join(d.parentPath ?? d.path, d.name)).split(sep).join("/"));
  return [...inSrc, "build.mjs", "index.html", "package-lock.json", "package.json", "style.css", "tsconfig.json"].sort();
}

async function page(file) {
  const { outputFiles } = await esbuild.build({ ...common, entryPoints: ["src/main.ts"], format: "iife", write: false });
  const script = outputFiles[0].text.replaceAll("</script", "<\\/script");
  const body = text("index.html")
    .replace("/* style.css */", () => text("style.css").trim())
    .replace("/* main.ts */", () => script.trim());
  const digest = sha(sources().map((path) => `${path} ${sha(text(path))}\n`).join(""));
  writeFileSync(file, body.replace("<html", () => `<!-- sources ${digest}, page ${sha(body)} -->\n<html`));
}

/** inBundle builds files of test/ for Node, calls run with the results, and removes them. */
async function inBundle(names, run) {
  const out = mkdtempSync(join(tmpdir(), "picture-"));
  try {
    await esbuild.build({
      ...common, entryPoints: names.map((f) => join(here, "test", f)), outdir: out,
      format: "esm", platform: "node", sourcemap: "inline", outExtension: { ".js": ".mjs" },
    });
    const args = run(names.map((f) => join(out, f.replace(/ts$/, "mjs"))));
    return spawnSync(process.execPath, ["--enable-source-maps", ...args], { stdio: "inherit" }).status ?? 1;
  } finally {
    rmSync(out, { recursive: true });
  }
}

const tests = () => readdirSync(join(here, "test")).filter((f) => f.endsWith(".test.ts"));

const [what, file] = process.argv.slice(2);
if (what === "page") await page(file ?? join(here, "..", "page.html"));
else if (what === "test") process.exitCode = await inBundle(tests(), (files) => ["--test", ...files]);
else if (what === "replay" && file) process.exitCode = await inBundle(["replay.ts"], ([script]) => [script, file]);
else {
  console.error("usage: node build.mjs page [FILE] | test | replay PAGE");
  process.exitCode = 2;
}
