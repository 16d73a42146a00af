/** Tokens as a tree: what stands between two parentheses is one node, so that neighbours are of the same clause. */
import { SqlError, type Token, tokenize } from "./tokens.ts";

export interface Group {
  readonly kind: "group";
  readonly before: string;
  readonly nodes: readonly Node[];
  /** White space and comments before the closing parenthesis. */
  readonly tail: string;
}

export type Node = Token | Group;

/** Deeper nesting is refused; SQLite's own limit is 1000. */
const DEPTH_MAX = 500;

export interface Tree {
  readonly nodes: readonly Node[];
  readonly tail: string;
}

/** Throws `SqlError` where parentheses do not match. */
export function parseTree(sql: string): Tree {
  const { tokens, tail } = tokenize(sql);
  const open: { before: string; nodes: Node[] }[] = [];
  let nodes: Node[] = [];
  for (const token of tokens) {
    if (isSymbol(token, "(")) {
      open.push({ before: token.before, nodes });
      if (open.length > DEPTH_MAX) throw new SqlError(`more than ${DEPTH_MAX} nested parentheses`);
      nodes = [];
    } else if (isSymbol(token, ")")) {
      const outer = open.pop();
      if (outer === undefined) throw new SqlError("a closing parenthesis has no opening one");
      outer.nodes.push({ kind: "group", before: outer.before, nodes, tail: token.before });
      nodes = outer.nodes;
    } else {
      nodes.push(token);
    }
  }
  if (open.length > 0) throw new SqlError("a parenthesis is not closed");
  return { nodes, tail };
}

export function print(nodes: readonly Node[]): string {
  let text = "";
  for (const node of nodes) {
    text += node.before;
    text += node.kind === "group" ? `(${print(node.nodes)}${node.tail})` : node.text;
  }
  return text;
}

export function isWord(node: Node | undefined, ...words: readonly string[]): boolean {
  return node?.kind === "word" && words.includes(node.value);
}

/** Words that are no names: a group behind them is no call, and they are no operand. */
const KEYWORDS = new Set(
  (
    "all and as between by case cross distinct else escape except exists from full glob group having ilike in inner " +
    "intersect is join like limit match natural not null offset on or order outer over partition regexp " +
    "select then union using values when where with"
  ).split(" "),
);

export function isKeyword(node: Node | undefined): boolean {
  return node?.kind === "word" && KEYWORDS.has(node.value);
}

export function isSymbol(node: Node | undefined, ...symbols: readonly string[]): boolean {
  return node?.kind === "symbol" && symbols.includes(node.value);
}

/** A word or a quoted name; a keyword is one too. */
export function isName(node: Node | undefined): node is Token {
  return node?.kind === "word" || node?.kind === "quoted";
}

/** The value of a name as SQLite compares names. */
export function nameOf(node: Token): string {
  return node.value.toLowerCase();
}

export function isGroup(node: Node | undefined): node is Group {
  return node?.kind === "group";
}

export function word(text: string, before = " "): Token {
  return { kind: "word", before, text, value: text.toLowerCase() };
}

export function symbol(text: string, before = ""): Token {
  return { kind: "symbol", before, text, value: text };
}

export function quoted(name: string, before = " "): Token {
  return { kind: "quoted", before, text: `"${name.replaceAll('"', '""')}"`, value: name };
}

export function string(value: string, before = " "): Token {
  return { kind: "string", before, text: `'${value.replaceAll("'", "''")}'`, value };
}

export function group(nodes: readonly Node[], before = ""): Group {
  return { kind: "group", before, nodes, tail: "" };
}

/** The same node behind other white space. */
export function placed<T extends Node>(node: T, before: string): T {
  return { ...node, before };
}

/** The runs of nodes between the separators. */
export function splitAt(
  nodes: readonly Node[],
  isSeparator: (node: Node) => boolean,
): readonly (readonly Node[])[] {
  const parts: Node[][] = [[]];
  for (const node of nodes) {
    if (isSeparator(node)) parts.push([]);
    else parts.at(-1)?.push(node);
  }
  return parts;
}

export const isComma = (node: Node): boolean => isSymbol(node, ",");
