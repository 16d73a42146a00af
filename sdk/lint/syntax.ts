/** The part of the syntax tree (ESTree) that the rules look at. */

export interface Node {
  readonly type: string;
  readonly parent?: Node | null;
}

interface FunctionNode extends Node {
  readonly params: readonly Node[];
  readonly async: boolean;
}

export interface CallNode extends Node {
  readonly callee: Node;
  readonly arguments: readonly Node[];
}

interface Nodes {
  ArrowFunctionExpression: FunctionNode;
  FunctionExpression: FunctionNode;
  FunctionDeclaration: FunctionNode;
  CallExpression: CallNode;
  NewExpression: CallNode;
  Identifier: Node & { readonly name: string; readonly typeAnnotation?: Node | null };
  Literal: Node & { readonly value: unknown };
  MemberExpression: Node & {
    readonly object: Node;
    readonly property: Node;
    readonly computed: boolean;
  };
  Property: Node & { readonly key: Node; readonly value: Node; readonly computed: boolean };
  AssignmentPattern: Node & { readonly left: Node };
  VariableDeclarator: Node & { readonly id: Node; readonly init: Node | null };
  LogicalExpression: Node & { readonly right: Node };
  ConditionalExpression: Node & { readonly test: Node };
  SequenceExpression: Node & { readonly expressions: readonly Node[] };
  UnaryExpression: Node & { readonly operator: string };
  ImportSpecifier: Node & { readonly imported: Node };
  ImportDeclaration: Node & { readonly source: Node };
  TSTypeAnnotation: Node & { readonly typeAnnotation: Node };
  TSTypeReference: Node & { readonly typeName: Node };
  TSQualifiedName: Node & { readonly left: Node; readonly right: Node };
}

export function is<T extends keyof Nodes>(
  node: Node | null | undefined,
  ...types: readonly T[]
): node is Nodes[T] {
  return node !== null && node !== undefined && types.some((type) => type === node.type);
}

export function isFunction(node: Node | null | undefined): node is FunctionNode {
  return is(node, "ArrowFunctionExpression", "FunctionExpression", "FunctionDeclaration");
}

/** `x` of `a.x`, `a["x"]`, and of `x` itself. */
export function nameOf(node: Node | null | undefined): string | undefined {
  if (is(node, "Identifier")) return node.name;
  if (is(node, "MemberExpression")) return keyName(node.property, node.computed);
  return is(node, "TSQualifiedName") ? nameOf(node.right) : undefined;
}

/** The name of a key of an object or of a member. */
export function keyName(key: Node, computed: boolean): string | undefined {
  if (is(key, "Literal")) return typeof key.value === "string" ? key.value : undefined;
  return is(key, "Identifier") && !computed ? key.name : undefined;
}

/** What comes first in `a.b.c` and `a.b(…).c`. */
export function rootOf(node: Node): Node {
  if (is(node, "MemberExpression")) return rootOf(node.object);
  if (is(node, "CallExpression")) return rootOf(node.callee);
  return is(node, "TSQualifiedName") ? rootOf(node.left) : node;
}

const TRANSPARENT = new Set([
  "ChainExpression",
  "ParenthesizedExpression",
  "TSAsExpression",
  "TSNonNullExpression",
  "TSSatisfiesExpression",
]);

/** The parent, past what changes nothing: `(x as T)!`. Also the child that it was reached through. */
export function userOf(node: Node): { readonly child: Node; readonly parent: Node | undefined } {
  let child = node;
  while (child.parent !== null && child.parent !== undefined && TRANSPARENT.has(child.parent.type))
    child = child.parent;
  return { child, parent: child.parent ?? undefined };
}
