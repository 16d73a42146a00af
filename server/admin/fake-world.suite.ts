/** What the tests of this room stand on: invocations, journals, queues and a registry by hand, behind a reader and a door. */
import { encodeBody } from "../../sdk/protocol/codec.ts";
import type { ManifestHandler, ManifestService } from "../../sdk/protocol/manifest.ts";
import type { Message, Outcome } from "../../sdk/protocol/messages.ts";
import { emptySummary, type Entry, foldEntry } from "../journal/summary.ts";
import { deploymentOf } from "../machine/deployment.suite.ts";
import type { Reply } from "../machine/effect.ts";
import type { JournalEvent } from "../machine/event.ts";
import type { Input } from "../machine/input.ts";
import type { Instance, Invocation } from "../machine/invocation.ts";
import {
  type Deployment,
  EMPTY_REGISTRY,
  makeRegistry,
  type Registry,
  withDeployment,
  withoutDeployment,
  withRows,
} from "../machine/registry.ts";
import type { Reader } from "../machine/tx.ts";
import type { Door, LiveAttempt, LiveAttempts } from "../processor/ports.ts";

export const NOW_MS = Date.parse("2026-11-23T09:04:46.167Z");
export const NOW_TEXT = "2026-11-23T09:04:46.167000000Z";

/** 24 bytes that differ by their last one. */
export function idOf(seq: number): Uint8Array {
  return Uint8Array.from({ length: 24 }, (_, index) => (index === 23 ? seq : index + 1));
}

const instanceKey = (instance: Instance): string => `${instance.service}/${instance.key}`;

export class FakeWorld implements Door, LiveAttempts {
  readonly inputs: Input[] = [];
  registry: Registry = EMPTY_REGISTRY;
  readonly invocations = new Map<number, Invocation>();
  readonly journals = new Map<number, Entry[]>();
  readonly happened = new Map<number, JournalEvent[]>();
  readonly holders = new Map<string, number>();
  readonly queues = new Map<string, number[]>();
  readonly promises = new Map<string, Outcome>();
  readonly attempts = new Map<number, LiveAttempt>();
  readonly unreached = new Map<number, string>();
  /** What a question is answered with, in a later turn. */
  reply: (input: Input) => Reply = () => ({ kind: "done" });
  isCongested = false;
  isDurable = true;

  readonly reader: Reader = {
    registry: () => this.registry,
    invocation: (seq) => this.invocations.get(seq),
    findInvocation: (id) =>
      [...this.invocations.values()].find((each) => Buffer.compare(each.id, id) === 0),
    entries: (seq, from, to) => (this.journals.get(seq) ?? []).slice(from, to),
    entriesOfType: (seq, type) =>
      (this.journals.get(seq) ?? []).filter((entry) => entry.type === type),
    events: (seq) => this.happened.get(seq) ?? [],
    nextDueMs: () => undefined,
    running: () => [],
    isPinned: (id) =>
      [...this.invocations.values()].some(
        ({ pin, state }) => pin?.deploymentId === id && state.status !== "completed",
      ),
    state: () => ({ entries: [], isComplete: true }),
    stateValue: () => undefined,
    stateNames: () => [],
    lockHolder: (instance) => this.holders.get(instanceKey(instance)),
    queue: (instance, limit) => (this.queues.get(instanceKey(instance)) ?? []).slice(0, limit),
    promise: (instance, name) => this.promises.get(`${instanceKey(instance)}/${name}`),
  };

  // ---- the door

  whenRelieved(): void {}

  submit(input: Input): void {
    this.inputs.push(input);
    const { registry } = this;
    switch (input.type) {
      case "register-deployment":
        this.registry = withDeployment(registry, input.deployment).registry;
        break;
      case "update-deployment":
        this.registry = withRows(registry, input.deployment, []);
        break;
      case "delete-deployment":
        this.registry = withoutDeployment(registry, input.id);
        break;
      case "override-service": {
        const overrides = new Map(registry.overrides).set(input.service, input.overrides);
        this.registry = makeRegistry({ ...registry, overrides });
        break;
      }
      default:
        break;
    }
  }

  ask(input: (replyTo: number) => Input, answer: (reply: Reply) => void): void {
    const asked = input(this.inputs.length);
    this.submit(asked);
    setImmediate(answer, this.reply(asked));
  }

  read<T>(fn: (reader: Reader) => T): T {
    return fn(this.reader);
  }

  async readDurable<T>(fn: (reader: Reader) => T): Promise<T> {
    return this.read(fn);
  }

  // ---- the attempts in flight

  of(seq: number): LiveAttempt | undefined {
    return this.attempts.get(seq);
  }

  unreachable(seq: number): string | undefined {
    return this.unreached.get(seq);
  }

  all(): Iterable<LiveAttempt> {
    return this.attempts.values();
  }

  // ---- for the tests

  /** The inputs of one type, in order. */
  inputsOf<T extends Input["type"]>(type: T): Extract<Input, { type: T }>[] {
    return this.inputs.filter((input): input is Extract<Input, { type: T }> => input.type === type);
  }

  register(...services: readonly ManifestService[]): void {
    this.registry = withDeployment(this.registry, testDeployment(services)).registry;
  }

  /** An invocation of a plain service that runs, but for `fields`; its journal is `messages`. */
  add(seq: number, fields: Partial<Invocation>, messages: readonly Message[] = []): Invocation {
    const journal = emptySummary();
    const entries = messages.map((message, index): Entry => {
      const body = encodeBody(message);
      foldEntry(journal, message.type, body);
      return { index, type: message.type, body, atMs: NOW_MS };
    });
    const invocation: Invocation = { ...PLAIN, seq, id: idOf(seq), journal, ...fields };
    this.invocations.set(seq, invocation);
    this.journals.set(seq, entries);
    return invocation;
  }
}

const PLAIN: Omit<Invocation, "journal" | "seq" | "id"> = {
  target: { service: "Greeter", handler: "run", key: null },
  kind: "plain",
  idempotencyKey: null,
  caller: null,
  restartedFrom: null,
  trace: null,
  createdAtMs: NOW_MS,
  startAtMs: null,
  completionRetentionMs: 60_000,
  journalRetentionMs: 30_000,
  modifiedAtMs: NOW_MS,
  queuedAtMs: null,
  runningAtMs: null,
  lastStartAtMs: null,
  epoch: 0,
  state: { status: "running", isPausing: false },
  pin: null,
  retryCount: 0,
  retryCountSinceLastStoredEntry: 0,
  lastFailure: null,
  isJournalPurged: false,
};

export function testDeployment(
  services: readonly ManifestService[],
  fields: Partial<Deployment> = {},
): Deployment {
  return deploymentOf(1_795_418_772_060, services, {
    id: "dp_10000000000000000000001",
    uri: "http://127.0.0.1:9080/",
    sdkVersion: "test/1.0.0",
    ...fields,
  });
}

export function service(
  name: string,
  handlers: readonly ManifestHandler[],
  fields: Partial<ManifestService> = {},
): ManifestService {
  return { name, ty: "SERVICE", handlers, ...fields };
}

/** A field of a JSON document, by path. */
export function at(document: unknown, ...path: readonly (string | number)[]): unknown {
  let value = document;
  for (const step of path) {
    value = Object.entries(value ?? {}).find(([name]) => name === String(step))?.[1];
  }
  return value;
}
