/**
 * Handlers that do what their input says: a test sends a list of operations and reads the list of their results. So one endpoint an
 * SDK and transport serves every test, and what a test does stands in the test.
 */
import type * as Restate from "@restatedev/restate-sdk";
import type { Sdk } from "../endpoint.ts";

/** Service, key (null for a plain service), handler. */
export type Address = readonly [service: string, key: string | null, handler: string];

/** What can be awaited, and so combined. */
export type Branch =
  | readonly ["sleep", ms: number]
  /** A step that answers with `value`; how often it was executed is counted under its name. */
  | readonly ["step", name: string, value?: unknown]
  | readonly ["failingStep", name: string, message: string]
  /** A step that goes on when the test opens the gate. */
  | readonly ["gate", name: string]
  /** A step that fails so many times before it works, with its own policy. */
  | readonly ["flakyStep", name: string, failures: number, policy?: Restate.RunOptions<unknown>]
  | readonly ["signal", name: string]
  /** An awakeable whose id the test finds under `name`. */
  | readonly ["awakeable", name: string]
  | readonly ["call", to: Address, input: unknown, options?: CallOptions]
  | readonly ["attach", invocationId: string]
  | readonly ["promise", name: string]
  /** The cancellation of an invocation that asked for it with `explicitCancellation`. */
  | readonly ["cancellation"]
  | readonly ["all", branches: readonly Branch[]]
  | readonly ["race", branches: readonly Branch[]]
  | readonly ["any", branches: readonly Branch[]]
  | readonly ["allSettled", branches: readonly Branch[]]
  | readonly ["timeout", branch: Branch, ms: number]
  /** `label:value`, or `label!message` of a failure. */
  | readonly ["map", branch: Branch, label: string];

export interface CallOptions {
  readonly idempotencyKey?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

export type Op =
  | Branch
  | readonly ["get", name: string]
  | readonly ["set", name: string, value: unknown]
  | readonly ["clear", name: string]
  | readonly ["clearAll"]
  | readonly ["keys"]
  /** Sends, and answers with the invocation id. */
  | readonly ["send", to: Address, input: unknown, options?: CallOptions & { delay?: number }]
  | readonly ["resolveAwakeable", id: string, value: unknown]
  | readonly ["rejectAwakeable", id: string, reason: string]
  | readonly ["sendSignal", invocationId: string, name: string, value: unknown]
  | readonly ["rejectSignal", invocationId: string, name: string, reason: string]
  | readonly ["cancel", invocationId: string]
  | readonly ["peek", promise: string]
  | readonly ["resolve", promise: string, value: unknown]
  | readonly ["reject", promise: string, reason: string]
  | readonly ["throw", message: string, code?: number, metadata?: Readonly<Record<string, string>>]
  /** Throws what is no terminal error, the first `times` times. */
  | readonly ["crash", name: string, times: number]
  /** `ops` and, when they end in a terminal error, what it was and the results of `compensation`. */
  | readonly ["try", ops: readonly Op[], compensation?: readonly Op[]]
  | readonly ["headers"]
  /** A header of the request that runs this attempt; null without it. */
  | readonly ["attemptHeader", name: string]
  | readonly ["id"];

export type Program = readonly Op[];

/** What a test sees of its endpoint from the inside. */
export class World {
  /** The names of steps, in the order in which they were executed. */
  readonly steps: string[] = [];
  /** Ids of awakeables, by name. */
  readonly awakeables = new Map<string, string>();
  /** Attempts by invocation id. */
  readonly attempts = new Map<string, number>();
  readonly #gates = new Map<string, { open: () => void; opened: Promise<void> }>();
  readonly #crashes = new Map<string, number>();

  times(step: string): number {
    return this.steps.filter((each) => each === step).length;
  }

  open(gate: string): void {
    this.#gate(gate).open();
  }

  opened(gate: string): Promise<void> {
    return this.#gate(gate).opened;
  }

  crashed(name: string): number {
    return this.#crashes.get(name) ?? 0;
  }

  /** Counts, and says how often it was before. */
  crash(name: string): number {
    const before = this.crashed(name);
    this.#crashes.set(name, before + 1);
    return before;
  }

  #gate(name: string): { open: () => void; opened: Promise<void> } {
    const known = this.#gates.get(name);
    if (known !== undefined) return known;
    let open = (): void => {};
    const opened = new Promise<void>((resolve) => {
      open = resolve;
    });
    const made = { open: () => open(), opened };
    this.#gates.set(name, made);
    return made;
  }
}

type JsonSerde = Restate.Serde<unknown>;

interface Run {
  readonly ctx: Restate.WorkflowContext;
  readonly sdk: Sdk;
  readonly world: World;
}

type BranchOf<K extends string> = Extract<Branch, readonly [K, ...unknown[]]>;
type OpOf<K extends string> = Extract<Op, readonly [K, ...unknown[]]>;
type Started = Restate.RestatePromise<unknown>;

const together =
  (how: "all" | "race" | "any" | "allSettled") =>
  (run: Run, branches: readonly Branch[]): Started =>
    run.sdk.RestatePromise[how](branches.map((branch) => begin(run, branch))) as Started;

const BRANCHES: { readonly [K in Branch[0]]: (run: Run, branch: BranchOf<K>) => Started } = {
  sleep: ({ ctx }, [, ms]) => ctx.sleep(ms),
  step: ({ ctx, world }, [, name, value]) =>
    ctx.run(name, () => {
      world.steps.push(name);
      return value;
    }),
  failingStep: ({ ctx, sdk }, [, name, message]) =>
    ctx.run(name, () => {
      throw new sdk.TerminalError(message);
    }),
  gate: ({ ctx, world }, [, name]) =>
    ctx.run(name, async () => {
      world.steps.push(name);
      await world.opened(name);
    }),
  flakyStep: ({ ctx, world }, [, name, failures, policy]) => {
    const work = (): string => {
      if (world.crash(name) < failures) throw new Error(`${name} fails`);
      return "works";
    };
    return policy === undefined ? ctx.run(name, work) : ctx.run(name, work, policy as object);
  },
  signal: ({ ctx }, [, name]) => ctx.signal(name),
  awakeable: ({ ctx, world }, [, name]) => {
    const { id, promise } = ctx.awakeable();
    world.awakeables.set(name, id);
    return promise;
  },
  call: ({ ctx, sdk }, [, [service, key, method], parameter, options]) =>
    ctx.genericCall({
      service,
      method,
      parameter,
      inputSerde: sdk.serde.json as JsonSerde,
      outputSerde: sdk.serde.json as JsonSerde,
      ...(key === null ? {} : { key }),
      ...options,
    }),
  attach: ({ ctx, sdk }, [, id]) => ctx.attach(sdk.InvocationIdParser.fromString(id)),
  promise: ({ ctx }, [, name]) => ctx.promise(name).get(),
  cancellation: ({ ctx }) => (ctx as unknown as Restate.internal.ContextInternal).cancellation(),
  all: (run, [, branches]) => together("all")(run, branches),
  race: (run, [, branches]) => together("race")(run, branches),
  any: (run, [, branches]) => together("any")(run, branches),
  allSettled: (run, [, branches]) => together("allSettled")(run, branches),
  timeout: (run, [, branch, ms]) => begin(run, branch).orTimeout(ms),
  map: (run, [, branch, label]) =>
    begin(run, branch).map((value, failure) =>
      failure === undefined ? `${label}:${String(value)}` : `${label}!${failure.message}`,
    ),
};

type Immediate = Exclude<Op[0], Branch[0]>;

const OPS: { readonly [K in Immediate]: (run: Run, op: OpOf<K>) => unknown } = {
  get: ({ ctx }, [, name]) => ctx.get(name),
  set: ({ ctx }, [, name, value]) => ctx.set(name, value),
  clear: ({ ctx }, [, name]) => ctx.clear(name),
  clearAll: ({ ctx }) => ctx.clearAll(),
  keys: async ({ ctx }) => (await ctx.stateKeys()).toSorted(),
  send: async ({ ctx, sdk }, [, [service, key, method], parameter, options]) =>
    await ctx.genericSend({
      service,
      method,
      parameter,
      inputSerde: sdk.serde.json as JsonSerde,
      ...(key === null ? {} : { key }),
      ...options,
    }).invocationId,
  resolveAwakeable: ({ ctx }, [, id, value]) => ctx.resolveAwakeable(id, value),
  rejectAwakeable: ({ ctx }, [, id, reason]) => ctx.rejectAwakeable(id, reason),
  sendSignal: (run, [, id, name, value]) => invocation(run, id).signal(name).resolve(value),
  rejectSignal: (run, [, id, name, reason]) => invocation(run, id).signal(name).reject(reason),
  cancel: (run, [, id]) => run.ctx.cancel(run.sdk.InvocationIdParser.fromString(id)),
  peek: async ({ ctx }, [, name]) => (await ctx.promise(name).peek()) ?? null,
  resolve: ({ ctx }, [, name, value]) => ctx.promise(name).resolve(value),
  reject: ({ ctx }, [, name, reason]) => ctx.promise(name).reject(reason),
  throw: ({ sdk }, [, message, errorCode, metadata]) => {
    throw new sdk.TerminalError(message, {
      ...(errorCode === undefined ? {} : { errorCode }),
      ...(metadata === undefined ? {} : { metadata }),
    });
  },
  crash: ({ world }, [, name, times]) => {
    if (world.crash(name) < times) throw new Error(`${name} crashes`);
  },
  try: async (run, [, ops, compensation = []]) => {
    try {
      return await perform(run, ops);
    } catch (error) {
      if (error instanceof AggregateError) {
        return { name: error.name, errors: (error.errors as Error[]).map((each) => each.message) };
      }
      if (!(error instanceof run.sdk.TerminalError)) throw error;
      const { name, code, message, metadata } = error;
      const compensated = await perform(run, compensation);
      const hasMetadata = Object.keys(metadata ?? {}).length > 0;
      return {
        name,
        code,
        message,
        ...(hasMetadata ? { metadata } : {}),
        ...(compensated.length > 0 ? { compensated } : {}),
      };
    }
  },
  headers: ({ ctx }) => [...ctx.request().headers],
  attemptHeader: ({ ctx }, [, name]) => ctx.request().attemptHeaders.get(name),
  id: ({ ctx }) => ctx.request().id,
};

function invocation({ ctx, sdk }: Run, id: string): Restate.InvocationReference {
  return ctx.invocation(sdk.InvocationIdParser.fromString(id));
}

/** Starts what can be awaited, without awaiting it. */
function begin(run: Run, branch: Branch): Started {
  const start = BRANCHES[branch[0]] as (run: Run, branch: Branch) => Started;
  return start(run, branch);
}

async function perform(run: Run, ops: Program): Promise<unknown[]> {
  const results: unknown[] = [];
  for (const op of ops) {
    if (isBranch(op)) results.push((await begin(run, op)) ?? null);
    else {
      const act = OPS[op[0]] as (run: Run, op: Op) => unknown;
      results.push((await act(run, op)) ?? null);
    }
  }
  return results;
}

function isBranch(op: Op): op is Branch {
  return op[0] in BRANCHES;
}

async function interpret(sdk: Sdk, world: World, ctx: unknown, program: Program) {
  const run = { ctx: ctx as Restate.WorkflowContext, sdk, world };
  const { id } = run.ctx.request();
  world.attempts.set(id, (world.attempts.get(id) ?? 0) + 1);
  return await perform(run, program);
}

/** A plain service; its handler is `run`. */
export function serviceOf(
  sdk: Sdk,
  world: World,
  name: string,
  options: Restate.ServiceOptions = {},
): unknown {
  const run = (ctx: Restate.Context, program: Program) => interpret(sdk, world, ctx, program);
  return sdk.service({ name, handlers: { run }, options });
}

/** A virtual object; `run` is exclusive, `look` shared. */
export function objectOf(
  sdk: Sdk,
  world: World,
  name: string,
  options: Restate.ObjectOptions = {},
): unknown {
  const run = (ctx: Restate.ObjectContext, program: Program) => interpret(sdk, world, ctx, program);
  const look = sdk.handlers.object.shared(
    async (ctx: Restate.ObjectSharedContext, program: Program) =>
      await interpret(sdk, world, ctx, program),
  );
  return sdk.object({ name, handlers: { run, look }, options });
}

/** A workflow; `look` is its shared handler. */
export function workflowOf(
  sdk: Sdk,
  world: World,
  name: string,
  options: Restate.WorkflowOptions = {},
): unknown {
  const run = (ctx: Restate.WorkflowContext, program: Program) =>
    interpret(sdk, world, ctx, program);
  const look = sdk.handlers.workflow.shared(
    async (ctx: Restate.WorkflowSharedContext, program: Program) =>
      await interpret(sdk, world, ctx, program),
  );
  return sdk.workflow({ name, handlers: { run, look }, options });
}
