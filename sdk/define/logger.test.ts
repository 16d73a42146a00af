import assert from "node:assert/strict";
import { it, mock } from "node:test";
import { consoleLogger, LoggerContext } from "./logger.ts";

it("a line on the console names the handler, its key, the invocation, and what else is known", () => {
  const lines: unknown[][] = [];
  const warn = mock.method(console, "warn", (...line: unknown[]) => lines.push(line));
  const meta = { source: "USER", level: "warn", replaying: false } as const;
  const of = (context: LoggerContext) => consoleLogger({ ...meta, context }, "said", 1);
  of(new LoggerContext("inv_1x", "S", "h"));
  of(new LoggerContext("inv_1x", "O", "h", "k", undefined, { tenant: "a", zone: "b" }));
  consoleLogger(meta, "said");
  consoleLogger({ ...meta, replaying: true }, "not said");
  warn.mock.restore();
  assert.deepEqual(lines, [
    ["[holdfast][S/h][inv_1x]", "said", 1],
    ["[holdfast][O/k/h][inv_1x][tenant: a][zone: b]", "said", 1],
    ["[holdfast]", "said"],
  ]);
});
