/** For tests: a handler whose steps are recorded as a server would, on one attempt or with an attempt for each result. */
import assert from "node:assert/strict";
import { Exchange, type TestHandler } from "../endpoint/exchange.suite.ts";
import { isCommand, MessageType } from "../protocol/message-type.ts";
import type { Message, Outcome } from "../protocol/messages.ts";
import { input, ran } from "../replay/machine.suite.ts";

export interface Driven {
  /** Names of the steps in the journal, in order. */
  readonly steps: string[];
  readonly result: Outcome;
}

/** Ends the handler on one stream. `inject` may add notifications behind the result of a step. */
export async function drive(
  handler: TestHandler,
  inject: (step: string) => readonly Message[] = () => [],
): Promise<Driven> {
  const exchange = Exchange.replaying(handler, [input()]);
  const seen: Message[] = [];
  for (;;) {
    const written = await exchange.written();
    assert.ok(written.length > 0, `nothing after ${JSON.stringify(seen.at(-1))}`);
    seen.push(...written);
    const ended = outcomeOf(seen);
    if (ended !== undefined) return { steps: stepsOf(seen), result: ended };
    exchange.feed(
      ...resultsOf(written).flatMap((each) => [each.result, ...inject(each.step(seen))]),
    );
  }
}

/** The same with a new attempt after each result: all before it is replayed. */
export async function driveReplaying(handler: TestHandler): Promise<Driven> {
  const journal: Message[] = [input()];
  for (let attempt = 0; attempt < 50; attempt += 1) {
    const exchange = Exchange.replaying(handler, journal);
    exchange.closeInput();
    const written = await exchange.written();
    journal.push(...written.filter(({ type }) => isCommand(type)));
    journal.push(...resultsOf(written).map(({ result }) => result));
    const ended = outcomeOf(written);
    if (ended !== undefined) return { steps: stepsOf(journal), result: ended };
  }
  return assert.fail("it does not end");
}

interface StepResult {
  readonly result: Message;
  readonly step: (seen: readonly Message[]) => string;
}

function resultsOf(written: readonly Message[]): StepResult[] {
  return written.flatMap((message) => {
    if (message.type !== MessageType.ProposeRunCompletion) return [];
    const { resultCompletionId: id, result } = message;
    const isOf = (each: Message) =>
      each.type === MessageType.RunCommand && each.resultCompletionId === id;
    const step = (seen: readonly Message[]) => stepsOf(seen.filter(isOf))[0] ?? "";
    return [{ result: ran(id, result), step }];
  });
}

function stepsOf(messages: readonly Message[]): string[] {
  return messages.flatMap((each) => (each.type === MessageType.RunCommand ? [each.name] : []));
}

function outcomeOf(messages: readonly Message[]): Outcome | undefined {
  const failed = messages.find(({ type }) => type === MessageType.Error);
  assert.equal(failed, undefined, JSON.stringify(failed));
  const output = messages.find((each) => each.type === MessageType.OutputCommand);
  return output?.type === MessageType.OutputCommand ? output.result : undefined;
}
