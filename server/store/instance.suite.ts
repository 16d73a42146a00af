/** What every store does with what belongs to an instance: state, lock, queue and promises. Part of `store.suite.ts`. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import type { Outcome } from "../../sdk/protocol/messages.ts";
import type { Instance } from "../machine/invocation.ts";
import type { QueueItem, StateMutation, Transactor } from "../machine/tx.ts";
import type { Store } from "../processor/ports.ts";
import { INSTANCES, newInvocation, text } from "./fixtures.suite.ts";

const CART: Instance = { service: "Cart", key: "a" };
const OTHERS = INSTANCES.filter(({ service, key }) => `${service}/${key}` !== "Cart/a");

export function instanceSuite(open: () => Store): void {
  const transact = <T>(fn: (tx: Transactor) => T): T => open().transact(fn);
  stateSuite(open, transact);
  lockSuite(open, transact);
  queueSuite(open, transact);
  promiseSuite(open, transact);
}

type Transact = <T>(fn: (tx: Transactor) => T) => T;

function stateSuite(open: () => Store, transact: Transact): void {
  const state = (instance = CART, bytesMax = 1_000_000) =>
    open().read((reader) => {
      const { entries, isComplete } = reader.state(instance, bytesMax);
      return [isComplete, entries.map(({ key, value }) => [string(key), string(value)])];
    });
  const set = (name: string, value: string, instance = CART): void =>
    transact((tx) => tx.setState(instance, text(name), text(value)));
  const value = (name: string, instance = CART) =>
    open().read((reader) => {
      const found = reader.stateValue(instance, text(name));
      return found === undefined ? undefined : string(found);
    });

  describe("the state of an instance", () => {
    it("is empty at first, then what was set last, until it is cleared", () => {
      assert.deepEqual(state(), [true, []]);
      set("b", "1");
      set("a", "2");
      set("b", "3");
      assert.deepEqual(state(), [
        true,
        [
          ["a", "2"],
          ["b", "3"],
        ],
      ]);
      assert.deepEqual([value("a"), value("b"), value("c")], ["2", "3", undefined]);
      transact((tx) => tx.clearState(CART, text("a")));
      transact((tx) => tx.clearState(CART, text("never set")));
      assert.deepEqual(state(), [true, [["b", "3"]]]);
      transact((tx) => tx.clearAllState(CART));
      assert.deepEqual(state(), [true, []]);
      assert.equal(value("b"), undefined);
    });

    it("is its own", () => {
      for (const instance of INSTANCES) set("a", JSON.stringify(instance), instance);
      for (const instance of INSTANCES)
        assert.equal(value("a", instance), JSON.stringify(instance));
      transact((tx) => {
        tx.clearAllState(CART);
        assert.equal(tx.stateNames(CART).length, 0);
      });
      for (const instance of OTHERS) assert.equal(value("a", instance), JSON.stringify(instance));
    });

    it("takes an empty name, an empty value and any bytes, and keeps its own copy of them", () => {
      const [name, bytes] = [Uint8Array.of(0, 255, 128), Uint8Array.of(255, 0, 254)];
      transact((tx) => {
        tx.setState(CART, name, bytes);
        tx.setState(CART, new Uint8Array(), new Uint8Array());
      });
      const given = [name, bytes].map((each) => [...each]);
      name.fill(7);
      bytes.fill(7);
      open().read((reader) => {
        const { entries } = reader.state(CART, 1000);
        assert.deepEqual(
          entries.map(({ key, value: found }) => [[...key], [...found]]),
          [[[], []], given],
        );
        assert.equal(reader.stateValue(CART, new Uint8Array())?.length, 0);
      });
    });

    it("comes in the order of the bytes of its names", () => {
      const bytes = fc.uint8Array({ maxLength: 4 });
      fc.assert(
        fc.property(
          fc.uniqueArray(bytes, { selector: (each) => each.join(), maxLength: 8 }),
          (all) => {
            transact((tx) => {
              tx.clearAllState(CART);
              for (const name of all) tx.setState(CART, name, name);
            });
            const inOrder = all.toSorted((a, b) => Buffer.compare(a, b)).map((name) => [...name]);
            open().read((reader) => {
              assert.deepEqual(
                reader.stateNames(CART).map((name) => [...name]),
                inOrder,
              );
              assert.deepEqual(
                reader.state(CART, 1000).entries.map(({ key }) => [...key]),
                inOrder,
              );
            });
          },
        ),
        { numRuns: 30 },
      );
    });

    it("stops before names and values together exceed what is asked for", () => {
      set("a", "12345");
      set("bb", "1");
      set("c", "");
      const names = (bytesMax: number) =>
        open().read((reader) => {
          const { entries, isComplete } = reader.state(CART, bytesMax);
          return [isComplete, ...entries.map(({ key }) => string(key))];
        });
      assert.deepEqual(names(10), [true, "a", "bb", "c"]);
      assert.deepEqual(names(9), [false, "a", "bb"]);
      assert.deepEqual(names(8), [false, "a"]);
      assert.deepEqual(names(6), [false, "a"]);
      // "bb" would fit, but "a" comes first.
      assert.deepEqual(names(5), [false]);
      assert.deepEqual(names(0), [false]);
      transact((tx) => tx.clearAllState(CART));
      assert.deepEqual(names(0), [true]);
    });

    it("may be changed by the transaction that has just read a part of it", () => {
      for (const name of ["a", "b", "c"]) set(name, name);
      transact((tx) => {
        assert.equal(tx.state(CART, 3).isComplete, false);
        tx.setState(CART, text("b"), text("2"));
        assert.deepEqual(tx.stateValue(CART, text("b"))?.length, 1);
      });
      assert.equal(value("b"), "2");
    });
  });
}

function lockSuite(open: () => Store, transact: Transact): void {
  const holder = (instance = CART) => open().read((reader) => reader.lockHolder(instance));

  describe("the key of an instance", () => {
    it("has one holder, who came first, until it is given back", () => {
      assert.equal(holder(), undefined);
      const tries = transact((tx) => [tx.lock(CART, 5), tx.lock(CART, 6), tx.lock(CART, 5)]);
      assert.deepEqual(tries, [true, false, false]);
      assert.equal(holder(), 5);
      assert.deepEqual(
        OTHERS.map((instance) => holder(instance)),
        OTHERS.map(() => undefined),
      );
      transact((tx) => tx.unlock(CART));
      assert.equal(holder(), undefined);
      assert.equal(
        transact((tx) => tx.lock(CART, 6)),
        true,
      );
      assert.equal(holder(), 6);
    });

    it("is held for each instance alone", () => {
      for (const [seq, instance] of INSTANCES.entries()) {
        assert.equal(
          transact((tx) => tx.lock(instance, seq)),
          true,
        );
      }
      transact((tx) => tx.unlock(CART));
      assert.deepEqual(
        INSTANCES.map((instance) => holder(instance)),
        [undefined, 1, 2, 3],
      );
    });

    it("that nobody holds is given back without harm", () => {
      transact((tx) => tx.unlock(CART));
      assert.equal(holder(), undefined);
    });
  });
}

function queueSuite(open: () => Store, transact: Transact): void {
  const invocation = (seq: number): QueueItem => ({ kind: "invocation", seq });
  const enqueue = (item: QueueItem, instance = CART): number =>
    transact((tx) => tx.enqueue(instance, item));
  const dequeue = (instance = CART) => transact((tx) => tx.dequeue(instance));
  const queue = (limit: number, instance = CART) =>
    open().read((reader) => reader.queue(instance, limit));

  describe("the queue of an instance", () => {
    it("is first come, first served, each once", () => {
      const positions = [7, 5, 7].map((seq) => enqueue(invocation(seq)));
      assert.deepEqual(
        positions,
        positions.toSorted((a, b) => a - b),
      );
      assert.equal(new Set(positions).size, 3);
      assert.deepEqual(queue(9), [7, 5, 7]);
      assert.deepEqual(queue(2), [7, 5]);
      assert.deepEqual([dequeue(), dequeue()], [invocation(7), invocation(5)]);
      assert.deepEqual(queue(9), [7]);
      assert.deepEqual([dequeue(), dequeue()], [invocation(7), undefined]);
    });

    it("is its own, with positions that rise over all", () => {
      const positions = INSTANCES.map((instance, seq) => enqueue(invocation(seq), instance));
      assert.ok(positions.every((position, at) => at === 0 || position > (positions[at - 1] ?? 0)));
      for (const [seq, instance] of INSTANCES.entries())
        assert.deepEqual(queue(9, instance), [seq]);
      assert.deepEqual(dequeue(), invocation(0));
      assert.equal(dequeue(), undefined);
      assert.deepEqual(queue(9, INSTANCES[1]), [1]);
    });

    it("loses what is removed from its middle", () => {
      const [, second, third] = [1, 2, 3].map((seq) => enqueue(invocation(seq)));
      transact((tx) => tx.removeQueued(second ?? 0));
      transact((tx) => tx.removeQueued((third ?? 0) + 100));
      assert.deepEqual(queue(9), [1, 3]);
      assert.ok(enqueue(invocation(4)) > (third ?? 0));
      assert.deepEqual(queue(9), [1, 3, 4]);
    });

    it("holds mutations of the state between invocations, as they were given", () => {
      const value = Uint8Array.of(0, 255, 7);
      const mutations: StateMutation[] = [
        { version: null, entries: [] },
        {
          version: "“v”",
          entries: [
            { key: Uint8Array.of(255, 254), value },
            { key: new Uint8Array(), value: new Uint8Array() },
          ],
        },
      ];
      enqueue(invocation(1));
      for (const mutation of mutations) enqueue({ kind: "mutation", mutation });
      enqueue(invocation(2));
      const expected = mutations.map(plainMutation);
      value.fill(1);
      assert.deepEqual(queue(2), [1, 2]);
      assert.deepEqual(dequeue(), invocation(1));
      for (const each of expected) {
        const item = dequeue();
        assert.ok(item?.kind === "mutation");
        assert.deepEqual(plainMutation(item.mutation), each);
      }
      assert.deepEqual(dequeue(), invocation(2));
    });
  });
}

function promiseSuite(open: () => Store, transact: Transact): void {
  const outcome = (name: string, instance = CART) =>
    open().read((reader) => plainOutcome(reader.promise(instance, name)));
  const complete = (name: string, how: Outcome, instance = CART): void =>
    transact((tx) => tx.completePromise(instance, name, how));
  const value = (of: string): Outcome => ({ kind: "value", value: text(of) });

  describe("the promises of a workflow", () => {
    it("are open until they are completed, with a value or a failure", () => {
      assert.equal(outcome("p"), undefined);
      complete("p", value("1"));
      complete("", value(""));
      complete("bare", { kind: "failure", failure: { code: 500, message: "“no”" } });
      const failure = { code: 409, message: "", metadata: [{ key: "a", value: "b" }] };
      complete("full", { kind: "failure", failure });
      assert.deepEqual(outcome("p"), [49]);
      assert.deepEqual(outcome(""), []);
      assert.deepEqual(outcome("bare"), { code: 500, message: "“no”" });
      assert.deepEqual(outcome("full"), failure);
      assert.equal(outcome("P"), undefined);
    });

    it("are completed once", () => {
      complete("p", value("1"));
      assert.throws(() => complete("p", value("2")));
      assert.deepEqual(outcome("p"), [49]);
    });

    it("keep their own copy of the value", () => {
      const bytes = Uint8Array.of(1);
      complete("p", { kind: "value", value: bytes });
      bytes[0] = 2;
      assert.deepEqual(outcome("p"), [1]);
    });

    it("give back who waits for them once, in order, each once", () => {
      const [a, b, c] = [
        { seq: 2, completionId: 1 },
        { seq: 1, completionId: 9 },
        { seq: 1, completionId: 3 },
      ];
      transact((tx) => {
        for (const listener of [a, b, c, a]) tx.addPromiseListener(CART, "p", listener);
        tx.addPromiseListener(CART, "q", a);
        for (const instance of OTHERS) tx.addPromiseListener(instance, "p", b);
      });
      const take = (name: string, instance = CART) =>
        transact((tx) => tx.takePromiseListeners(instance, name));
      assert.deepEqual(take("p"), [c, b, a]);
      assert.deepEqual(take("p"), []);
      assert.deepEqual(take("q"), [a]);
      for (const instance of OTHERS) assert.deepEqual(take("p", instance), [b]);
    });

    it("are forgotten all together, with those who waited and are over, and may be completed anew", () => {
      const listener = { seq: 1, completionId: 1 };
      for (const instance of INSTANCES) {
        complete("p", value("1"), instance);
        transact((tx) => tx.addPromiseListener(instance, "q", listener));
      }
      transact((tx) => tx.clearPromises(CART));
      assert.equal(outcome("p"), undefined);
      assert.deepEqual(
        transact((tx) => tx.takePromiseListeners(CART, "q")),
        [],
      );
      for (const instance of OTHERS) {
        assert.deepEqual(outcome("p", instance), [49]);
        assert.deepEqual(
          transact((tx) => tx.takePromiseListeners(instance, "q")),
          [listener],
        );
      }
      complete("p", value("2"));
      assert.deepEqual(outcome("p"), [50]);
    });

    it("are forgotten, but not those who go on waiting", () => {
      const left = transact((tx) => {
        const waiting = tx.insertInvocation(newInvocation(1));
        const over = tx.insertInvocation(newInvocation(2));
        for (const { seq } of [waiting, over]) {
          tx.addPromiseListener(CART, "p", { seq, completionId: 1 });
        }
        // Seen in the same transaction, before its row is written.
        over.state = { status: "completed", completedAtMs: 1, outputIndex: 0 };
        tx.save(over);
        tx.clearPromises(CART);
        return { seq: waiting.seq, completionId: 1 };
      });
      assert.deepEqual(
        transact((tx) => tx.takePromiseListeners(CART, "p")),
        [left],
      );
    });
  });
}

const string = (bytes: Uint8Array): string => Buffer.from(bytes).toString("utf8");

function plainMutation({ version, entries }: StateMutation) {
  return { version, entries: entries.map(({ key, value }) => [[...key], [...value]]) };
}

function plainOutcome(outcome: Outcome | undefined) {
  return outcome?.kind === "value" ? [...outcome.value] : outcome?.failure;
}
