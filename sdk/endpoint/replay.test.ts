/**
 * The promise of replay, over handlers made up at random: whatever is delivered when, and wherever an attempt dies, the
 * handler ends with one result; replaying its journal issues the same commands; and every prefix of the journal resumes.
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { RestatePromise } from "../context/restate-promise.ts";
import type { Context, RestatePromise as Promised } from "../define/context.ts";
import { TerminalError } from "../define/errors.ts";
import { isCommand, MessageType } from "../protocol/message-type.ts";
import type { Message, Notification } from "../protocol/messages.ts";
import { findDifference } from "../replay/command-match.ts";
import {
  called,
  CANCEL,
  END,
  input,
  invocationId,
  namedSignal,
  ran,
  signal,
  slept,
  start,
  value,
} from "../replay/machine.suite.ts";
import { Exchange, type TestHandler } from "./exchange.suite.ts";

type Op =
  | { readonly kind: "run" | "sleep" | "call" | "send" | "awakeable" | "recv" }
  | { readonly kind: "race" | "all" | "settled"; readonly ops: readonly Op[] }
  | { readonly kind: "timeout" | "later"; readonly op: Op }
  | { readonly kind: "flows"; readonly flows: readonly (readonly Op[])[] };

const { script } = fc.letrec<{ leaf: Op; op: Op; script: Op[] }>((tie) => ({
  leaf: fc.record({ kind: fc.constantFrom("run", "sleep", "call", "send", "awakeable", "recv") }),
  op: fc.oneof(
    { maxDepth: 3, withCrossShrink: true },
    { arbitrary: tie("leaf"), weight: 4 },
    {
      arbitrary: fc.record({
        kind: fc.constantFrom("race", "all", "settled"),
        ops: fc.array(tie("leaf"), { minLength: 1, maxLength: 3 }),
      }),
      weight: 2,
    },
    {
      arbitrary: fc.record({ kind: fc.constantFrom("timeout", "later"), op: tie("leaf") }),
      weight: 1,
    },
    {
      arbitrary: fc.record({
        kind: fc.constant("flows"),
        flows: fc.array(fc.array(tie("op"), { maxLength: 3 }), { minLength: 1, maxLength: 3 }),
      }),
      weight: 1,
    },
  ) as fc.Arbitrary<Op>,
  script: fc.array(tie("op"), { maxLength: 5 }),
}));

/** A handler that does what the script says and returns all it saw. */
function handlerOf(ops: readonly Op[]): TestHandler {
  return async (ctx) => {
    let names = 0;
    const begin = (op: Op): Promised<unknown> => {
      names += 1;
      const name = `${op.kind}-${names}`;
      switch (op.kind) {
        case "run":
          return ctx.run(name, async () => name);
        case "sleep":
          return ctx.sleep(names, name).map(() => name);
        case "call":
          return callOf(ctx, name);
        case "awakeable":
          return ctx.awakeable<string>().promise;
        case "recv":
          return ctx.recv<string>("t");
        case "send":
          ctx.genericSend({ service: "T", method: "m", parameter: new Uint8Array(0), name });
          return RestatePromise.resolve(name);
        case "race":
          return RestatePromise.race(op.ops.map(begin));
        case "all":
          return RestatePromise.all(op.ops.map(begin));
        case "settled":
          return RestatePromise.allSettled(op.ops.map(begin));
        case "timeout":
          return begin(op.op).orTimeout(1000);
        default:
          throw new Error(`${op.kind} is not begun`);
      }
    };
    const flow = async (steps: readonly Op[]): Promise<unknown[]> => {
      const seen: unknown[] = [];
      const later: Promised<unknown>[] = [];
      for (const op of steps) {
        try {
          if (op.kind === "later") later.push(begin(op.op));
          else if (op.kind === "flows") seen.push(await Promise.all(op.flows.map(flow)));
          else seen.push(await begin(op));
        } catch (error) {
          if (!(error instanceof TerminalError)) throw error;
          seen.push(error.message);
        }
      }
      for (const promise of later) {
        seen.push(await promise.map((result, failed) => result ?? failed?.message).catch(String));
      }
      return seen;
    };
    return flow(ops);
  };
}

const callOf = (ctx: Context, name: string): Promised<unknown> =>
  ctx
    .genericCall({ service: "T", method: "m", parameter: new Uint8Array(0), name })
    .map(() => name);

/** A server of one invocation: a journal, what has yet to happen, and an attempt. */
class TestServer {
  readonly journal: Message[] = [input()];
  readonly #handler: TestHandler;
  /** Completions of sleeps, calls and awakeables that may come any time. */
  readonly #outstanding: Notification[] = [];
  #attempt: Exchange | undefined;
  #isSuspended = false;
  #awakeables = 17;
  #messages = 0;
  isDone = false;
  attempts = 0;

  constructor(handler: TestHandler, cancels: boolean) {
    this.#handler = handler;
    if (cancels) this.#outstanding.push(CANCEL);
  }

  /** Runs the invocation to its end; `next` decides what happens. */
  async run(next: (choices: number) => number): Promise<void> {
    while (!this.isDone) {
      if (this.#attempt === undefined) this.#begin();
      await this.#read();
      if (this.isDone) return;
      const choice = next(8);
      if (choice === 0) this.#crash();
      else if (choice === 1) this.#attempt?.closeInput();
      else this.#happen(next);
      assert.ok(this.attempts < 1000, "no end in sight");
    }
  }

  #begin(): void {
    this.attempts += 1;
    this.#isSuspended = false;
    this.#attempt = new Exchange(this.#handler);
    this.#attempt.feed(start(this.journal.length), ...this.journal);
  }

  /** The attempt dies, and takes along what the server has not read. */
  #crash(): void {
    this.#attempt?.invocation.onAborted();
    this.#attempt = undefined;
  }

  async #read(): Promise<void> {
    const attempt = this.#attempt;
    if (attempt === undefined) return;
    for (;;) {
      const messages = await attempt.written();
      for (const message of messages) this.#onMessage(message);
      if (messages.length === 0) break;
    }
    if (this.#isSuspended) this.#attempt = undefined;
  }

  #onMessage(message: Message): void {
    switch (message.type) {
      case MessageType.ProposeRunCompletion:
        return this.#notify(ran(message.resultCompletionId, message.result));
      case MessageType.Suspension:
        this.#isSuspended = true;
        return;
      case MessageType.End:
        this.isDone = true;
        return;
      case MessageType.Error:
        throw new Error(message.message);
      default:
        this.journal.push(message);
    }
    if (message.type === MessageType.SleepCommand) {
      this.#outstanding.push(slept(message.resultCompletionId));
    } else if (message.type === MessageType.CallCommand) {
      this.#notify(invocationId(message.invocationIdCompletionId));
      this.#outstanding.push(called(message.resultCompletionId, value("")));
    } else if (message.type === MessageType.OneWayCallCommand) {
      this.#notify(invocationId(message.invocationIdCompletionId));
    }
  }

  /** Something outstanding happens; awakeables are completed in the order they could have been made, messages queue up. */
  #happen(next: (choices: number) => number): void {
    const at = next(this.#outstanding.length + 1);
    const [happened] = this.#outstanding.splice(at, 1);
    if (happened !== undefined) return this.#notify(happened);
    if (next(2) === 0) return this.#deliver();
    this.#notify(signal(this.#awakeables, value(`"signal-${this.#awakeables}"`)));
    this.#awakeables += 1;
  }

  #deliver(): void {
    const number = this.#messages;
    this.#messages += 1;
    this.#notify(namedSignal(`hf.msg/t/${number}`, value(`"message-${number}"`)));
  }

  #notify(notification: Notification): void {
    this.journal.push(notification);
    this.#attempt?.feed(notification);
  }
}

describe("a handler made up at random", () => {
  it("replays its own journal, and resumes from any prefix of it", async () => {
    const choices = fc.infiniteStream(fc.nat());
    await fc.assert(
      fc.asyncProperty(script, fc.boolean(), choices, async (ops, cancels, stream) => {
        const handler = handlerOf(ops);
        const server = new TestServer(handler, cancels);
        await server.run((count) => (stream.next().value ?? 0) % count);
        const { journal } = server;

        const replay = Exchange.replaying(handler, journal);
        assert.deepEqual(await replay.written(), [END]);

        for (let length = 1; length < journal.length; length += 1) {
          const resumed = Exchange.replaying(handler, journal.slice(0, length));
          resumed.closeInput();
          const written = await resumed.written();
          assert.notEqual(written.at(-1)?.type, MessageType.Error, JSON.stringify(written.at(-1)));
          const left = commandsOf(journal.slice(length));
          for (const [index, command] of commandsOf(written).entries()) {
            const recorded = left[index];
            assert.ok(recorded, "more commands than the whole invocation had");
            assert.equal(findDifference(recorded, command), undefined);
          }
        }
      }),
      { numRuns: 150 },
    );
  });
});

const commandsOf = (messages: readonly Message[]) =>
  messages.filter((message): message is Parameters<typeof findDifference>[0] =>
    isCommand(message.type),
  );
