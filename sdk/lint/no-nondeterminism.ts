/** `no-nondeterminism`: what the runtime gives that is not the same in every attempt. */
import { Handlers } from "./handlers.ts";
import { makeRule, type Problem } from "./rule.ts";
import { type CallNode, is, isFunction, nameOf, type Node, rootOf } from "./syntax.ts";

interface Api {
  readonly name: string;
  /** `ctx` stands for the name of the context. */
  readonly remedy: string;
  /** What to put in its place, where that is a matter of names; with `await` only in an async function. */
  readonly instead?: "callee" | "call";
}

const NOW: Api = { name: "Date.now()", remedy: "await ctx.date.now()", instead: "call" };
const DATE: Api = {
  name: "new Date()",
  remedy: "new Date(await ctx.date.now())",
  instead: "call",
};
const RANDOM: Api = { name: "Math.random()", remedy: "ctx.rand.random()", instead: "call" };
const UUID: Api = { name: "crypto.randomUUID()", remedy: "ctx.rand.uuidv4()", instead: "call" };
const FETCH: Api = { name: "fetch()", remedy: "ctx.fetch", instead: "callee" };
const chance = (name: string): Api => ({ name: `crypto.${name}()`, remedy: "ctx.rand" });
const timer = (name: string): Api => ({ name: `${name}()`, remedy: "ctx.sleep" });

const GLOBALS: Readonly<Record<string, Api>> = {
  "Date.now": NOW,
  "Math.random": RANDOM,
  "crypto.randomUUID": UUID,
  "crypto.getRandomValues": chance("getRandomValues"),
  Date: DATE,
  fetch: FETCH,
  setTimeout: timer("setTimeout"),
  setInterval: timer("setInterval"),
};

const TIMERS = { setTimeout: timer("setTimeout"), setInterval: timer("setInterval") };

/** By the module of Node, without `node:`. */
const MODULES: Readonly<Record<string, Readonly<Record<string, Api>>>> = {
  crypto: {
    randomUUID: UUID,
    getRandomValues: chance("getRandomValues"),
    randomBytes: chance("randomBytes"),
    randomFillSync: chance("randomFillSync"),
    randomInt: chance("randomInt"),
  },
  timers: TIMERS,
  "timers/promises": TIMERS,
};

export const noNondeterminism = makeRule({
  description: "disallow what differs from attempt to attempt in handlers, outside of steps",
  hasSuggestions: true,
  messages: {
    found:
      "{{name}} gives something else in every attempt of the handler: use {{remedy}}, or call it in {{context}}.run.",
    replace: "Use {{remedy}}.",
  },
  create: (context) => {
    const { sourceCode } = context;
    const handlers = new Handlers(sourceCode);
    const check = (node: Node): void => {
      if (!is(node, "CallExpression", "NewExpression")) return;
      const api = apiOf(node, handlers);
      if (api === undefined) return;
      const place = handlers.placeOf(node);
      if (place.kind === "handler") context.report(problem(node, api, place.context));
    };
    return { CallExpression: check, NewExpression: check };
  },
});

function apiOf(node: CallNode, handlers: Handlers): Api | undefined {
  const { callee } = node;
  const isNew = is(node, "NewExpression");
  if (isNew && (nameOf(callee) !== "Date" || node.arguments.length > 0)) return undefined;
  const path = pathOf(callee);
  const root = rootOf(callee);
  if (path === undefined) return undefined;
  const imported = handlers.importOf(root);
  if (imported !== undefined) {
    const { [imported.from.replace(/^node:/, "")]: module } = MODULES;
    // The whole module under a name, or one function of it.
    const name = path.includes(".") ? path.slice(path.indexOf(".") + 1) : imported.name;
    return name !== undefined && module !== undefined && Object.hasOwn(module, name)
      ? module[name]
      : undefined;
  }
  // A name that is declared in the file is another thing.
  if ((handlers.variableOf(root)?.defs.length ?? 0) > 0) return undefined;
  const name = path.replace(/^(?:globalThis|window|self)\./, "");
  return Object.hasOwn(GLOBALS, name) ? GLOBALS[name] : undefined;
}

/** `a.b.c`; undefined for anything but names. */
function pathOf(node: Node): string | undefined {
  if (is(node, "Identifier")) return node.name;
  if (!is(node, "MemberExpression")) return undefined;
  const [object, name] = [pathOf(node.object), nameOf(node)];
  return object === undefined || name === undefined ? undefined : `${object}.${name}`;
}

function problem(node: CallNode, { name, remedy, instead }: Api, context: string): Problem {
  const own = remedy.replace(/\bctx\b/, context);
  const found = { node, messageId: "found", data: { name, remedy: own, context } };
  if (instead === undefined || (own.includes("await") && !isInAsync(node))) return found;
  const target = instead === "callee" ? node.callee : node;
  // Not `await x.y`, where a member of it may follow.
  const text = own.startsWith("await") ? `(${own})` : own;
  const suggestion = {
    messageId: "replace",
    data: { remedy: own },
    fix: (fixer: { replaceText(node: Node, text: string): unknown }) =>
      fixer.replaceText(target, text),
  };
  return { ...found, suggest: [suggestion] };
}

function isInAsync(node: Node): boolean {
  for (let outer = node.parent; outer !== null && outer !== undefined; outer = outer.parent) {
    if (isFunction(outer)) return outer.async;
  }
  return false;
}
