/** Which functions of a file are handlers, which are steps, and which names are contexts. */
import type { Scope, SourceCode, Variable } from "./rule.ts";
import { is, isFunction, keyName, nameOf, type Node, rootOf, userOf } from "./syntax.ts";

/** Names are only known by where they are imported from. */
const SDK = /^@(?:holdfast|restatedev)\//;

const CONTEXT_TYPE = /^(?:Restate)?(?:Object|Workflow)?(?:Shared)?Context$/;
const DEFINES = new Set(["service", "object", "workflow", "implement"]);
const CREATES = /^create(?:Service|Object|ObjectShared|Workflow|WorkflowShared)Handler$/;

/** Where a piece of code runs. */
export type Place =
  /** In a handler, whose context has this name, outside of its steps. */
  { readonly kind: "handler"; readonly context: string } | { readonly kind: "step" | "elsewhere" };

export class Handlers {
  readonly #source: SourceCode;

  constructor(source: SourceCode) {
    this.#source = source;
  }

  placeOf(node: Node): Place {
    for (let outer = node.parent; outer !== null && outer !== undefined; outer = outer.parent) {
      if (!isFunction(outer)) continue;
      if (this.isStep(outer)) return { kind: "step" };
      if (!this.isHandler(outer)) continue;
      return { kind: "handler", context: firstParameter(outer)?.name ?? "ctx" };
    }
    return { kind: "elsewhere" };
  }

  /** By the type of its context, or by being given to the SDK as one. */
  isHandler(node: Node): boolean {
    if (!isFunction(node)) return false;
    if (this.#isContextType(firstParameter(node)?.typeAnnotation)) return true;
    return this.#uses(node).some((use) => this.#isGivenAsHandler(use));
  }

  /** The action of `ctx.run`, or what undoes one in a saga. */
  isStep(node: Node): boolean {
    return isFunction(node) && this.#uses(node).some((use) => this.#isGivenAsStep(use));
  }

  /** Whether an expression is the context of a handler, or the saga of one. */
  isContext(node: Node): boolean {
    if (!is(node, "Identifier")) return false;
    const [definition] = this.variableOf(node)?.defs ?? [];
    if (definition?.type !== "Parameter" || !isFunction(definition.node)) return false;
    if (firstParameter(definition.node)?.name !== node.name) return false;
    return this.isHandler(definition.node) || this.isSaga(definition.node);
  }

  /** The function that `ctx.saga` is given. */
  isSaga(node: Node): boolean {
    const { child, parent } = userOf(node);
    return (
      is(parent, "CallExpression") &&
      parent.arguments.includes(child) &&
      is(parent.callee, "MemberExpression") &&
      nameOf(parent.callee) === "saga" &&
      this.isContext(parent.callee.object)
    );
  }

  /** Undefined for what no scope of the file knows. */
  variableOf(node: Node): Variable | undefined {
    const name = nameOf(node);
    if (name === undefined) return undefined;
    let scope: Scope | null = this.#source.getScope(node);
    for (; scope !== null; scope = scope.upper) {
      const variable = scope.set.get(name);
      if (variable !== undefined) return variable;
    }
    return undefined;
  }

  /** The module that a name is imported from, and its name there; undefined for a name that is no import. */
  importOf(node: Node): { readonly from: string; readonly name: string | undefined } | undefined {
    const [definition] = this.variableOf(node)?.defs ?? [];
    const declaration = definition?.node.parent;
    if (!is(declaration, "ImportDeclaration") || !is(declaration.source, "Literal")) {
      return undefined;
    }
    const { node: specifier } = definition ?? {};
    const name = is(specifier, "ImportSpecifier") ? keyName(specifier.imported, false) : undefined;
    return { from: String(declaration.source.value), name };
  }

  /** The function itself, and the names it is known by. */
  #uses(node: Node): Node[] {
    const { parent } = userOf(node);
    const isNamed = is(parent, "VariableDeclarator");
    if (!isNamed && node.type !== "FunctionDeclaration") return [node];
    const [variable] = this.#source.getDeclaredVariables(isNamed ? parent : node);
    return [node, ...(variable?.references ?? []).map(({ identifier }) => identifier)];
  }

  #isOfSdk(node: Node): boolean {
    return SDK.test(this.importOf(rootOf(node))?.from ?? "");
  }

  #isContextType(annotation: Node | null | undefined): boolean {
    if (!is(annotation, "TSTypeAnnotation")) return false;
    const { typeAnnotation: type } = annotation;
    if (!is(type, "TSTypeReference")) return false;
    const { typeName } = type;
    const isQualified = is(typeName, "TSQualifiedName");
    const name = isQualified ? nameOf(typeName) : this.importOf(typeName)?.name;
    return CONTEXT_TYPE.test(name ?? "") && this.#isOfSdk(typeName);
  }

  #isGivenAsHandler(node: Node): boolean {
    const { child, parent } = userOf(node);
    if (is(parent, "CallExpression")) {
      return parent.arguments.includes(child) && isMaker(parent.callee) && this.#isOfSdk(parent);
    }
    if (!is(parent, "Property") || parent.value !== child) return false;
    const call = definitionOf(parent);
    return call !== undefined && this.#isOfSdk(call);
  }

  #isGivenAsStep(node: Node): boolean {
    const { child, parent } = userOf(node);
    if (is(parent, "CallExpression") && parent.arguments.includes(child))
      return this.#isRun(parent);
    if (!is(parent, "Property") || keyName(parent.key, parent.computed) !== "undo") return false;
    const { parent: call } = userOf(parent.parent ?? parent);
    return is(call, "CallExpression") && this.#isRun(call);
  }

  #isRun({ callee }: { readonly callee: Node }): boolean {
    if (!is(callee, "MemberExpression") || nameOf(callee) !== "run") return false;
    return this.isContext(callee.object);
  }
}

/** `handlers.object.shared` and the like, under whatever name the SDK has. */
function isMaker(callee: Node): boolean {
  return CREATES.test(nameOf(callee) ?? "") || isMemberOf(callee, "handlers");
}

function isMemberOf(node: Node, name: string): boolean {
  if (!is(node, "MemberExpression")) return false;
  return nameOf(node.object) === name || isMemberOf(node.object, name);
}

/** The call in `service({ handlers: { here: … } })`. */
function definitionOf(property: Node): Node | undefined {
  const { child: list, parent: handlers } = userOf(property.parent ?? property);
  if (!is(handlers, "Property") || handlers.value !== list) return undefined;
  if (keyName(handlers.key, handlers.computed) !== "handlers") return undefined;
  const { parent: call } = userOf(handlers.parent ?? handlers);
  return is(call, "CallExpression") && DEFINES.has(nameOf(call.callee) ?? "") ? call : undefined;
}

/** With a default or without. */
export function firstParameter(
  node: Node,
): (Node & { readonly name: string; readonly typeAnnotation?: Node | null }) | undefined {
  if (!isFunction(node)) return undefined;
  const [first] = node.params;
  const parameter = is(first, "AssignmentPattern") ? first.left : first;
  return is(parameter, "Identifier") ? parameter : undefined;
}
