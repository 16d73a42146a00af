/** What every store does. Run for each of them: `sqlite-store.test.ts`, `memory-store.test.ts`. */
import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "node:test";
import { encodeBody } from "../../sdk/protocol/codec.ts";
import { MessageType } from "../../sdk/protocol/message-type.ts";
import type { Entry } from "../journal/summary.ts";
import type { JournalEvent } from "../machine/event.ts";
import type { Invocation, NewInvocation } from "../machine/invocation.ts";
import { type ServiceOverrides, withDeployment } from "../machine/registry.ts";
import type { Listener, Reader, Timer, Transactor } from "../machine/tx.ts";
import type { Store } from "../processor/ports.ts";
import {
  appendMessage,
  deploymentOf,
  dump,
  idOf,
  MESSAGES,
  newInvocation,
  NOW_MS,
  PAUSED,
  plain,
  RUNNING,
  STATES,
  SUSPENDED,
  text,
  TREE,
} from "./fixtures.suite.ts";
import { instanceSuite } from "./instance.suite.ts";
import { largeValuesSuite } from "./large-values.suite.ts";

export interface StoreFixture {
  readonly store: Store & { close(): Promise<void> };
  cleanUp(): Promise<void>;
}

export function storeSuite(name: string, open: () => StoreFixture): void {
  describe(name, () => {
    let fixture: StoreFixture;
    let store: StoreFixture["store"];
    beforeEach(() => {
      fixture = open();
      store = fixture.store;
    });
    afterEach(() => fixture.cleanUp());

    const insert = (number: number, more: Partial<NewInvocation> = {}): number =>
      store.transact((tx) => tx.insertInvocation(newInvocation(number, more)).seq);
    const read = (seq: number) => store.read((reader) => plain(given(reader.invocation(seq))));
    const change = (seq: number, fn: (invocation: Invocation, tx: Transactor) => void): void =>
      store.transact((tx) => fn(given(tx.invocation(seq)), tx));

    describe("an invocation", () => {
      it("starts at its first values and is found by seq and by id", () => {
        const seq = insert(1, { createdAtMs: NOW_MS + 1 });
        const expected = {
          seq,
          id: [...idOf(1)],
          target: { service: "Greeter", handler: "greet", key: null },
          kind: "plain",
          idempotencyKey: null,
          caller: null,
          restartedFrom: null,
          trace: null,
          createdAtMs: NOW_MS + 1,
          startAtMs: null,
          completionRetentionMs: 86_400_000,
          journalRetentionMs: 3_600_000,
          modifiedAtMs: NOW_MS + 1,
          queuedAtMs: null,
          runningAtMs: NOW_MS + 1,
          lastStartAtMs: NOW_MS + 1,
          epoch: 0,
          state: RUNNING,
          pin: null,
          retryCount: 0,
          retryCountSinceLastStoredEntry: 0,
          lastFailure: null,
          isJournalPurged: false,
          journal: { length: 0, commands: 0, outputIndex: -1, openRuns: [], signals: [] },
        };
        assert.deepEqual(read(seq), expected);
        assert.deepEqual(
          store.read((reader) => plain(given(reader.findInvocation(idOf(1))))),
          expected,
        );
      });

      it("that does not run at first has never run", () => {
        for (const [number, state] of STATES.entries()) {
          if (state.status === "running") continue;
          const { queuedAtMs, runningAtMs, lastStartAtMs } = read(insert(number, { state }));
          assert.deepEqual([queuedAtMs, runningAtMs, lastStartAtMs], [null, null, null]);
        }
      });

      it("keeps whom it is for and who waits for it", () => {
        const more = {
          target: { service: "Ünïcode", handler: "h", key: "k/1" },
          idempotencyKey: "order-7",
          caller: { seq: 12, completionId: null },
        };
        const seq = insert(1, more);
        change(seq, (invocation) => assert.deepEqual(invocation.caller, more.caller));
        const other = insert(2, {
          ...more,
          caller: { seq: 12, completionId: 3 },
          state: SUSPENDED,
        });
        change(other, (invocation) => {
          assert.deepEqual(invocation.target, more.target);
          assert.equal(invocation.idempotencyKey, "order-7");
          assert.deepEqual(invocation.caller, { seq: 12, completionId: 3 });
        });
      });

      for (const kind of ["plain", "exclusive", "shared", "run", "workflow-shared"] as const) {
        it(`of a ${kind} handler keeps where it comes from and how long it is kept`, () => {
          const more = {
            kind,
            restartedFrom: idOf(9),
            trace: {
              traceId: "0af7651916cd43dd8448eb211c80319c",
              spanId: "b7ad6b7169203331",
              flags: "01",
              state: "a=1,b=2",
            },
            startAtMs: NOW_MS + 77,
            completionRetentionMs: 0,
            journalRetentionMs: Number.MAX_SAFE_INTEGER,
            state: SUSPENDED,
          };
          const seq = insert(1, more);
          assert.deepEqual(read(seq), { ...read(seq), ...more, restartedFrom: [...idOf(9)] });
          const { trace } = more;
          const other = insert(2, { state: SUSPENDED, trace: { ...trace, state: null } });
          assert.deepEqual(read(other).trace, { ...trace, state: null });
        });
      }

      it("keeps when it queued, when it ran and that its journal is purged", () => {
        const seq = insert(1, { state: SUSPENDED });
        const later = {
          queuedAtMs: NOW_MS + 1,
          runningAtMs: NOW_MS + 2,
          lastStartAtMs: NOW_MS + 3,
          isJournalPurged: true,
        };
        change(seq, (invocation, tx) => tx.save(Object.assign(invocation, later)));
        assert.deepEqual(read(seq), { ...read(seq), ...later });
      });

      it("refuses to be scheduled for another time than it was given", () => {
        const state = { status: "scheduled", startAtMs: NOW_MS + 1 } as const;
        for (const startAtMs of [NOW_MS, null]) {
          assert.throws(() => insert(1, { state, startAtMs }));
        }
      });

      it("has a seq above all before it", () => {
        const seqs = [1, 2, 3].map((number) => insert(number));
        assert.ok(given(seqs[0]) > 0);
        assert.deepEqual(
          seqs,
          seqs.toSorted((a, b) => a - b),
        );
        assert.equal(new Set(seqs).size, 3);
      });

      it("keeps its own copy of its id", () => {
        const id = idOf(1);
        const seq = insert(0, { id });
        id.fill(0);
        change(seq, (invocation) => assert.deepEqual([...invocation.id], [...idOf(1)]));
      });

      it("is one object within a transaction, however it is found", () => {
        const seq = insert(1, { state: SUSPENDED });
        store.transact((tx) => {
          const found = tx.findInvocation(idOf(1));
          assert.equal(tx.invocation(seq), found);
          const made = tx.insertInvocation(newInvocation(2));
          assert.equal(tx.findInvocation(idOf(2)), made);
          assert.deepEqual(tx.running(0, 10), [made]);
        });
      });

      it("is not found by another id, not even one with the same uuid", () => {
        insert(1);
        const otherPartition = idOf(1);
        otherPartition[0] = (otherPartition[0] ?? 0) ^ 1;
        const tooShort = idOf(1).subarray(0, 23);
        for (const id of [idOf(2), otherPartition, tooShort, new Uint8Array()]) {
          assert.equal(
            store.read((reader) => reader.findInvocation(id)),
            undefined,
          );
        }
        assert.equal(
          store.read((reader) => reader.invocation(999)),
          undefined,
        );
      });

      it("with the uuid of another, but a partition key of its own, is another", () => {
        const twin = idOf(1);
        twin[7] = 0xff;
        const seqs = [insert(1), insert(0, { id: twin })];
        const found = () =>
          [idOf(1), twin].map((id) => store.read((reader) => reader.findInvocation(id)?.seq));
        assert.deepEqual(found(), seqs);
        store.transact((tx) => tx.deleteInvocation(given(seqs[0])));
        assert.deepEqual(found(), [undefined, seqs[1]]);
      });

      it("refuses an id that is there, or is none", () => {
        insert(1);
        assert.throws(() => insert(1));
        assert.throws(() => insert(0, { id: new Uint8Array(23) }));
        assert.deepEqual(
          store.read((reader) => reader.running(0, 10).length),
          1,
        );
      });

      for (const state of STATES) {
        it(`comes back as it was saved: ${JSON.stringify(state)}`, () => {
          const startAtMs = state.status === "scheduled" ? state.startAtMs : null;
          const seq = insert(1, { startAtMs });
          change(seq, (invocation, tx) => {
            Object.assign(invocation, { state, epoch: 3, modifiedAtMs: NOW_MS + 7, retryCount: 2 });
            invocation.retryCountSinceLastStoredEntry = 1;
            invocation.pin = { deploymentId: "dp_1abc", protocolVersion: 6 };
            tx.save(invocation);
          });
          const inserted = insert(2, { state });
          change(seq, (invocation) => {
            assert.deepEqual(invocation.state, state);
            assert.deepEqual(invocation.pin, { deploymentId: "dp_1abc", protocolVersion: 6 });
            const { epoch, modifiedAtMs, retryCount } = invocation;
            assert.deepEqual([epoch, modifiedAtMs, retryCount], [3, NOW_MS + 7, 2]);
            assert.equal(invocation.retryCountSinceLastStoredEntry, 1);
          });
          change(inserted, (invocation) => assert.deepEqual(invocation.state, state));
        });
      }

      it("keeps why its last attempt failed, with as much as is known", () => {
        const least = { atMs: NOW_MS, code: 500, errorCode: "RT0010", message: "connection reset" };
        const most = {
          ...least,
          stacktrace: "at x",
          relatedCommandIndex: 0,
          relatedCommandName: "",
          relatedCommandType: MessageType.RunCommand,
          mismatch: {
            entryIndex: 3,
            commandIndex: 2,
            recordedType: MessageType.SleepCommand,
            recordedName: "“nap”",
          },
        };
        const seq = insert(1, { state: PAUSED });
        for (const failure of [least, most, null, most]) {
          change(seq, (invocation, tx) => {
            invocation.lastFailure = failure;
            tx.save(invocation);
          });
          change(seq, (invocation) => assert.deepEqual(invocation.lastFailure, failure));
        }
      });

      it("is as it was where it was changed and not saved", () => {
        const seq = insert(1, { state: PAUSED });
        change(seq, (invocation) => {
          invocation.epoch = 9;
        });
        change(seq, (invocation) => assert.equal(invocation.epoch, 0));
      });

      it("keeps the last of several saves, also after a look at what runs", () => {
        const seq = insert(1);
        change(seq, (invocation, tx) => {
          tx.save(invocation);
          invocation.state = PAUSED;
          assert.deepEqual(tx.running(0, 10), []);
          invocation.epoch = 5;
          tx.save(invocation);
          invocation.epoch = 6;
        });
        change(seq, (invocation) => {
          assert.equal(invocation.epoch, 6);
          assert.equal(invocation.state.status, "paused");
        });
      });

      it("is as it was saved where it was changed after a look at what runs", () => {
        const seq = insert(1, { state: PAUSED });
        change(seq, (invocation, tx) => {
          invocation.epoch = 1;
          tx.save(invocation);
          tx.running(0, 1);
          invocation.epoch = 2;
        });
        change(seq, (invocation) => assert.equal(invocation.epoch, 1));
      });

      it("is void once its transaction was undone, or it was deleted", () => {
        const seq = insert(1, { state: SUSPENDED });
        let kept: Invocation | undefined;
        assert.throws(() => change(seq, (invocation) => fail((kept = invocation))), Refused);
        assert.throws(() => store.transact((tx) => tx.save(given(kept))));
        assert.throws(() => store.transact((tx) => appendMessage(tx, given(kept), "input")));
        change(seq, (invocation, tx) => {
          tx.deleteInvocation(seq);
          assert.throws(() => tx.save(invocation));
        });
      });

      it("is gone when deleted, with its journal, events and listeners; its id can be used again", () => {
        const timer: Timer = { dueMs: NOW_MS, seq: insert(1), kind: "purge", arg: 0 };
        const { seq } = timer;
        const neighbour = insert(2);
        store.transact((tx) => {
          appendMessage(tx, given(tx.invocation(seq)), "input");
          appendMessage(tx, given(tx.invocation(neighbour)), "input");
          tx.addListener(seq, listener(neighbour, 1));
          tx.addListener(neighbour, listener(seq, 1));
          tx.addEvent(seq, RESUMED);
          tx.addEvent(neighbour, RESUMED);
          tx.addTimer(timer);
        });
        change(seq, (invocation, tx) => {
          tx.save(invocation);
          tx.deleteInvocation(seq);
          assert.equal(tx.invocation(seq), undefined);
          assert.equal(tx.findInvocation(idOf(1)), undefined);
        });
        store.transact((tx) => {
          assert.equal(tx.invocation(seq), undefined);
          assert.deepEqual(tx.entries(seq, 0, 10), []);
          assert.deepEqual(tx.takeListeners(seq), []);
          assert.deepEqual(tx.events(seq), []);
          assert.deepEqual(tx.events(neighbour), [RESUMED]);
          assert.equal(tx.entries(neighbour, 0, 10).length, 1);
          assert.equal(tx.takeListeners(neighbour).length, 1);
          assert.deepEqual(tx.takeDueTimers(NOW_MS, 10), [timer]);
        });
        assert.ok(insert(1) > neighbour);
      });

      it("that is unknown is deleted without harm", () => {
        store.transact((tx) => tx.deleteInvocation(77));
      });
    });

    describe("a journal", () => {
      it("gives back its entries as they came, by range", () => {
        const seq = insert(1);
        const indices = store.transact((tx) => {
          const invocation = given(tx.invocation(seq));
          return [
            appendMessage(tx, invocation, "input"),
            appendMessage(tx, invocation, "run1"),
            appendMessage(tx, invocation, "ran1"),
          ];
        });
        assert.deepEqual(indices, [0, 1, 2]);
        const entries = (from: number, to: number) =>
          store.read((reader) =>
            reader.entries(seq, from, to).map(({ index, type, body }) => [index, type, [...body]]),
          );
        const all = (["input", "run1", "ran1"] as const).map((each, index) => {
          const message = MESSAGES[each];
          return [index, message.type, [...encodeBody(message)]];
        });
        assert.deepEqual(entries(0, 3), all);
        assert.deepEqual(entries(1, 2), all.slice(1, 2));
        assert.deepEqual(entries(2, 1000), all.slice(2));
        assert.deepEqual(entries(2, 2), []);
        assert.deepEqual(entries(3, 9), []);
        assert.deepEqual(
          store.read((reader) => reader.entries(999, 0, 9)),
          [],
        );
      });

      it("knows when each entry was stored, and finds those of one type", () => {
        const seq = insert(1);
        change(seq, (invocation, tx) => {
          for (const [index, each] of (["input", "run1", "ran1", "run2"] as const).entries()) {
            const message = MESSAGES[each];
            tx.append(invocation, message.type, encodeBody(message), NOW_MS + index);
          }
          tx.append(
            tx.insertInvocation(newInvocation(2)),
            MessageType.RunCommand,
            encodeBody(MESSAGES.run1),
            NOW_MS,
          );
        });
        const timesOf = (find: (reader: Reader) => Entry[]) =>
          store.read((reader) => find(reader).map(({ index, atMs }) => [index, atMs - NOW_MS]));
        const all = [0, 1, 2, 3].map((index) => [index, index]);
        assert.deepEqual(
          timesOf((reader) => reader.entries(seq, 0, 9)),
          all,
        );
        const ofType = (type: number) => timesOf((reader) => reader.entriesOfType(seq, type));
        assert.deepEqual(ofType(MessageType.RunCommand), [all[1], all[3]]);
        assert.deepEqual(ofType(MessageType.OutputCommand), []);
      });

      for (const keepIndex of [0, 2, 3]) {
        it(`keeps of all entries the one at ${keepIndex} when it is purged, and its index`, () => {
          const [seq, neighbour] = [1, 2].map((number) => {
            const inserted = insert(number, { state: given(STATES.at(-1)) });
            change(inserted, (invocation, tx) => {
              const names = ["input", "run1", "output", "signal"] as const;
              for (const each of names) appendMessage(tx, invocation, each);
            });
            return inserted;
          }) as [number, number];
          const indices = (of: number, from = 0, to = 9) =>
            store.read((reader) => reader.entries(of, from, to).map(({ index }) => index));
          change(seq, (invocation, tx) => {
            invocation.isJournalPurged = true;
            tx.save(invocation);
            tx.purgeJournal(seq, keepIndex);
            assert.deepEqual(
              tx.entries(seq, 0, 9).map(({ index }) => index),
              [keepIndex],
            );
          });
          assert.deepEqual(indices(seq), [keepIndex]);
          assert.deepEqual(indices(seq, keepIndex, keepIndex + 1), [keepIndex]);
          assert.deepEqual(indices(seq, keepIndex + 1), []);
          assert.deepEqual(indices(seq, 0, keepIndex), []);
          assert.deepEqual(indices(neighbour), [0, 1, 2, 3]);
          assert.equal(read(seq).journal.length, keepIndex + 1);
          assert.equal(read(seq).isJournalPurged, true);
          change(seq, (_, tx) => tx.purgeJournal(seq, keepIndex));
          assert.deepEqual(indices(seq), [keepIndex]);
        });
      }

      it("shows an entry to the transaction that appended it", () => {
        const seq = insert(1);
        change(seq, (invocation, tx) => {
          appendMessage(tx, invocation, "input");
          assert.equal(tx.entries(seq, 0, 1).length, 1);
        });
      });

      it("takes a part of a larger buffer, an empty body and a large one", () => {
        const seq = insert(1);
        const large = new Uint8Array(100_000).map((_, index) => index % 251);
        const buffer = Uint8Array.of(1, 2, 3, 4, 5);
        change(seq, (invocation, tx) => {
          tx.append(invocation, MessageType.CallCommand, buffer.subarray(1, 4), NOW_MS);
          tx.append(invocation, MessageType.CallCommand, new Uint8Array(), NOW_MS);
          tx.append(invocation, MessageType.CallCommand, large, NOW_MS);
        });
        buffer.fill(9);
        const bodies = store.read((reader) =>
          reader.entries(seq, 0, 3).map((entry) => [...entry.body]),
        );
        assert.deepEqual(bodies, [[2, 3, 4], [], [...large]]);
      });

      for (const state of [RUNNING, SUSPENDED, STATES.at(-1)]) {
        it(`is summed up the same while ${state?.status} and when read again`, () => {
          const seq = insert(1);
          change(seq, (invocation, tx) => {
            const names = ["input", "run1", "run2", "signal", "ran1", "slept", "output"] as const;
            for (const each of names) appendMessage(tx, invocation, each);
            invocation.state = given(state);
            tx.save(invocation);
          });
          change(seq, (invocation, tx) => {
            const names = ["namedSignal", "event", "message", "event"] as const;
            for (const each of names) appendMessage(tx, invocation, each);
          });
          const expected = {
            length: 11,
            commands: 4,
            outputIndex: 6,
            openRuns: new Set([2]),
            signals: new Set(["#17", "ngo", "nhf.event/progress", "nhf.msg/a/b/2"]),
            messages: new Map([["a/b", 3]]),
            events: new Map([["progress", 10]]),
          };
          change(seq, ({ journal }) => assert.deepEqual({ ...journal }, expected));
        });
      }

      it("of a second invocation is its own", () => {
        const [first, second] = [insert(1), insert(2)];
        store.transact((tx) => {
          appendMessage(tx, given(tx.invocation(second)), "input");
          appendMessage(tx, given(tx.invocation(first)), "input");
          appendMessage(tx, given(tx.invocation(second)), "output");
        });
        const lengths = store.read((reader) =>
          [first, second].map((seq) => reader.invocation(seq)?.journal.length),
        );
        assert.deepEqual(lengths, [1, 2]);
      });
    });

    describe("events", () => {
      it("come back in the order in which they were added, each with all it says", () => {
        const failure = { code: 500, errorCode: "RT0010", message: "reset" };
        const events: JournalEvent[] = [
          {
            kind: "attempt-failed",
            failure: { ...failure, stacktrace: "at “x”" },
            atMs: 9,
            afterIndex: 3,
          },
          { kind: "suspended", awaiting: TREE, atMs: 5, afterIndex: 4 },
          { kind: "paused", reason: "operator", lastFailure: null, atMs: 5, afterIndex: 4 },
          { kind: "paused", reason: "handler", lastFailure: failure, atMs: 5, afterIndex: 4 },
          RESUMED,
          { kind: "resumed", deploymentId: "dp_1a", atMs: 5, afterIndex: 0 },
          RESUMED,
        ];
        const [seq, other] = [insert(1), insert(2)];
        for (const event of events) {
          change(seq, (_, tx) => {
            tx.addEvent(seq, event);
            if (event.kind === "suspended") tx.addEvent(other, event);
            assert.deepEqual(tx.events(seq).at(-1), event);
          });
        }
        const of = (each: number) => store.read((reader) => reader.events(each));
        assert.deepEqual(of(seq), events);
        assert.deepEqual(of(other), [events[1]]);
        assert.deepEqual(of(999), []);
      });
    });

    describe("a deployment", () => {
      it("is needed while an invocation that is bound to it is not completed", () => {
        const seq = insert(1);
        const isPinned = () => store.read((reader) => reader.isPinned("dp_1"));
        assert.equal(isPinned(), false);
        change(seq, (invocation, tx) => {
          invocation.pin = { deploymentId: "dp_1", protocolVersion: 6 };
          tx.save(invocation);
          assert.equal(tx.isPinned("dp_1"), true);
        });
        assert.equal(isPinned(), true);
        assert.equal(
          store.read((reader) => reader.isPinned("dp_2")),
          false,
        );
        change(seq, (invocation, tx) => {
          invocation.state = { status: "completed", completedAtMs: NOW_MS, outputIndex: 0 };
          tx.save(invocation);
        });
        assert.equal(isPinned(), false);
      });
    });

    describe("running invocations", () => {
      it("come in order of seq, page by page, and others do not", () => {
        const seqs = STATES.concat(STATES).map((state, index) => insert(index, { state }));
        const count = STATES.length;
        const running = [seqs[1], seqs[2], seqs[count + 1], seqs[count + 2]];
        const page = (afterSeq: number, limit: number) =>
          store.read((reader) => reader.running(afterSeq, limit).map(({ seq }) => seq));
        assert.deepEqual(page(0, 10), running);
        assert.deepEqual(page(0, 1), running.slice(0, 1));
        assert.deepEqual(page(given(running[0]), 10), running.slice(1));
        assert.deepEqual(page(given(running[3]), 10), []);
        change(given(seqs[0]), (invocation, tx) => {
          invocation.state = RUNNING;
          tx.save(invocation);
          assert.equal(tx.running(0, 1)[0], invocation);
        });
        assert.deepEqual(page(0, 10), [seqs[0], ...running]);
      });
    });

    describe("timers", () => {
      const at = (dueMs: number, seq: number, kind: Timer["kind"] = "sleep", arg = 0): Timer => ({
        dueMs,
        seq,
        kind,
        arg,
      });

      it("are taken once, earliest first, up to the time and the limit", () => {
        const timers = [at(30, 1), at(10, 2), at(20, 3, "retry", 4), at(10, 1, "purge"), at(40, 9)];
        store.transact((tx) => timers.forEach((timer) => tx.addTimer(timer)));
        const take = (nowMs: number, limit: number) =>
          store.transact((tx) => tx.takeDueTimers(nowMs, limit));
        const next = () => store.read((reader) => reader.nextDueMs());
        assert.equal(next(), 10);
        assert.deepEqual(take(9, 10), []);
        assert.deepEqual(take(30, 2), [timers[3], timers[1]]);
        assert.equal(next(), 20);
        assert.deepEqual(take(30, 10), [timers[2], timers[0]]);
        assert.deepEqual(take(30, 10), []);
        assert.equal(next(), 40);
      });

      it("of one due time differ by invocation, kind and argument, and fire in that order", () => {
        const timers = [
          at(5, 1, "start"),
          at(5, 1, "sleep", 1),
          at(5, 1, "sleep", 2),
          at(5, 1, "retry", 0),
          at(5, 1, "purge"),
          at(5, 1, "purge-journal"),
          at(5, 2, "start"),
        ];
        const again = [...timers.toReversed(), ...timers];
        store.transact((tx) => again.forEach((timer) => tx.addTimer(timer)));
        store.transact((tx) => {
          assert.deepEqual(tx.takeDueTimers(5, 2), timers.slice(0, 2));
          assert.deepEqual(tx.takeDueTimers(5, 99), timers.slice(2));
          assert.equal(tx.nextDueMs(), undefined);
        });
      });

      it("may be far away", () => {
        const timer = at(Number.MAX_SAFE_INTEGER, 1);
        store.transact((tx) => tx.addTimer(timer));
        assert.equal(
          store.read((reader) => reader.nextDueMs()),
          timer.dueMs,
        );
      });
    });

    describe("listeners", () => {
      it("are taken once, by the invocation they wait for", () => {
        const [a, b, c] = [listener(2, 5), listener(1, 7), listener(2, 4)];
        store.transact((tx) => {
          for (const each of [a, b, c, a]) tx.addListener(10, each);
          tx.addListener(11, a);
        });
        const take = (seq: number) => store.transact((tx) => tx.takeListeners(seq));
        assert.deepEqual(take(10), [b, c, a]);
        assert.deepEqual(take(10), []);
        assert.deepEqual(take(11), [a]);
        assert.deepEqual(take(12), []);
      });
    });

    describe("the registry", () => {
      const register = (id: string, services: readonly string[]): void =>
        store.transact((tx) => {
          const deployment = deploymentOf(id, services);
          tx.putDeployment(deployment, withDeployment(tx.registry(), deployment).revisions);
        });
      const registry = () => store.read((reader) => reader.registry());

      it("is empty at first, then holds every deployment and the latest of each service", () => {
        assert.equal(registry().deployments.size, 0);
        register("dp_1a", ["A", "B"]);
        register("dp_1b", ["B", "C"]);
        const { deployments, services } = registry();
        assert.deepEqual(deployments.get("dp_1a"), deploymentOf("dp_1a", ["A", "B"]));
        assert.deepEqual([...deployments.keys()], ["dp_1a", "dp_1b"]);
        assert.deepEqual(services.get("A"), {
          service: "A",
          revision: 1,
          deploymentId: "dp_1a",
        });
        assert.deepEqual(services.get("B"), {
          service: "B",
          revision: 2,
          deploymentId: "dp_1b",
        });
        assert.equal(services.get("C")?.revision, 1);
      });

      it("knows every revision, and gives new invocations to the highest that is not draining", () => {
        register("dp_1a", ["A"]);
        register("dp_1b", ["A"]);
        const drain = (drainingSinceMs: number | null) =>
          store.transact((tx) =>
            tx.putDeployment({ ...deploymentOf("dp_1b", ["A"]), drainingSinceMs }, []),
          );
        drain(NOW_MS + 3);
        assert.equal(registry().deployments.get("dp_1b")?.drainingSinceMs, NOW_MS + 3);
        assert.equal(registry().services.get("A")?.deploymentId, "dp_1a");
        assert.deepEqual(
          registry()
            .revisions.get("A")
            ?.map((each) => [each.revision, each.deploymentId]),
          [
            [1, "dp_1a"],
            [2, "dp_1b"],
          ],
        );
        drain(null);
        assert.equal(registry().services.get("A")?.deploymentId, "dp_1b");
      });

      it("forgets a deployment with the revisions that point to it", () => {
        register("dp_1a", ["A", "B"]);
        register("dp_1b", ["A"]);
        store.transact((tx) => tx.deleteDeployment("dp_1a"));
        assert.deepEqual([...registry().deployments.keys()], ["dp_1b"]);
        assert.deepEqual([...registry().services.keys()], ["A"]);
        assert.deepEqual(
          registry()
            .revisions.get("A")
            ?.map((each) => each.revision),
          [2],
        );
        assert.equal(registry().revisions.get("B"), undefined);
        store.transact((tx) => tx.deleteDeployment("dp_1x"));
        store.transact((tx) => tx.deleteDeployment("dp_1b"));
        assert.equal(registry().services.size, 0);
      });

      it("keeps what was set for a service last", () => {
        register("dp_1a", ["A"]);
        const set = (service: string, overrides: ServiceOverrides) =>
          store.transact((tx) => tx.putOverrides(service, overrides));
        set("A", { ingressPrivate: true, workflowCompletionRetention: 1 });
        set("A", { abortTimeout: 5 });
        set("B", {});
        assert.deepEqual(
          [...registry().overrides],
          [
            ["A", { abortTimeout: 5 }],
            ["B", {}],
          ],
        );
      });

      it("that was handed out does not change", () => {
        const before = registry();
        register("dp_1a", ["A"]);
        assert.equal(before.deployments.size, 0);
        assert.equal(registry().deployments.size, 1);
      });
    });

    instanceSuite(() => store);
    largeValuesSuite(() => store);

    describe("a transaction", () => {
      const [cart, other] = [
        { service: "Cart", key: "a" },
        { service: "Cart", key: "b" },
      ];
      /** Fills the store, then does everything that a transaction can do and throws. */
      const everything = (tx: Transactor): never => {
        const [first, second] = tx.running(0, 2);
        appendMessage(tx, given(first), "run1");
        Object.assign(given(first), { epoch: 8, state: PAUSED });
        tx.save(given(first));
        tx.deleteInvocation(given(second).seq);
        const made = tx.insertInvocation(newInvocation(50));
        appendMessage(tx, made, "input");
        tx.takeDueTimers(NOW_MS, 1);
        tx.addTimer({ dueMs: NOW_MS - 5, seq: 1, kind: "start", arg: 0 });
        tx.takeListeners(given(first).seq);
        tx.addListener(made.seq, listener(1, 1));
        tx.addEvent(given(first).seq, RESUMED);
        tx.purgeJournal(given(first).seq, 1);
        tx.setState(cart, text("a"), text("2"));
        tx.setState(cart, text("b"), text("2"));
        tx.clearState(cart, text("a"));
        tx.clearAllState(other);
        tx.unlock(cart);
        tx.lock(cart, 9);
        tx.lock(other, 9);
        tx.dequeue(cart);
        tx.removeQueued(tx.enqueue(other, { kind: "invocation", seq: 9 }) - 1);
        tx.completePromise(cart, "q", { kind: "value", value: text("2") });
        tx.takePromiseListeners(cart, "q");
        tx.addPromiseListener(cart, "p", { seq: 9, completionId: 1 });
        tx.clearPromises(other);
        tx.putOverrides("A", { abortTimeout: 2 });
        tx.deleteDeployment("dp_1a");
        tx.putDeployment(deploymentOf("dp_1z", ["A"]), [
          { service: "A", revision: 2, deploymentId: "dp_1z" },
        ]);
        throw new Refused("all of it");
      };
      const filled = (): void =>
        store.transact((tx) => {
          for (const instance of [cart, other]) {
            tx.setState(instance, text("a"), text("1"));
            tx.enqueue(instance, { kind: "invocation", seq: 1 });
            tx.enqueue(instance, { kind: "mutation", mutation: { version: null, entries: [] } });
            tx.completePromise(instance, "p", { kind: "value", value: text("1") });
            tx.addPromiseListener(instance, "q", { seq: 1, completionId: 1 });
          }
          tx.lock(cart, 1);
          tx.putOverrides("A", { abortTimeout: 1 });
          for (const number of [1, 2, 3]) {
            const made = tx.insertInvocation(newInvocation(number));
            appendMessage(tx, made, "input");
            tx.addListener(made.seq, listener(1, number));
            tx.addTimer({ dueMs: NOW_MS - number, seq: made.seq, kind: "sleep", arg: 1 });
          }
          tx.putDeployment(deploymentOf("dp_1a", ["A"]), [
            { service: "A", revision: 1, deploymentId: "dp_1a" },
          ]);
        });

      it("that throws leaves nothing behind", () => {
        filled();
        const before = dump(store, 20);
        assert.throws(() => store.transact(everything), new Refused("all of it"));
        assert.equal(dump(store, 20), before);
        assert.equal(
          store.read((reader) => reader.registry().services.get("A")?.revision),
          1,
        );
        const third = store.read((reader) => given(reader.running(0, 9).at(-1)).seq);
        assert.ok(insert(50) > third);
      });

      it("returns what its function returns", () => {
        assert.equal(
          store.transact(() => 7),
          7,
        );
      });

      it("is synchronous: a promise undoes it", () => {
        assert.throws(() =>
          store.transact((tx) => {
            tx.insertInvocation(newInvocation(1));
            return Promise.resolve();
          }),
        );
        assert.deepEqual(
          store.read((reader) => reader.running(0, 9)),
          [],
        );
      });

      it("does not nest, and is not read around", () => {
        store.transact(() => {
          assert.throws(() => store.transact(() => undefined));
          assert.throws(() => store.read(() => undefined));
        });
        assert.equal(insert(1) > 0, true);
      });

      it("cannot be used once it is over", () => {
        const kept = store.transact((tx) => tx);
        assert.throws(() => kept.insertInvocation(newInvocation(1)));
        assert.throws(() => kept.invocation(1));
        assert.throws(() => kept.stateNames({ service: "Cart", key: "a" }));
        assert.throws(() => kept.unlock({ service: "Cart", key: "a" }));
        assert.throws(() => kept.addTimer({ dueMs: 1, seq: 1, kind: "start", arg: 0 }));
        let undone: Transactor | undefined;
        assert.throws(() => store.transact((tx) => fail((undone = tx))), Refused);
        assert.throws(() => given(undone).deleteInvocation(1));
      });
    });

    describe("a barrier", () => {
      it("calls back after it has returned, in the order of the calls", async () => {
        const calls: string[] = [];
        const wait = (label: string) =>
          new Promise<void>((resolve) => {
            store.barrier((error) => {
              calls.push(`${label} ${error === null ? "ok" : error.message}`);
              resolve();
            });
          });
        const nothingYet = wait("nothing yet");
        insert(1);
        const first = wait("first");
        insert(2);
        const second = wait("second");
        calls.push("returned");
        await Promise.all([nothingYet, first, second]);
        assert.deepEqual(calls, ["returned", "nothing yet ok", "first ok", "second ok"]);
      });
    });

    it("refuses everything once closed", async () => {
      await store.close();
      assert.throws(() => store.transact(() => undefined));
      assert.throws(() => store.read(() => undefined));
      assert.throws(() => store.barrier(() => undefined));
      await store.close();
    });
  });
}

const RESUMED: JournalEvent = { kind: "resumed", deploymentId: null, atMs: NOW_MS, afterIndex: 1 };

class Refused extends Error {}

function fail(what: unknown): never {
  throw new Refused(String(what));
}

function given<T>(value: T | undefined): T {
  assert.ok(value !== undefined);
  return value;
}

function listener(callerSeq: number, completionId: number): Listener {
  return { callerSeq, completionId, messageType: MessageType.CallCompletion };
}
