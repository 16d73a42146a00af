/**
 * The types of computed columns. SQLite has no booleans and no times, so whether a result is one is read off the expression:
 * names have the type of the view column or of the select item they name, functions and operators pass types on.
 */
import type { ColumnType } from "../views/column-type.ts";
import { itemsOf, selectsOf } from "./select.ts";
import {
  type Group,
  isComma,
  isGroup,
  isName,
  isSymbol,
  isWord,
  nameOf,
  type Node,
  splitAt,
} from "./tree.ts";

export type TypeOfName = (name: string) => ColumnType | undefined;

const COMPARISONS = ["=", "==", "!=", "<>", "<", "<=", ">", ">=", "~", "~*", "!~", "!~*"];
const PREDICATES = "is in like ilike between and or not glob match regexp exists isnull notnull";
const PREDICATE_WORDS = PREDICATES.split(" ");

/** They give what their first typed argument is. */
const PASSING = new Set(
  (
    "min max first_value last_value nth_value lag lead any_value coalesce ifnull nullif greatest least " +
    "avg sum median percentile percentile_cont percentile_disc approx_percentile_cont abs round"
  ).split(" "),
);
/** A mean of flags is no flag, and so on: of what the others pass, only these. */
const AVERAGED: ReadonlySet<string> = new Set(["avg", "sum", "median", "abs", "round"]);
const FUNCTION_TYPES: ReadonlyMap<string, ColumnType> = new Map([
  ["now", "ts"],
  ["to_timestamp", "ts"],
  ["to_timestamp_millis", "ts"],
  ["to_timestamp_seconds", "ts"],
  ["date_bin", "ts"],
  ["date_trunc", "ts"],
  ["interval", "dur"],
  ["unnest", "s"],
  ["to_boolean", "b"],
  ["array_has", "b"],
  ["array_contains", "b"],
  ["bool_and", "b"],
  ["bool_or", "b"],
  ["starts_with", "b"],
  ["ends_with", "b"],
  ["regexp_like", "b"],
  ["array_agg", "s[]"],
  ["count", "i64"],
]);
const CAST_TYPES: ReadonlyMap<string, ColumnType> = new Map([
  ["timestamp", "ts"],
  ["timestamptz", "ts"],
  ["datetime", "ts"],
  ["date", "ts"],
  ["boolean", "b"],
  ["bool", "b"],
]);

/** What the names in a statement mean: its own select items before the columns of the views. */
export function namesIn(nodes: readonly Node[], ofColumn: TypeOfName): TypeOfName {
  const own = new Map<string, ColumnType | undefined>();
  const typeOf: TypeOfName = (name) => (own.has(name) ? own.get(name) : ofColumn(name));
  const visit = (list: readonly Node[]): void => {
    // What a query selects from is known before what it selects.
    for (const node of list) if (isGroup(node)) visit(node.nodes);
    for (const select of selectsOf(list)) {
      for (const item of itemsOf(list, select)) {
        const { expression, alias } = splitAlias(item);
        if (alias !== undefined) own.set(alias, typeOfExpression(expression, typeOf));
      }
    }
  };
  visit(nodes);
  return typeOf;
}

/** The name that a select item gives its expression. */
export function aliasOf(item: readonly Node[]): string | undefined {
  return splitAlias(item).alias;
}

function splitAlias(item: readonly Node[]): {
  readonly expression: readonly Node[];
  readonly alias: string | undefined;
} {
  const last = item.at(-1);
  const previous = item.at(-2);
  if (!isName(last) || previous === undefined) return { expression: item, alias: undefined };
  if (isWord(previous, "as")) return { expression: item.slice(0, -2), alias: nameOf(last) };
  const isOperand =
    previous.kind !== "symbol" &&
    !isWord(previous, ...PREDICATE_WORDS, "select", "when", "then", "else", "case", "over") &&
    !isWord(last, "end", "null", "true", "false", "isnull", "notnull");
  return isOperand
    ? { expression: item.slice(0, -1), alias: nameOf(last) }
    : { expression: item, alias: undefined };
}

export function typeOfExpression(
  nodes: readonly Node[],
  typeOf: TypeOfName,
): ColumnType | undefined {
  const [first, second] = nodes;
  if (first === undefined) return undefined;
  if (isWord(first, "case") && isWord(nodes.at(-1), "end")) return typeOfCase(nodes, typeOf);
  if (isWord(first, "interval")) return typeOfArithmetic(nodes, typeOf) ?? "dur";
  if (nodes.some((node) => isPredicate(node))) return "b";
  if (nodes.some((node) => isSymbol(node, "+", "-", "*", "/", "%"))) {
    return typeOfArithmetic(nodes, typeOf);
  }
  if (nodes.some((node) => isSymbol(node, "||", "->", "->>"))) return undefined;
  if (isSymbol(nodes.at(-2), "::")) return typeOfCast(nodes.at(-1));
  if (isGroup(first)) return nodes.length === 1 ? typeOfGroup(first, typeOf) : undefined;
  if (isName(first) && isGroup(second)) return typeOfCall(nameOf(first), second, typeOf);
  return typeOfOperand(nodes, typeOf);
}

function typeOfOperand(nodes: readonly Node[], typeOf: TypeOfName): ColumnType | undefined {
  const [first, second] = nodes;
  if (nodes.length === 1 && isWord(first, "true", "false")) return "b";
  if (isWord(first, "current_timestamp")) return "ts";
  if (isWord(first, "timestamp", "date") && second?.kind === "string") return "ts";
  const last = nodes.at(-1);
  const isPath = nodes.every((node, at) => (at % 2 === 0 ? isName(node) : isSymbol(node, ".")));
  return isPath && isName(last) ? typeOf(nameOf(last)) : undefined;
}

function isPredicate(node: Node): boolean {
  return isWord(node, ...PREDICATE_WORDS) || isSymbol(node, ...COMPARISONS);
}

function typeOfGroup({ nodes }: Group, typeOf: TypeOfName): ColumnType | undefined {
  const [select] = selectsOf(nodes);
  if (select === undefined) return typeOfExpression(nodes, typeOf);
  const [item = []] = itemsOf(nodes, select);
  return typeOfExpression(splitAlias(item).expression, typeOf);
}

function typeOfCall(name: string, args: Group, typeOf: TypeOfName): ColumnType | undefined {
  if (name === "cast" || name === "try_cast") {
    const at = args.nodes.findLastIndex((node) => isWord(node, "as"));
    return typeOfCast(args.nodes[at + 1]);
  }
  if (!PASSING.has(name)) return FUNCTION_TYPES.get(name);
  for (const arg of splitAt(args.nodes, isComma)) {
    const order = arg.findIndex((node) => isWord(node, "order"));
    const type = typeOfExpression(order < 0 ? arg : arg.slice(0, order), typeOf);
    if (type === undefined) continue;
    if (!AVERAGED.has(name)) return type;
    return type === "ts" || type === "dur" ? type : undefined;
  }
  return undefined;
}

function typeOfCast(type: Node | undefined): ColumnType | undefined {
  return isName(type) ? CAST_TYPES.get(nameOf(type)) : undefined;
}

/** Times differ by durations. */
function typeOfArithmetic(nodes: readonly Node[], typeOf: TypeOfName): ColumnType | undefined {
  const operands = splitAt(nodes, (node) => isSymbol(node, "+", "-", "*", "/", "%"));
  const operators = nodes.filter((node) => isSymbol(node, "+", "-", "*", "/", "%"));
  let type: ColumnType | undefined;
  for (const [at, operand] of operands.entries()) {
    const next = isWord(operand[0], "interval") ? "dur" : typeOfExpression(operand, typeOf);
    if (at === 0) type = next;
    else if (type === "ts" && next === "ts")
      type = isSymbol(operators[at - 1], "-") ? "dur" : undefined;
    else if (next === "ts") type = "ts";
    else if (type === "dur" && next === "dur" && isSymbol(operators[at - 1], "/")) type = undefined;
    else if (type !== "ts" && next === "dur") type = "dur";
  }
  return type === "ts" || type === "dur" ? type : undefined;
}

function typeOfCase(nodes: readonly Node[], typeOf: TypeOfName): ColumnType | undefined {
  for (const [at, node] of nodes.entries()) {
    if (!isWord(node, "then", "else")) continue;
    const rest = nodes.slice(at + 1);
    const end = rest.findIndex((next) => isWord(next, "when", "else", "end"));
    const type = typeOfExpression(rest.slice(0, end), typeOf);
    if (type !== undefined) return type;
  }
  return undefined;
}
