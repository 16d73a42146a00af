import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { encodeFrame, FRAME_HEADER_BYTES, FrameDecoder } from "./frame.ts";
import type { Frame } from "./frame.ts";
import { ProtocolError } from "./protocol-error.ts";

const MIB = 1024 * 1024;

const frame: fc.Arbitrary<Frame> = fc.record(
  {
    type: fc.integer({ min: 0, max: 0xffff }),
    ackRequested: fc.boolean(),
    body: fc.oneof(
      fc.uint8Array({ maxLength: 40 }),
      fc.integer({ min: 4000, max: 9000 }).map((length) => new Uint8Array(length).fill(length)),
    ),
  },
  { noNullPrototype: true },
);

const encode = ({ type, body, ackRequested }: Frame): Uint8Array =>
  encodeFrame(type, body, ackRequested);

function concat(parts: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(Buffer.concat(parts));
}

function drain(decoder: FrameDecoder): Frame[] {
  const frames: Frame[] = [];
  for (let next = decoder.next(); next !== undefined; next = decoder.next()) frames.push(next);
  return frames;
}

/** The chunks of `bytes` between the cuts. */
function cut(bytes: Uint8Array, cuts: readonly number[]): Uint8Array[] {
  const ends = [...cuts.map((at) => at % (bytes.length + 1)), bytes.length].toSorted(
    (a, b) => a - b,
  );
  return ends.map((end, index) => bytes.slice(ends[index - 1] ?? 0, end));
}

test("a frame is type, flags and length in big-endian, then the payload", () => {
  assert.deepEqual(
    encodeFrame(0x0411, Uint8Array.of(1, 2, 3)),
    Uint8Array.of(0x04, 0x11, 0, 0, 0, 0, 0, 3, 1, 2, 3),
  );
  assert.deepEqual(
    encodeFrame(0xfbff, new Uint8Array(0), true),
    Uint8Array.of(0xfb, 0xff, 0x80, 0, 0, 0, 0, 0),
  );
  const long = encodeFrame(1, new Uint8Array(0x01_02_03));
  assert.deepEqual(long.subarray(0, FRAME_HEADER_BYTES), Uint8Array.of(0, 1, 0, 0, 0, 1, 2, 3));
});

test("any cut of the bytes gives the same frames", () => {
  fc.assert(
    fc.property(
      fc.array(frame, { maxLength: 8 }),
      fc.array(fc.nat(), { maxLength: 30 }),
      (frames, cuts) => {
        const decoder = new FrameDecoder(MIB);
        const seen: Frame[] = [];
        for (const chunk of cut(concat(frames.map(encode)), cuts)) {
          decoder.push(chunk);
          seen.push(...drain(decoder));
        }
        assert.deepEqual(seen, frames);
        assert.equal(decoder.pendingBytes, 0);
      },
    ),
    { numRuns: 500 },
  );
});

test("frames may be taken at any time after their chunks were pushed", () => {
  fc.assert(
    fc.property(
      fc.array(frame, { maxLength: 8 }),
      fc.array(fc.nat(), { maxLength: 30 }),
      fc.array(fc.boolean(), { minLength: 31, maxLength: 31 }),
      (frames, cuts, drains) => {
        const decoder = new FrameDecoder(MIB);
        const seen: Frame[] = [];
        for (const [index, chunk] of cut(concat(frames.map(encode)), cuts).entries()) {
          decoder.push(chunk);
          const next = drains[index] === true ? decoder.next() : undefined;
          if (next !== undefined) seen.push(next);
        }
        seen.push(...drain(decoder));
        assert.deepEqual(seen, frames);
      },
    ),
    { numRuns: 1000 },
  );
});

test("bytes that no frame has carried away are counted", () => {
  fc.assert(
    fc.property(fc.array(frame, { minLength: 1, maxLength: 4 }), fc.nat(), (frames, at) => {
      const bytes = concat(frames.map(encode));
      const length = at % (bytes.length + 1);
      const decoder = new FrameDecoder(MIB);
      for (const byte of bytes.subarray(0, Math.min(length, 100)))
        decoder.push(Uint8Array.of(byte));
      decoder.push(bytes.subarray(Math.min(length, 100), length));
      const carried = drain(decoder).reduce(
        (sum, { body }) => sum + body.length + FRAME_HEADER_BYTES,
        0,
      );
      assert.equal(decoder.pendingBytes, length - carried);
    }),
  );
});

test("a payload within one chunk is a view of it", () => {
  const chunk = encodeFrame(1, Uint8Array.of(7, 8, 9));
  const decoder = new FrameDecoder(MIB);
  decoder.push(chunk);
  const body = decoder.next()?.body;
  assert.equal(body?.buffer, chunk.buffer);
  assert.equal(body?.byteOffset, FRAME_HEADER_BYTES);
});

test("a cut payload does not change when the chunks it came in are reused", () => {
  const bytes = encodeFrame(1, Uint8Array.of(1, 2, 3, 4));
  const decoder = new FrameDecoder(MIB);
  const first = bytes.slice(0, 10);
  const second = bytes.slice(10);
  decoder.push(first);
  assert.equal(decoder.next(), undefined);
  decoder.push(second);
  const body = decoder.next()?.body;
  first.fill(0);
  second.fill(0);
  assert.deepEqual(body, Uint8Array.of(1, 2, 3, 4));
});

test("a message may be as long as the limit and not a byte longer", () => {
  const decoder = new FrameDecoder(16);
  decoder.push(encodeFrame(1, new Uint8Array(16)));
  assert.equal(decoder.next()?.body.length, 16);
  decoder.push(encodeFrame(1, new Uint8Array(17)).subarray(0, FRAME_HEADER_BYTES));
  assert.throws(
    () => decoder.next(),
    (error) => error instanceof ProtocolError && error.code === 413,
  );
});

test("frames in front of an over-long one are delivered, and it is refused at its header and ever after", () => {
  fc.assert(
    fc.property(
      fc.array(frame, { maxLength: 3 }),
      fc.array(fc.nat(), { maxLength: 8 }),
      (frames, cuts) => {
        const header = Uint8Array.of(0, 1, 0, 0, 0xff, 0xff, 0xff, 0xff);
        const decoder = new FrameDecoder(MIB);
        const seen: Frame[] = [];
        for (const chunk of cut(concat([...frames.map(encode), header]), cuts)) decoder.push(chunk);
        for (const _ of frames) {
          const next = decoder.next();
          if (next !== undefined) seen.push(next);
        }
        assert.deepEqual(seen, frames);
        const tooLong = (error: unknown): boolean =>
          error instanceof ProtocolError &&
          error.code === 413 &&
          error.message.includes("4294967295");
        assert.throws(() => decoder.next(), tooLong);
        decoder.push(encodeFrame(3, new Uint8Array(0)));
        assert.throws(() => decoder.next(), tooLong);
      },
    ),
  );
});

test("a length that is only announced costs no memory", () => {
  const before = process.memoryUsage().arrayBuffers;
  const decoders = Array.from({ length: 200 }, () => new FrameDecoder(64 * MIB));
  for (const decoder of decoders) {
    decoder.push(Uint8Array.of(4, 1, 0, 0, 0x02, 0, 0, 0, 42));
    assert.equal(decoder.next(), undefined);
  }
  assert.ok(process.memoryUsage().arrayBuffers - before < 16 * MIB);
});

test("a large message in small chunks takes linear time", () => {
  const timeMs = (bodyBytes: number): number => {
    const bytes = encodeFrame(1, new Uint8Array(bodyBytes).fill(5));
    const decoder = new FrameDecoder(64 * MIB);
    const start = process.hrtime.bigint();
    let body: Uint8Array | undefined;
    for (let at = 0; at < bytes.length; at += 64) {
      decoder.push(bytes.subarray(at, at + 64));
      body = decoder.next()?.body;
    }
    const elapsedMs = Number(process.hrtime.bigint() - start) / 1e6;
    assert.equal(body?.length, bodyBytes);
    assert.equal(body?.at(-1), 5);
    return elapsedMs;
  };
  timeMs(MIB);
  const small = Math.min(timeMs(MIB), timeMs(MIB), timeMs(MIB));
  const large = Math.min(timeMs(16 * MIB), timeMs(16 * MIB));
  // 16 times the bytes: 16 times the work, and 256 times if it were quadratic.
  assert.ok(large < 80 * Math.max(small, 0.5), `${large} ms for 16 times ${small} ms`);
});
