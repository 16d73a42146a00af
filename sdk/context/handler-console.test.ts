import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { consoleLogger, LoggerContext, type LogMetadata, LogSource } from "../define/logger.ts";
import { handlerConsole } from "./handler-console.ts";

describe("the console of a handler", () => {
  it("hands lines with a level to the logger and keeps the others while replaying", (t) => {
    const lines: unknown[] = [];
    const table = t.mock.method(console, "table", () => {});
    let replaying = true;
    const context = new LoggerContext("inv_1x", "S", "h");
    const own = handlerConsole(
      (meta, ...message) => lines.push([meta.level, meta.replaying, ...message]),
      () => context,
      () => replaying,
    );
    own.log("a", 1);
    own.table([]);
    assert.equal(table.mock.callCount(), 0);
    replaying = false;
    own.debug("b");
    own.table([]);
    assert.equal(table.mock.callCount(), 1);
    assert.deepEqual(lines, [
      ["info", true, "a", 1],
      ["debug", false, "b"],
    ]);
  });
});

describe("the default logger", () => {
  it("names the invocation, and is silent while replaying and below info", (t) => {
    const info = t.mock.method(console, "info", () => {});
    const debug = t.mock.method(console, "debug", () => {});
    const context = new LoggerContext("inv_1x", "S", "h");
    const meta: LogMetadata = { source: LogSource.USER, level: "info", replaying: false, context };
    consoleLogger(meta, "hi", 1);
    consoleLogger({ ...meta, replaying: true }, "again");
    consoleLogger({ ...meta, level: "debug" }, "detail");
    consoleLogger({ source: LogSource.SYSTEM, level: "info", replaying: false }, "system");
    assert.deepEqual(
      info.mock.calls.map((call) => call.arguments),
      [
        ["[holdfast][S/h][inv_1x]", "hi", 1],
        ["[holdfast]", "system"],
      ],
    );
    assert.equal(debug.mock.callCount(), 0);
  });
});
