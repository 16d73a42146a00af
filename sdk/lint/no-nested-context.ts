/** `no-nested-context`: the context within the action of a step. */
import { Handlers, firstParameter } from "./handlers.ts";
import { makeRule } from "./rule.ts";
import { is, isFunction, nameOf, type Node } from "./syntax.ts";

/** What is the same wherever it is read, and takes no place in the journal. */
const HARMLESS = new Set(["request", "key", "console"]);

export const noNestedContext = makeRule({
  description: "disallow the context of a handler within its steps",
  messages: {
    found:
      "{{name}} must not be used inside {{name}}.run: a recorded step is not executed again, and what it did with the context would be missing.",
  },
  create: (context) => {
    const { sourceCode } = context;
    const handlers = new Handlers(sourceCode);
    const isInStep = (node: Node, owner: Node): boolean => {
      for (let outer = node.parent; outer && outer !== owner; outer = outer.parent) {
        if (isFunction(outer) && handlers.isStep(outer)) return true;
      }
      return false;
    };
    const check = (owner: Node): void => {
      const parameter = firstParameter(owner);
      if (parameter === undefined || !(handlers.isHandler(owner) || handlers.isSaga(owner))) return;
      const { name } = parameter;
      const variable = sourceCode.getDeclaredVariables(owner).find((each) => each.name === name);
      for (const { identifier } of variable?.references ?? []) {
        if (isHarmless(identifier) || !isInStep(identifier, owner)) continue;
        context.report({ node: identifier, messageId: "found", data: { name } });
      }
    };
    return {
      ArrowFunctionExpression: check,
      FunctionExpression: check,
      FunctionDeclaration: check,
    };
  },
});

function isHarmless({ parent }: Node): boolean {
  return is(parent, "MemberExpression") && HARMLESS.has(nameOf(parent) ?? "");
}
