import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { DamageError } from "./damage-error.ts";
import { unpackDelta } from "./delta-pages.ts";
import {
  BASE,
  CONTENTS,
  contents,
  damages,
  DELTA,
  HEAD,
  heads,
  resealed,
  sha256,
} from "./format.suite.ts";
import type { SegmentContent, SegmentHead } from "./segment.ts";
import { CLAIM_BYTES, decodeSegment, encodeSegment, nextSeq, WINDOW } from "./segment-codec.ts";

const CLAIM: SegmentContent = { kind: "claim" };
const encode = (content: SegmentContent, head: Partial<SegmentHead> = {}): Uint8Array =>
  encodeSegment({ ...HEAD, ...head }, content).bytes;

/** Refused with a sentence, and nothing else. */
function refuses(bytes: Uint8Array, message?: RegExp | string, what?: string): void {
  assert.throws(
    () => decodeSegment(bytes),
    (error) => {
      assert.ok(error instanceof DamageError, `${what ?? ""}: ${String(error)}`);
      if (message !== undefined) assert.match(error.message, new RegExp(message));
      return true;
    },
    what,
  );
}

describe("a segment", () => {
  it("is read as it was written, whatever it says", () => {
    fc.assert(
      fc.property(heads, contents, (head, content) => {
        const { bytes, segment } = encodeSegment(head, content);
        assert.deepEqual(decodeSegment(bytes), segment);
        assert.deepEqual({ ...segment.head, host: "" }, { ...head, host: "" });
        assert.deepEqual(segment.content, content);
        assert.deepEqual(segment.hash, new Uint8Array(bytes.slice(-32)));
        assert.deepEqual(segment.hash, sha256(bytes.slice(0, -32)));
      }),
    );
  });

  it("has its fields where the format says", () => {
    const bytes = Buffer.from(encode(DELTA));
    assert.equal(bytes.toString("latin1", 0, 8), "HFSEG\0\0\x01");
    assert.deepEqual([...bytes.subarray(8, 12)], [2, 1, 0, 0]);
    assert.equal(bytes.readUInt32BE(12), 3);
    assert.equal(bytes.readBigUInt64BE(16), 0x1_0000_0002n);
    assert.equal(bytes.readBigUInt64BE(24), 0x1_0000_0003n);
    assert.equal(bytes.toString("hex", 32, 48), "aa".repeat(16));
    assert.equal(bytes.toString("hex", 48, 64), "bb".repeat(16));
    assert.equal(bytes.toString("hex", 64, 96), "cc".repeat(32));
    assert.equal(bytes.readBigUInt64BE(96), 1_760_000_000_000n);
    const words = Array.from({ length: 10 }, (_, index) => bytes.readUInt32BE(104 + index * 4));
    const state = [3, 9, 0xdeadbeef, 7, 42, 0xffff_ffff, 0x8000_0000, 1];
    assert.deepEqual(words, [...state, DELTA.body.length, 3 * 4100 + 48]);
    assert.equal(bytes.toString("utf8", 144, 192), "möwe-1".padEnd(47, "\0"));
    assert.deepEqual(new Uint8Array(bytes.subarray(192, -32)), DELTA.body);
  });

  it("of a claim is known by its length, which no other has", () => {
    assert.equal(encode(CLAIM).length, CLAIM_BYTES);
    assert.equal(CLAIM_BYTES, 224);
    for (const [what, content] of CONTENTS) {
      if (content.kind !== "claim") assert.ok(encode(content).length > CLAIM_BYTES, what);
    }
  });

  it("is followed by the next number, a claim by the one behind the window", () => {
    assert.equal(nextSeq({ head: HEAD, content: DELTA }), HEAD.seq + 1);
    assert.equal(nextSeq({ head: HEAD, content: BASE }), HEAD.seq + 1);
    assert.equal(nextSeq({ head: HEAD, content: CLAIM }), HEAD.seq + WINDOW);
  });

  it("holds a long host's name as far as it fits, between characters", () => {
    const hostOf = (host: string): string => {
      const { bytes, segment } = encodeSegment({ ...HEAD, host }, CLAIM);
      assert.equal(segment.head.host, decodeSegment(bytes).head.host);
      return segment.head.host;
    };
    assert.equal(hostOf("x".repeat(49)), "x".repeat(48));
    assert.equal(hostOf(`${"x".repeat(47)}é`), "x".repeat(47));
    assert.equal(hostOf(`${"x".repeat(45)}🐦`), "x".repeat(45));
    assert.equal(hostOf("before\0after"), "before");
    assert.equal(hostOf("\ufeffname"), "\ufeffname");
    assert.equal(hostOf(""), "");
  });

  for (const [what, content] of CONTENTS) {
    it(`of ${what} is refused with any byte flipped, cut anywhere, and with a byte too many`, () => {
      for (const [damage, damaged] of damages(encode(content))) {
        refuses(damaged, undefined, damage);
      }
    });
  }

  it("is refused with any bytes changed", () => {
    fc.assert(
      fc.property(
        heads,
        contents,
        fc.array(fc.tuple(fc.nat(), fc.integer({ min: 1, max: 255 })), {
          minLength: 1,
          maxLength: 5,
        }),
        (head, content, changes) => {
          const { bytes } = encodeSegment(head, content);
          const damaged = bytes.slice();
          for (const [at, mask] of changes) {
            const index = at % damaged.length;
            damaged[index] = (damaged[index] ?? 0) ^ mask;
          }
          fc.pre(Buffer.compare(damaged, bytes) !== 0);
          refuses(damaged);
        },
      ),
    );
  });

  it("that is garbage is refused, even garbage with the right beginning, lengths and checksum", () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 600 }), (bytes) => refuses(bytes)));
    const fields = fc.uint8Array({ minLength: CLAIM_BYTES, maxLength: 600 });
    fc.assert(
      fc.property(fields, fc.integer({ min: 0, max: 4 }), (bytes, kind) => {
        const sealed = resealed(bytes, (copy) => {
          copy.write("HFSEG\0\0\x01", 0, "latin1");
          copy.writeUInt8(kind, 8);
          copy.writeUInt16BE(0, 10);
          copy.writeUInt32BE(copy.length - CLAIM_BYTES, 136);
        });
        refuses(sealed);
      }),
    );
  });

  it("with any bytes changed and a right checksum is refused, or is a segment whose pages are", () => {
    fc.assert(
      fc.property(heads, contents, fc.nat(), fc.nat(255), (head, content, at, value) => {
        const { bytes } = encodeSegment(head, content);
        const index = at % (bytes.length - 32);
        try {
          const changed = decodeSegment(resealed(bytes, (copy) => copy.writeUInt8(value, index)));
          if (changed.content.kind === "delta") unpackDelta(changed.content);
        } catch (error) {
          assert.ok(error instanceof DamageError, String(error));
        }
      }),
      { numRuns: 2000 },
    );
  });

  it("does not live in the bytes it was read from, except a delta's body, which is a part of them", () => {
    const bytes = encode(BASE);
    const read = decodeSegment(bytes);
    bytes.fill(0);
    assert.deepEqual(read.head, HEAD);
    assert.deepEqual(read.content, BASE);
    const stored = encode(DELTA);
    const { content } = decodeSegment(stored);
    assert.ok(content.kind === "delta" && content.body.buffer === stored.buffer);
  });
});

describe("a segment whose checksum is right", () => {
  interface Case {
    readonly says: string;
    readonly content?: SegmentContent;
    readonly change: (bytes: Buffer) => void;
  }

  const cases: Record<string, Case> = {
    "of a newer format": {
      change: (bytes) => bytes.writeUInt8(2, 7),
      says: "^the segment was written by a newer Holdfast \\(format 2\\)",
    },
    "of format 0": { change: (bytes) => bytes.writeUInt8(0, 7), says: "^this is no segment$" },
    "with another beginning": {
      change: (bytes) => bytes.write("HFSNP", 0),
      says: "^this is no segment$",
    },
    "of another kind": {
      change: (bytes) => bytes.writeUInt8(4, 8),
      says: "^segments of kind 4 are not known$",
    },
    "with a compression that is not known": {
      change: (bytes) => bytes.writeUInt8(2, 9),
      says: "compression",
    },
    "of a delta that is not compressed": {
      change: (bytes) => bytes.writeUInt8(0, 9),
      says: "compression",
    },
    "of a base that is compressed": {
      content: BASE,
      change: (bytes) => bytes.writeUInt8(1, 9),
      says: "compression",
    },
    "with something in a reserved field": {
      change: (bytes) => bytes.writeUInt8(1, 11),
      says: "reserved",
    },
    "of epoch 0": { change: (bytes) => bytes.writeUInt32BE(0, 12), says: "no epoch" },
    "of number 0": { change: (bytes) => bytes.writeBigUInt64BE(0n, 16), says: "no number" },
    "of a number that cannot be counted with": {
      change: (bytes) => bytes.writeBigUInt64BE(2n ** 53n, 16),
      says: "out of range",
    },
    "with a wrong successor": {
      change: (bytes) => bytes.writeBigUInt64BE(BigInt(HEAD.seq + WINDOW), 24),
      says: "successor",
    },
    "of a claim with the successor of a delta": {
      content: CLAIM,
      change: (bytes) => bytes.writeBigUInt64BE(BigInt(HEAD.seq + 1), 24),
      says: "successor",
    },
    "with a successor out of range": {
      change: (bytes) => bytes.writeBigUInt64BE(2n ** 64n - 1n, 24),
      says: "out of range",
    },
    "of a time that no calendar has": {
      change: (bytes) => bytes.writeBigUInt64BE(8_640_000_000_000_001n, 96),
      says: "time",
    },
    "with more pages than it says": {
      change: (bytes) => bytes.writeUInt32BE(2, 104),
      says: "contradict",
    },
    "with more payloads than its size": {
      change: (bytes) => bytes.writeUInt32BE(2, 132),
      says: "contradict",
    },
    "with a longer body than there is": {
      change: (bytes) => bytes.writeUInt32BE(0xffff_ffff, 136),
      says: "as long as it says",
    },
    "with a shorter body than there is": {
      change: (bytes) => bytes.writeUInt32BE(1, 136),
      says: "as long as it says",
    },
    "with another raw size": {
      change: (bytes) => bytes.writeUInt32BE(0xffff_ffff, 140),
      says: "contradict",
    },
    "with more pages than the database": {
      change: (bytes) => bytes.writeUInt32BE(2, 108),
      says: "more pages than the database",
    },
    "with a host that is not UTF-8": {
      change: (bytes) => bytes.writeUInt8(0xff, 144),
      says: "not text",
    },
    "with something behind the host's end": {
      change: (bytes) => bytes.write("x", 191),
      says: "host",
    },
    "of a claim that says a number of pages": {
      content: CLAIM,
      change: (bytes) => bytes.writeUInt32BE(1, 104),
      says: "its kind does not",
    },
    "of a claim with database pages": {
      content: CLAIM,
      change: (bytes) => bytes.writeUInt32BE(1, 108),
      says: "no state",
    },
    "of a claim with the last bit of a position": {
      content: CLAIM,
      change: (bytes) => bytes.writeUInt8(1, 131),
      says: "no state",
    },
    "of a claim with payloads": {
      content: CLAIM,
      change: (bytes) => bytes.writeUInt32BE(1, 132),
      says: "its kind does not",
    },
    "of a claim with a raw size": {
      content: CLAIM,
      change: (bytes) => bytes.writeUInt32BE(1, 140),
      says: "contradict",
    },
    "of a base that says it is a claim": {
      content: BASE,
      change: (bytes) => bytes.writeUInt8(1, 8),
      says: "no body",
    },
    "of a claim that says it is a delta": {
      content: CLAIM,
      change: (bytes) => {
        bytes.writeUInt8(2, 8);
        bytes.writeUInt8(1, 9);
      },
      says: "has a body",
    },
    "of a claim that says it is a base": {
      content: CLAIM,
      change: (bytes) => bytes.writeUInt8(3, 8),
      says: "another length",
    },
    "of a base with pages": {
      content: BASE,
      change: (bytes) => bytes.writeUInt32BE(1, 104),
      says: "its kind does not",
    },
    "of a base with a raw size": {
      content: BASE,
      change: (bytes) => bytes.writeUInt32BE(41, 140),
      says: "contradict",
    },
    "of a base of a snapshot whose size is out of range": {
      content: BASE,
      change: (bytes) => bytes.writeBigUInt64BE(2n ** 53n, 192 + 32),
      says: "out of range",
    },
  };

  for (const [what, { content = DELTA, change, says }] of Object.entries(cases)) {
    it(`${what} is refused`, () => refuses(resealed(encode(content), change), says));
  }

  it("is accepted when nothing was changed, so that the cases above mean something", () => {
    for (const content of [CLAIM, DELTA, BASE]) {
      decodeSegment(resealed(encode(content), () => {}));
    }
  });
});

describe("writing a segment", () => {
  const refusesToWrite = (head: Partial<SegmentHead>, content: SegmentContent = DELTA): void => {
    assert.throws(() => encode(content, head), /AssertionError|ERR_OUT_OF_RANGE/);
  };

  it("is refused where it could not be read", () => {
    refusesToWrite({ replicaId: new Uint8Array(15) });
    refusesToWrite({ writerId: new Uint8Array(17) });
    refusesToWrite({ previousHash: new Uint8Array(0) });
    refusesToWrite({ seq: 0 });
    refusesToWrite({ seq: Number.MAX_SAFE_INTEGER });
    refusesToWrite({ epoch: 0 });
    refusesToWrite({ epoch: 0x1_0000_0000 });
    refusesToWrite({ timeMs: -1 });
    refusesToWrite({ timeMs: 0.5 });
    refusesToWrite({}, { ...DELTA, rawSize: DELTA.rawSize + 1 });
    refusesToWrite({}, { ...DELTA, databasePages: 2 });
    refusesToWrite({}, { ...DELTA, body: new Uint8Array(0) });
    refusesToWrite({}, { ...BASE, snapshotHash: new Uint8Array(31) });
    refusesToWrite({}, { ...BASE, snapshotSize: -1 });
  });
});
