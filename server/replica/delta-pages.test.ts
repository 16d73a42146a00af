import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { deflateRawSync } from "node:zlib";
import fc from "fast-check";
import { DamageError } from "./damage-error.ts";
import { packDelta, unpackDelta } from "./delta-pages.ts";
import { BLOB, DELTA, deltaOf, deltaPages, PAGE_BYTES, pagesFrom } from "./format.suite.ts";
import type { Delta } from "./segment.ts";

function refuses(delta: Delta, message?: RegExp): void {
  assert.throws(
    () => unpackDelta(delta),
    (error) => {
      assert.ok(error instanceof DamageError, String(error));
      if (message !== undefined) assert.match(error.message, message);
      return true;
    },
  );
}

/** A delta whose page numbers are these, as nobody writes it. */
function numbered(numbers: readonly number[], databasePages = 9): Delta {
  const raw = Buffer.alloc(numbers.length * (4 + PAGE_BYTES));
  for (const [index, number] of numbers.entries()) raw.writeUInt32BE(number, index * 4);
  const body = new Uint8Array(deflateRawSync(raw));
  const { position } = DELTA;
  return {
    kind: "delta",
    databasePages,
    position,
    pageCount: numbers.length,
    blobCount: 0,
    rawSize: raw.length,
    body,
  };
}

describe("the body of a delta", () => {
  it("is read as it was written", () => {
    fc.assert(
      fc.property(deltaPages, (content) => {
        const delta = deltaOf(content, content.numbers.at(-1) ?? 0);
        assert.deepEqual(unpackDelta(delta), content);
      }),
    );
  });

  it("may be of nothing, and is some bytes all the same", () => {
    const nothing = { blobs: [], numbers: [], pages: new Uint8Array(0) };
    const delta = deltaOf(nothing, 0);
    assert.ok(delta.body.length > 0);
    assert.equal(delta.rawSize, 0);
    assert.deepEqual(unpackDelta(delta), nothing);
  });

  it("may name payloads alone", () => {
    const content = { blobs: [BLOB], numbers: [], pages: new Uint8Array(0) };
    assert.deepEqual(unpackDelta(deltaOf(content, 7)), content);
  });

  it("holds pages that do not compress, and many of them", () => {
    let state = 1;
    const pages = new Uint8Array(300 * PAGE_BYTES).map(() => {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
      return state >>> 24;
    });
    const numbers = Array.from({ length: 300 }, (_, index) => 2 * index + 1);
    const content = { blobs: [], numbers, pages };
    assert.deepEqual(unpackDelta(deltaOf(content, 600)), content);
  });

  it("has a buffer of its own, so that a thread can hand it over", () => {
    const { body } = packDelta({ blobs: [], numbers: [1], pages: pagesFrom(1, 1) });
    assert.equal(body.byteLength, body.buffer.byteLength);
  });

  it("is refused when its page numbers do not rise from 1 to the database's last page", () => {
    assert.deepEqual(unpackDelta(numbered([1, 5, 9])).numbers, [1, 5, 9]);
    refuses(numbered([0, 1]), /page numbers/);
    refuses(numbered([1, 1]), /page numbers/);
    refuses(numbered([5, 4]), /page numbers/);
    refuses(numbered([1, 10]), /page numbers/);
    refuses(numbered([1, 0xffff_ffff]), /page numbers/);
  });

  it("is refused when it is longer or shorter than it says", () => {
    const { body, ...rest } = numbered([1, 2]);
    const raw = 2 * (4 + PAGE_BYTES);
    refuses({ ...rest, body: deflateRawSync(Buffer.alloc(raw - 1)) }, /another length/);
    refuses({ ...rest, body: deflateRawSync(Buffer.alloc(raw + 1)) }, /cannot be read/);
    refuses({ ...rest, body: body.slice(0, -1) }, /cannot be read/);
    refuses({ ...rest, body: new Uint8Array([...body, 0]) }, /follows/);
    refuses({ ...rest, body, rawSize: raw - 1 }, /contradict/);
    refuses({ ...rest, body, blobCount: 1 }, /contradict/);
  });

  it("that would fill the memory is given up at the size it says", () => {
    const bomb = new Uint8Array(deflateRawSync(Buffer.alloc(16 * 1024 * 1024)));
    assert.throws(
      () => unpackDelta({ ...numbered([1]), body: bomb }),
      (error) => {
        assert.ok(error instanceof DamageError);
        assert.ok(error.cause instanceof Error && "code" in error.cause);
        return error.cause.code === "ERR_BUFFER_TOO_LARGE";
      },
    );
  });

  it("with a payload of a size that cannot be counted with is refused", () => {
    const raw = Buffer.alloc(48, 0xff);
    const body = new Uint8Array(deflateRawSync(raw));
    refuses({ ...numbered([]), blobCount: 1, rawSize: 48, body }, /out of range/);
  });

  it("that is garbage is refused, or has the size it says", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.nat(2), fc.nat(2), (body, pages, blobs) => {
        const rawSize = pages * (4 + PAGE_BYTES) + blobs * 48;
        const delta = { ...DELTA, pageCount: pages, blobCount: blobs, rawSize, body };
        try {
          assert.equal(unpackDelta(delta).pages.length, pages * PAGE_BYTES);
        } catch (error) {
          assert.ok(error instanceof DamageError, String(error));
        }
      }),
    );
  });

  it("is not written out of order, or with another number of pages than of numbers", () => {
    const pack = (numbers: number[], count: number) => () =>
      packDelta({ blobs: [], numbers, pages: pagesFrom(1, count) });
    assert.throws(pack([2, 1], 2), { name: "AssertionError" });
    assert.throws(pack([0], 1), { name: "AssertionError" });
    assert.throws(pack([1], 2), { name: "AssertionError" });
    const blobs = [{ ...BLOB, id: new Uint8Array(9) }];
    assert.throws(() => packDelta({ blobs, numbers: [], pages: new Uint8Array(0) }), {
      name: "AssertionError",
    });
  });
});
