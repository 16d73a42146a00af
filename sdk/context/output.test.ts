import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Output } from "./output.ts";

function recorded(isFullAfter = Infinity) {
  const writes: number[] = [];
  const ends: (number | undefined)[] = [];
  const output = new Output({
    write: (bytes) => {
      writes.push(bytes.length);
      return writes.length < isFullAfter;
    },
    end: (bytes) => void ends.push(bytes?.length),
  });
  return { output, writes, ends };
}

describe("the output of an attempt", () => {
  it("joins small frames into one write, and the last ones with the end", () => {
    const { output, writes, ends } = recorded();
    output.add(new Uint8Array(3));
    output.add(new Uint8Array(4));
    output.flush();
    output.flush();
    output.add(new Uint8Array(5));
    output.add(new Uint8Array(6));
    output.end();
    assert.deepEqual([writes, ends], [[7], [11]]);
  });

  it("does not copy large frames, and can end with nothing", () => {
    const { output, writes, ends } = recorded();
    output.add(new Uint8Array(3));
    output.add(new Uint8Array(100_000));
    output.flush();
    output.end();
    assert.deepEqual([writes, ends], [[3, 100_000], [undefined]]);
  });

  it("is full from a refused write until it is drained", () => {
    const { output } = recorded(1);
    assert.equal(output.isFull, false);
    output.add(new Uint8Array(3));
    output.flush();
    assert.equal(output.isFull, true);
    output.onDrained();
    assert.equal(output.isFull, false);
  });
});
