import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { ProtocolError } from "./protocol-error.ts";
import { fieldSet, WireReader } from "./wire-reader.ts";
import { bytesTag, varintTag, WireWriter } from "./wire-writer.ts";

const hex = (text: string): Uint8Array =>
  Uint8Array.from(Buffer.from(text.replaceAll(/\s/g, ""), "hex"));

function write(fields: (writer: WireWriter) => void): Uint8Array {
  const writer = new WireWriter();
  writer.begin(false);
  fields(writer);
  return writer.finishBody();
}

const undecodable = (error: unknown): boolean =>
  error instanceof ProtocolError && error.code === 500;

/** A varint of any 64-bit number, by the definition. */
function varint(value: bigint): Uint8Array {
  const bytes: number[] = [];
  let rest = value;
  for (; rest > 0x7fn; rest >>= 7n) bytes.push(Number(rest & 0x7fn) | 0x80);
  bytes.push(Number(rest));
  return Uint8Array.from(bytes);
}

test("numbers are written as varints of the shortest form and read back", () => {
  fc.assert(
    fc.property(fc.bigInt({ min: 1n, max: 2n ** 64n - 1n }), fc.nat(63), (number, shift) => {
      const value = number >> BigInt(shift);
      fc.pre(value > 0n);
      const expected = Uint8Array.from([varintTag(3), ...varint(value)]);
      assert.deepEqual(
        write((writer) => writer.uint64(varintTag(3), value)),
        expected,
      );
      assert.equal(new WireReader(varint(value)).uint64(), value);
      if (value < 2n ** 53n) {
        assert.deepEqual(
          write((writer) => writer.uint53(varintTag(3), Number(value))),
          expected,
        );
        assert.equal(new WireReader(varint(value)).uint53(), Number(value));
      }
      if (value < 2n ** 32n) {
        assert.deepEqual(
          write((writer) => writer.uint32(varintTag(3), Number(value))),
          expected,
        );
        assert.equal(new WireReader(varint(value)).uint32(), Number(value));
      } else {
        assert.throws(() => new WireReader(varint(value)).uint32(), undecodable);
      }
      assert.equal(new WireReader(varint(value)).bool(), true);
    }),
    { numRuns: 2000 },
  );
});

test("a varint padded with zeros is read, up to 10 bytes", () => {
  assert.equal(new WireReader(hex("8100")).uint32(), 1);
  assert.equal(new WireReader(hex("8080808000")).uint32(), 0);
  assert.equal(new WireReader(hex("ffffffff8f00")).uint32(), 0xffff_ffff);
  assert.equal(new WireReader(hex("8180808080 8080808000")).uint32(), 1);
  assert.equal(new WireReader(hex("8180808080 8080808000")).uint64(), 1n);
  assert.equal(new WireReader(hex("8080808080 8080808000")).bool(), false);
  for (const bytes of [
    "8180808080 8080808080 00",
    "8180808080 8080808080",
    "ffffffffff ffffffff80 00",
    "ffffffffff ffffffffff",
  ]) {
    assert.throws(() => new WireReader(hex(bytes)).uint32(), undecodable, bytes);
    assert.throws(() => new WireReader(hex(bytes)).uint64(), undecodable, bytes);
  }
});

test("a number of more bits than its field is an error", () => {
  for (const bytes of ["ffffffff1f", "808080807f", "8080808080 01", "ffffffffff ffffffff01"]) {
    assert.throws(() => new WireReader(hex(bytes)).uint32(), undecodable, bytes);
  }
  assert.throws(() => new WireReader(hex("ffffffffff ffffffff02")).uint64(), undecodable);
  assert.equal(new WireReader(hex("ffffffffff ffffffff01")).uint64(), 2n ** 64n - 1n);
});

test("nothing is read past the end of a message or of a sub-message", () => {
  for (const bytes of ["", "80", "ffffffff"]) {
    assert.throws(() => new WireReader(hex(bytes)).uint32(), undecodable);
    assert.throws(() => new WireReader(hex(bytes)).uint64(), undecodable);
    assert.throws(() => new WireReader(hex(bytes)).string(), undecodable);
    assert.throws(() => new WireReader(hex(bytes)).bytes(), undecodable);
  }
  assert.throws(() => new WireReader(hex("0261")).bytes(), undecodable);
  assert.throws(() => new WireReader(hex("ffffffff0f61")).bytes(), undecodable);
  const reader = new WireReader(hex("02 0a03 616161"));
  reader.enter();
  assert.equal(reader.tag(), bytesTag(1));
  assert.throws(() => reader.bytes(), undecodable);
});

test("a field number of 0 and the wire types proto3 does not have are errors", () => {
  for (const bytes of ["00", "0201", "07"]) {
    assert.throws(() => new WireReader(hex(bytes)).tag(), undecodable);
  }
  for (const wireType of [3, 4, 6, 7]) {
    const reader = new WireReader(Uint8Array.of((9 << 3) | wireType, 0, 0, 0, 0, 0, 0, 0, 0));
    assert.throws(() => reader.skipField(reader.tag(), 0), undecodable);
  }
});

test("a known field under another wire type is an error, an unknown one is passed over", () => {
  const known = fieldSet(1, 3);
  for (const [bytes, passed] of [
    ["10 05", true],
    ["08 05", false],
    ["12 01 05", true],
    ["0a 01 05", false],
    ["1d 01020304", false],
    ["15 01020304", true],
    ["15 010203", false],
    ["11 0102030405060708", true],
    ["11 01020304050607", false],
    ["12 03 0505", false],
    // Field 33 and field 2^29-1: beyond the bits of the set.
    ["8802 05", true],
    ["f8ffffff0f 05", true],
  ] as const) {
    const reader = new WireReader(hex(bytes));
    const tag = reader.tag();
    if (passed) {
      reader.skipField(tag, known);
      assert.equal(reader.tag(), 0, bytes);
    } else {
      assert.throws(() => reader.skipField(tag, known), undecodable, bytes);
    }
  }
});

test("sub-messages of any length are written with the length in front", () => {
  for (const length of [0, 1, 125, 126, 127, 128, 129, 16_380, 16_384, 16_400, 2_097_160]) {
    const content = new Uint8Array(length).fill(1);
    const bytes = write((writer) => {
      const start = writer.open(bytesTag(2));
      writer.bytesAlways(bytesTag(1), content);
      writer.close(start);
      writer.uint32(varintTag(3), 9);
    });
    const inner = [bytesTag(1), ...varint(BigInt(length))];
    const head = [bytesTag(2), ...varint(BigInt(inner.length + length)), ...inner];
    assert.deepEqual(Buffer.compare(bytes, Buffer.from([...head, ...content, varintTag(3), 9])), 0);
    const wrapped = write((writer) => {
      writer.wrappedBytes(bytesTag(2), content);
      writer.uint32(varintTag(3), 9);
    });
    if (length > 0) assert.deepEqual(Buffer.compare(wrapped, bytes), 0);
  }
});

test("large messages neither disturb each other nor the small ones between them", () => {
  const writer = new WireWriter();
  const sizes = [10, 9000, 20, 70_000, 8190, 8192, 16_384, 1_000_000, 5];
  const written = sizes.map((size) => {
    writer.begin(false);
    writer.bytesAlways(bytesTag(1), new Uint8Array(size).fill(size));
    return writer.finishBody();
  });
  for (const [index, size] of sizes.entries()) {
    const reader = new WireReader(written[index] ?? new Uint8Array(0));
    assert.equal(reader.tag(), bytesTag(1));
    assert.deepEqual(reader.bytes(), new Uint8Array(size).fill(size));
    assert.equal(reader.tag(), 0);
  }
});
