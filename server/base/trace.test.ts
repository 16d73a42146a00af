import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { attemptSpanId, formatTraceparent, parseTraceContext } from "./trace.ts";

const TRACE_ID = "0af7651916cd43dd8448eb211c80319c";
const SPAN_ID = "b7ad6b7169203331";
const VALID = `00-${TRACE_ID}-${SPAN_ID}-01`;

describe("a trace context", () => {
  it("is read from its headers and written as it was", () => {
    const context = parseTraceContext(VALID, "vendor=1");
    assert.deepEqual(context, {
      traceId: TRACE_ID,
      spanId: SPAN_ID,
      flags: "01",
      state: "vendor=1",
    });
    assert(context !== null);
    assert.equal(formatTraceparent(context), VALID);
  });

  it("of a later version may have more parts, of this one it may not", () => {
    assert.notEqual(parseTraceContext(`01-${TRACE_ID}-${SPAN_ID}-01-more`, undefined), null);
    assert.equal(parseTraceContext(`${VALID}-more`, undefined), null);
  });

  it("that is wrong in any part is none", () => {
    const zeros = "0".repeat(32);
    for (const header of [
      undefined,
      "",
      "garbage",
      `ff-${TRACE_ID}-${SPAN_ID}-01`,
      `00-${zeros}-${SPAN_ID}-01`,
      `00-${TRACE_ID}-${zeros.slice(16)}-01`,
      VALID.toUpperCase(),
    ]) {
      assert.equal(parseTraceContext(header, undefined), null);
    }
  });

  it("drops a state that is too long", () => {
    assert.equal(parseTraceContext(VALID, "x".repeat(5000))?.state, null);
  });
});

describe("the span of an attempt", () => {
  it("follows from the invocation and the epoch", () => {
    const id = new Uint8Array(24).fill(7);
    assert.match(attemptSpanId(id, 0), /^[0-9a-f]{16}$/);
    assert.equal(attemptSpanId(id, 3), attemptSpanId(Uint8Array.from(id), 3));
    assert.notEqual(attemptSpanId(id, 3), attemptSpanId(id, 4));
  });
});
