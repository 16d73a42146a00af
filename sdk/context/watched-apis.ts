/**
 * The functions of the runtime that are not the same in every attempt, replaced by ones that tell the watcher of the handler
 * they are called from, and then do the same. Called from anywhere else they only do the same.
 */
import { trust } from "../define/any.ts";
import { type Api, currentWatcher, enableScopes, outsideHandler } from "./handler-scope.ts";

type Newable = new (...args: never[]) => unknown;
type Fn = (...args: unknown[]) => unknown;

const NOW: Api = { name: "Date.now()", remedy: "await ctx.date.now()", isClock: true };
const NEW_DATE: Api = {
  name: "new Date()",
  remedy: "new Date(await ctx.date.now())",
  isClock: true,
};
const RANDOM: Api = { name: "Math.random()", remedy: "ctx.rand.random()" };
const UUID: Api = { name: "crypto.randomUUID()", remedy: "ctx.rand.uuidv4()" };
const FETCH: Api = { name: "fetch()", remedy: "ctx.fetch()" };

/** Timers are no part of the journal: after a crash nobody waits for them any more. */
const timer = (name: string): Api => ({ name: `${name}()`, remedy: "ctx.sleep()" });
const chance = (name: string): Api => ({ name: `crypto.${name}()`, remedy: "ctx.rand" });

const OF_NODE_CRYPTO = ["getRandomValues", "randomBytes", "randomFillSync", "randomInt"];

let isWatching: boolean | undefined;

/** From now on, for the whole process. False where handlers cannot be told from other code; then nothing is replaced. */
export function watchApis(): boolean {
  if (isWatching !== undefined) return isWatching;
  isWatching = enableScopes();
  if (isWatching) replaceAll();
  return isWatching;
}

function replaceAll(): void {
  watch(Date, "now", NOW);
  watchDate();
  watch(Math, "random", RANDOM);
  watch(globalThis, "setTimeout", timer("setTimeout"));
  watch(globalThis, "setInterval", timer("setInterval"));
  watch(globalThis, "fetch", FETCH);
  const { crypto } = globalThis;
  watch(crypto, "randomUUID", UUID);
  watch(crypto, "getRandomValues", chance("getRandomValues"));
  watchNodeModules();
}

/** What programs import instead of using the global. */
function watchNodeModules(): void {
  try {
    const crypto = process.getBuiltinModule("node:crypto");
    watch(crypto, "randomUUID", UUID);
    for (const name of OF_NODE_CRYPTO) watch(crypto, name, chance(name));
    for (const timers of [
      process.getBuiltinModule("node:timers"),
      process.getBuiltinModule("node:timers/promises"),
    ]) {
      watch(timers, "setTimeout", timer("setTimeout"));
      watch(timers, "setInterval", timer("setInterval"));
    }
    // For `import { randomUUID } from "node:crypto"`.
    process.getBuiltinModule("node:module").syncBuiltinESMExports();
  } catch {
    // Not all of Node is everywhere.
  }
}

/** Leaves what cannot be replaced as it is. */
function watch(object: object, name: string, api: Api): void {
  try {
    const owner = ownerOf(object, name);
    const descriptor = Object.getOwnPropertyDescriptor(owner, name);
    if (typeof descriptor?.value !== "function") return;
    const value = watched(trust<Fn>(descriptor.value), api);
    Object.defineProperty(owner, name, { ...descriptor, value });
  } catch {
    // Frozen, for instance.
  }
}

/** Methods may be inherited. */
function ownerOf(object: object, name: string): object {
  let owner: object | null = object;
  while (owner !== null && !Object.hasOwn(owner, name)) owner = trust(Object.getPrototypeOf(owner));
  return owner ?? object;
}

function watched(original: Fn, api: Api): Fn {
  function call(this: unknown, ...args: unknown[]): unknown {
    const watcher = currentWatcher();
    if (watcher === undefined) return Reflect.apply(original, this, args);
    watcher.onUse(api, call);
    // What it uses in turn is not the handler's, nor is what a timer calls once this has been told.
    return outsideHandler(() => Reflect.apply(original, this, args));
  }
  // Name, length, and what others have put there, such as the promise form of setTimeout.
  return Object.defineProperties(call, Object.getOwnPropertyDescriptors(original));
}

function watchDate(): void {
  const apply = (target: DateConstructor, self: unknown, args: unknown[]): unknown => {
    currentWatcher()?.onUse(NEW_DATE, apply);
    return Reflect.apply(target, self, args);
  };
  const construct = (target: DateConstructor, args: unknown[], newTarget: Newable): object => {
    if (args.length === 0) currentWatcher()?.onUse(NEW_DATE, construct);
    return trust(Reflect.construct(target, args, newTarget));
  };
  const { prototype } = Date;
  const value = new Proxy(Date, { apply, construct });
  globalThis.Date = value;
  // So that `date.constructor === Date` stays true.
  Object.defineProperty(prototype, "constructor", { value, writable: true, configurable: true });
}
