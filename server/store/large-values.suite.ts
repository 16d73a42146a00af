/** Values so large that a store may keep them elsewhere: nothing of that is to be seen. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { encodeBody } from "../../sdk/protocol/codec.ts";
import { MessageType } from "../../sdk/protocol/message-type.ts";
import type { Message } from "../../sdk/protocol/messages.ts";
import type { Transactor } from "../machine/tx.ts";
import type { Store } from "../processor/ports.ts";
import { dump, newInvocation, NOW_MS, PAUSED, text } from "./fixtures.suite.ts";

const LARGE_BYTES = 300 * 1024;
const CART = { service: "Cart", key: "a" };
const OTHER = { service: "Cart", key: "b" };
const N = text("n");

/** 300 KiB, another for each number. */
function large(number: number): Uint8Array {
  return new Uint8Array(LARGE_BYTES).map((_, index) => (index * number) % 251);
}

class Refused extends Error {}

export function largeValuesSuite(current: () => Store): void {
  describe("a large value", () => {
    const appended = (bodies: readonly Uint8Array[]): number =>
      current().transact((tx) => {
        const made = tx.insertInvocation(newInvocation(1, { state: PAUSED }));
        for (const body of bodies) tx.append(made, MessageType.CallCommand, body, NOW_MS);
        return made.seq;
      });
    const bodies = (seq: number) =>
      current().read((reader) => reader.entries(seq, 0, 99).map(({ body }) => body));
    const value = () => current().read((reader) => reader.stateValue(CART, N));
    const set = (bytes: Uint8Array) => current().transact((tx) => tx.setState(CART, N, bytes));

    it("comes back from the journal among small ones, by range and by type", () => {
      const all = [text("small"), large(1), new Uint8Array(), large(2), large(1)];
      const seq = appended(all);
      assert.deepEqual(bodies(seq).map(asText), all.map(asText));
      const one = current().read((reader) => reader.entries(seq, 3, 4));
      assert.deepEqual(
        one.map(({ index, body }) => [index, asText(body)]),
        [[3, asText(large(2))]],
      );
      const ofType = current().read((reader) =>
        reader.entriesOfType(seq, MessageType.CallCommand).map(({ body }) => asText(body)),
      );
      assert.deepEqual(ofType, all.map(asText));
    });

    it("is seen by the transaction that stores it", () => {
      current().transact((tx) => {
        const made = tx.insertInvocation(newInvocation(1));
        tx.append(made, MessageType.CallCommand, large(3), NOW_MS);
        assert.equal(asText(tx.entries(made.seq, 0, 1)[0]?.body), asText(large(3)));
        tx.setState(CART, N, large(4));
        assert.equal(asText(tx.stateValue(CART, N)), asText(large(4)));
      });
      assert.equal(asText(value()), asText(large(4)));
    });

    it("is summed up in a journal that is read again", () => {
      const completion: Message = {
        type: MessageType.RunCompletion,
        id: { kind: "completion", completionId: 1 },
        result: { kind: "value", value: large(5) },
      };
      const run: Message = { type: MessageType.RunCommand, resultCompletionId: 1, name: "r" };
      const seq = current().transact((tx) => {
        const made = tx.insertInvocation(newInvocation(1, { state: PAUSED }));
        for (const message of [run, { ...run, resultCompletionId: 2 }, completion]) {
          tx.append(made, message.type, encodeBody(message), NOW_MS);
        }
        return made.seq;
      });
      const open = current().read((reader) => [
        ...(reader.invocation(seq)?.journal.openRuns ?? []),
      ]);
      assert.deepEqual(open, [2]);
    });

    it("comes back from state, whatever it overwrites", () => {
      for (const each of [large(1), text("small"), large(2), large(2), large(3), text("")]) {
        set(each);
        assert.equal(asText(value()), asText(each));
      }
    });

    it("counts with its length where state is told as far as it fits", () => {
      set(large(1));
      current().transact((tx) => tx.setState(CART, text("z"), text("small")));
      const told = (bytesMax: number) => {
        const { entries, isComplete } = current().read((reader) => reader.state(CART, bytesMax));
        return [isComplete, entries.map((entry) => [asText(entry.key), asText(entry.value)])];
      };
      assert.deepEqual(told(LARGE_BYTES), [false, []]);
      assert.deepEqual(told(LARGE_BYTES + 1), [false, [["n", asText(large(1))]]]);
      assert.deepEqual(told(LARGE_BYTES + 7), [
        true,
        [
          ["n", asText(large(1))],
          ["z", "small"],
        ],
      ]);
    });

    it("comes back from a promise and from a mutation that waits", () => {
      const mutation = { version: "v", entries: [{ key: N, value: large(7) }] };
      const [, second] = current().transact((tx) => {
        tx.completePromise(CART, "p", { kind: "value", value: large(6) });
        return [
          tx.enqueue(CART, { kind: "mutation", mutation }),
          tx.enqueue(CART, { kind: "mutation", mutation }),
        ] as const;
      });
      const outcome = current().read((reader) => reader.promise(CART, "p"));
      assert.ok(outcome?.kind === "value");
      assert.equal(asText(outcome.value), asText(large(6)));
      const item = current().transact((tx) => tx.dequeue(CART));
      assert.ok(item?.kind === "mutation");
      assert.equal(asText(item.mutation.entries[0]?.value), asText(large(7)));
      assert.equal(item.mutation.version, "v");
      current().transact((tx) => tx.removeQueued(second));
      assert.equal(
        current().transact((tx) => tx.dequeue(CART)),
        undefined,
      );
    });

    it("stays where it is needed elsewhere, however often it is deleted", () => {
      const one = large(9);
      const seq = appended([one, one, text("output")]);
      set(one);
      current().transact((tx) => {
        tx.setState(OTHER, N, one);
        tx.setState(OTHER, text("m"), one);
        tx.completePromise(OTHER, "p", { kind: "value", value: one });
      });
      current().transact((tx) => tx.purgeJournal(seq, 2));
      current().transact((tx) => tx.deleteInvocation(seq));
      current().transact((tx) => tx.clearState(OTHER, N));
      current().transact((tx) => tx.clearAllState(OTHER));
      current().transact((tx) => tx.clearPromises(OTHER));
      assert.equal(asText(value()), asText(one));
      assert.deepEqual(bodies(seq), []);
    });

    it("that was deleted for good can be stored again, at once and later", async () => {
      const one = large(10);
      for (let round = 0; round < 3; round++) {
        set(one);
        current().transact((tx) => {
          tx.clearState(CART, N);
          tx.setState(CART, N, one);
        });
        assert.equal(asText(value()), asText(one));
        current().transact((tx) => tx.clearState(CART, N));
        set(one);
        assert.equal(asText(value()), asText(one));
        current().transact((tx) => tx.clearAllState(CART));
        await new Promise<void>((resolve) => current().barrier(() => setImmediate(resolve)));
      }
      const seq = appended([one]);
      assert.equal(asText(bodies(seq)[0]), asText(one));
    });

    it("leaves nothing behind where its transaction throws, and takes nothing away", () => {
      set(large(1));
      const seq = appended([large(2), large(3)]);
      const before = dump(current(), 20);
      const everything = (tx: Transactor): never => {
        tx.setState(CART, N, large(2));
        tx.setState(OTHER, N, large(4));
        tx.purgeJournal(seq, 0);
        tx.deleteInvocation(seq);
        const made = tx.insertInvocation(newInvocation(5));
        tx.append(made, MessageType.CallCommand, large(5), NOW_MS);
        tx.clearAllState(CART);
        throw new Refused();
      };
      for (let round = 0; round < 2; round++) {
        assert.throws(() => current().transact(everything), Refused);
        assert.equal(dump(current(), 20), before);
      }
      current().transact((tx) => tx.setState(OTHER, N, large(4)));
      const stored = current().read((reader) => reader.stateValue(OTHER, N));
      assert.equal(asText(stored), asText(large(4)));
    });

    it("may be as large as a message", () => {
      const huge = Buffer.alloc(32 * 1024 * 1024, "0123456789abcdef-");
      const seq = appended([huge]);
      assert.ok(huge.equals(bodies(seq)[0] ?? Buffer.alloc(0)));
    });
  });
}

/** Compares as quickly as it can be shown. */
function asText(bytes: Uint8Array | undefined): string {
  assert.ok(bytes !== undefined);
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("latin1");
}
