/** `await-steps`: promises of the context that nobody waits for. */
import { Handlers } from "./handlers.ts";
import { makeRule, type SourceCode } from "./rule.ts";
import { type CallNode, is, nameOf, type Node, userOf } from "./syntax.ts";

/** Of a context or a saga. */
const OPERATIONS = new Set([
  "run",
  "sleep",
  "fetch",
  "saga",
  "genericCall",
  "recv",
  "signal",
  "get",
  "stateKeys",
]);

/** What is called on something that a context gives: by the name of that, which methods; undefined for all. */
const OF_PARTS: Readonly<Record<string, ReadonlySet<string> | undefined>> = {
  date: new Set(["now", "toJSON"]),
  promise: new Set(["get", "peek"]),
  invocation: new Set(["attach"]),
  serviceClient: undefined,
  objectClient: undefined,
  workflowClient: undefined,
};

/** Methods whose promise stands for the one they are called on. */
const CHAINS = new Set(["orTimeout", "map", "then", "catch", "finally"]);

export const awaitSteps = makeRule({
  description: "require that promises of the context are awaited, returned, or combined",
  messages: {
    step: "{{name}} is not awaited: a step is only executed once something waits for it. Await it, return it, or pass it to RestatePromise.all.",
    dropped:
      "{{name}} is not awaited: its result, and its failure, are lost. Await it, return it, or pass it to RestatePromise.all.",
  },
  create: (context) => {
    const { sourceCode } = context;
    const handlers = new Handlers(sourceCode);
    return {
      CallExpression: (node) => {
        if (!is(node, "CallExpression")) return;
        const name = operationOf(node, handlers);
        if (name === undefined) return;
        const { child, parent } = lastUse(node);
        const isUnread = is(parent, "VariableDeclarator") && isNeverRead(parent, sourceCode);
        if (!isUnread && !isDropped(child, parent)) return;
        const messageId = nameOf(node.callee) === "run" ? "step" : "dropped";
        context.report({ node, messageId, data: { name } });
      },
    };
  },
});

/** `ctx.run`; undefined for anything but an operation that gives a promise. */
function operationOf({ callee }: CallNode, handlers: Handlers): string | undefined {
  const method = nameOf(callee);
  if (!is(callee, "MemberExpression") || method === undefined) return undefined;
  const { object } = callee;
  if (OPERATIONS.has(method) && handlers.isContext(object)) return `${nameOf(object)}.${method}`;
  const part = is(object, "CallExpression") ? object.callee : object;
  const name = nameOf(part);
  if (!is(part, "MemberExpression") || name === undefined || !Object.hasOwn(OF_PARTS, name)) {
    return undefined;
  }
  if (OF_PARTS[name]?.has(method) === false || !handlers.isContext(part.object)) return undefined;
  return `${nameOf(part.object)}.${name}${part === object ? "" : "(…)"}.${method}`;
}

/** What becomes of the value in the end: past what is chained to it, and past expressions that only pass it on. */
function lastUse(node: Node): { readonly child: Node; readonly parent: Node | undefined } {
  const { child, parent } = userOf(node);
  const next = passedOn(child, parent);
  return next === undefined ? { child, parent } : lastUse(next);
}

function passedOn(child: Node, parent: Node | undefined): Node | undefined {
  if (is(parent, "MemberExpression") && parent.object === child) {
    const { child: callee, parent: call } = userOf(parent);
    const isCalled = is(call, "CallExpression") && call.callee === callee;
    return isCalled && CHAINS.has(nameOf(parent) ?? "") ? call : undefined;
  }
  if (is(parent, "LogicalExpression")) return parent.right === child ? parent : undefined;
  if (is(parent, "ConditionalExpression")) return parent.test === child ? undefined : parent;
  if (is(parent, "SequenceExpression")) {
    return parent.expressions.at(-1) === child ? parent : undefined;
  }
  return is(parent, "UnaryExpression") && parent.operator === "void" ? parent : undefined;
}

function isDropped(child: Node, parent: Node | undefined): boolean {
  if (is(parent, "SequenceExpression")) return parent.expressions.at(-1) !== child;
  return parent?.type === "ExpressionStatement";
}

function isNeverRead(declarator: Node & { readonly id: Node }, sourceCode: SourceCode): boolean {
  if (!is(declarator.id, "Identifier")) return false;
  const [variable] = sourceCode.getDeclaredVariables(declarator);
  return variable !== undefined && !variable.references.some((reference) => reference.isRead());
}
