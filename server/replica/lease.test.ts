import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { decodeLease, encodeLease, type Lease, leaseOf } from "./lease.ts";

const WRITER = { epoch: 3, writerId: new Uint8Array(16).fill(0xab), host: "möwe-1" };
const STATE = { leaseMs: 10_000, beat: 7, segment: 41, ended: false };
const LEASE = leaseOf(WRITER, STATE);

const bytesOf = (value: unknown): Uint8Array => Buffer.from(JSON.stringify(value));
const document = (): Record<string, unknown> =>
  JSON.parse(Buffer.from(encodeLease(LEASE)).toString()) as Record<string, unknown>;

describe("a lease", () => {
  it("looks as the format says", () => {
    assert.deepEqual(document(), {
      format: 1,
      epoch: 3,
      writer: "ab".repeat(16),
      host: "möwe-1",
      lease_ms: 10_000,
      beat: 7,
      segment: 41,
      ended: false,
    });
  });

  it("is read as it was written", () => {
    const count = fc.nat(Number.MAX_SAFE_INTEGER);
    const states: fc.Arbitrary<typeof STATE> = fc.record({
      leaseMs: fc.integer({ min: 1, max: 2 ** 31 - 1 }),
      beat: count,
      segment: count,
      ended: fc.boolean(),
    });
    fc.assert(
      fc.property(states, fc.string({ maxLength: 48, unit: "grapheme" }), (state, host) => {
        const lease: Lease = leaseOf({ ...WRITER, host: host.slice(0, 256) }, state);
        assert.deepEqual(decodeLease(encodeLease(lease), WRITER), lease);
      }),
    );
  });

  it("of another epoch or writer tells nothing", () => {
    assert.equal(decodeLease(encodeLease(LEASE), { ...WRITER, epoch: 4 }), null);
    const writerId = new Uint8Array(16).fill(0xac);
    assert.equal(decodeLease(encodeLease(LEASE), { ...WRITER, writerId }), null);
  });

  it("that is none tells nothing", () => {
    const wrong: Record<string, readonly unknown[]> = {
      format: [0, 2, "1", null],
      epoch: ["3", 3.5, -3, null, {}],
      writer: [7, "", "AB".repeat(16), null],
      host: [null, 1, "x".repeat(300)],
      lease_ms: [0, -1, 0.5, 2 ** 31, "10s", null],
      beat: [-1, 1.5, "7", null, 2 ** 53],
      segment: [-1, null, "41"],
      ended: [0, null, "false"],
    };
    for (const [name, values] of Object.entries(wrong)) {
      for (const value of [...values, undefined]) {
        const stored = bytesOf({ ...document(), [name]: value });
        assert.equal(decodeLease(stored, WRITER), null, `${name}: ${String(value)}`);
      }
    }
    for (const text of ["", "{", "null", "[]", "7", '"x"', "\u0000"]) {
      assert.equal(decodeLease(Buffer.from(text), WRITER), null, text);
    }
  });

  it("never throws, whatever lies there", () => {
    const anything = fc.oneof(
      fc.uint8Array(),
      fc.json().map((json) => Buffer.from(json)),
    );
    fc.assert(fc.property(anything, (stored) => decodeLease(stored, WRITER) === null));
  });
});
