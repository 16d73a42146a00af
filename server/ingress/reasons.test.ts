import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { HELD_BYTES_MAX, REQUESTS_MAX } from "./ingress.ts";
import { LISTENER_LIMITS } from "../http/listener.ts";

const DOCUMENT = readFileSync("docs/spec/http-api.md", "utf8");

/** Every way in which a reason is written in the sources. */
const WRITTEN = [/reason: "([a-z-]+)"/g, /\b(?:bad|problem)\(\s*"([a-z-]+)",/g];

function reasonsInSources(): Set<string> {
  const found = new Set<string>();
  for (const folder of ["server/http", "server/ingress"]) {
    for (const name of readdirSync(folder)) {
      if (!name.endsWith(".ts") || /\.(test|suite)\.ts$/.test(name)) continue;
      const text = readFileSync(`${folder}/${name}`, "utf8");
      for (const pattern of WRITTEN) {
        for (const match of text.matchAll(pattern)) found.add(match[1] ?? "");
      }
    }
  }
  return found;
}

test("the table of reasons in the specification is the set of reasons in the code", () => {
  const table = DOCUMENT.slice(DOCUMENT.indexOf("### 1.4"), DOCUMENT.indexOf("### 1.5"));
  const documented = new Set(
    [...table.matchAll(/^\| `([a-z-]+)` \|/gm)].map((match) => match[1] ?? ""),
  );
  const inCode = reasonsInSources();
  assert.ok(inCode.size > 25);
  const missing = [...inCode].filter((reason) => !documented.has(reason));
  const invented = [...documented].filter((reason) => !inCode.has(reason));
  assert.deepEqual({ missing, invented }, { missing: [], invented: [] });
});

test("the limits that the specification names are the ones in force", () => {
  const { headBytesMax, urlBytesMax, headersTimeoutMs, requestTimeoutMs } = LISTENER_LIMITS;
  for (const text of [
    `above ${headBytesMax / 1024} KiB`,
    `above ${urlBytesMax / 1024} KiB`,
    `headers not complete in ${headersTimeoutMs / 1000} s, or the request in ${requestTimeoutMs / 1000} s`,
    `their bound, ${HELD_BYTES_MAX / 1024 / 1024} MiB`,
    `${REQUESTS_MAX / 1000} 000 requests are open`,
  ]) {
    assert.ok(DOCUMENT.includes(text), text);
  }
});
