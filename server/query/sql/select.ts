/** The clauses of the SELECTs in a list of nodes. Subqueries are groups, so they are not looked into here. */
import { isComma, isGroup, isName, isSymbol, isWord, nameOf, type Node, splitAt } from "./tree.ts";

/** One SELECT of a list; indexes are into that list. Ranges do not contain their keyword; `to` is exclusive. */
export interface Select {
  readonly start: number;
  readonly end: number;
  readonly items: Range;
  readonly from: Range | undefined;
  readonly where: Range | undefined;
}

export interface Range {
  readonly start: number;
  readonly end: number;
}

/** What stands in a FROM clause between commas and joins. */
export interface Source {
  /** Index where it begins: its schema, where it names one. */
  readonly start: number;
  /** Index of its name or subquery. */
  readonly at: number;
  /** Index behind it and its alias. */
  readonly end: number;
  readonly node: Node;
  /** As others refer to it; undefined for a subquery without one. */
  readonly alias: string | undefined;
  readonly hasAlias: boolean;
  /** It is a table function: its arguments follow the name. */
  readonly isCall: boolean;
}

const COMPOUNDS = ["union", "intersect", "except"];
const CLAUSES = ["where", "group", "having", "window", "order", "limit", "offset"];
const AFTER_SOURCE = new Set([
  ...COMPOUNDS,
  ...CLAUSES,
  ..."join inner left right full outer cross natural on using as select from".split(" "),
]);

export function selectsOf(nodes: readonly Node[]): Select[] {
  const selects: Select[] = [];
  for (let at = 0; at < nodes.length; at += 1) {
    if (isWord(nodes[at], "select") && !isSymbol(nodes[at - 1], ".")) {
      selects.push(selectAt(nodes, at));
    }
  }
  return selects;
}

function selectAt(nodes: readonly Node[], start: number): Select {
  let end = start + 1;
  while (end < nodes.length && !isWord(nodes[end], ...COMPOUNDS) && !isSymbol(nodes[end], ";")) {
    end += 1;
  }
  const fromAt = find(start + 1, end, (at) => isFrom(nodes, at));
  const clausesAt = fromAt ?? start + 1;
  const clauseAt = (from: number) => find(from, end, (at) => isClause(nodes, at)) ?? end;
  const firstClause = clauseAt(clausesAt);
  const isWhere = isWord(nodes[firstClause], "where") && firstClause < end;
  let items = start + 1;
  if (isWord(nodes[items], "distinct", "all")) items += 1;
  return {
    start,
    end,
    items: { start: items, end: fromAt ?? firstClause },
    from: fromAt === undefined ? undefined : { start: fromAt + 1, end: firstClause },
    where: isWhere ? { start: firstClause + 1, end: clauseAt(firstClause + 1) } : undefined,
  };
}

function find(from: number, end: number, matches: (at: number) => boolean): number | undefined {
  for (let at = from; at < end; at += 1) if (matches(at)) return at;
  return undefined;
}

/** Not that of `IS DISTINCT FROM`. */
function isFrom(nodes: readonly Node[], at: number): boolean {
  if (!isWord(nodes[at], "from") || isSymbol(nodes[at - 1], ".")) return false;
  return !(isWord(nodes[at - 1], "distinct") && isWord(nodes[at - 2], "is", "not"));
}

function isClause(nodes: readonly Node[], at: number): boolean {
  const node = nodes[at];
  if (!isWord(node, ...CLAUSES) || isSymbol(nodes[at - 1], ".")) return false;
  return !isWord(node, "group", "order") || isWord(nodes[at + 1], "by");
}

export function sourcesOf(nodes: readonly Node[], from: Range): Source[] {
  const sources: Source[] = [];
  let isExpected = true;
  for (let at = from.start; at < from.end; at += 1) {
    const node = nodes[at];
    if (isExpected && (isGroup(node) || isName(node))) {
      const source = sourceAt(nodes, at, node, from.end);
      sources.push(source);
      at = source.end - 1;
      isExpected = false;
    } else if (isWord(node, "join") || (node !== undefined && isComma(node))) {
      isExpected = true;
    }
  }
  return sources;
}

function sourceAt(nodes: readonly Node[], start: number, first: Node, limit: number): Source {
  let at = start;
  let node = first;
  for (
    let next = nodes[at + 2];
    isName(node) && isSymbol(nodes[at + 1], ".");
    next = nodes[at + 2]
  ) {
    if (next === undefined || at + 2 >= limit) break;
    at += 2;
    node = next;
  }
  const nameAt = at;
  at += 1;
  const isCall = isName(node) && at < limit && isGroup(nodes[at]);
  if (isCall) at += 1;
  const ownName = isName(node) ? nameOf(node) : undefined;
  const common = { start, at: nameAt, node, isCall };
  let aliasAt = at;
  if (isWord(nodes[aliasAt], "as")) aliasAt += 1;
  const alias = aliasAt < limit ? nodes[aliasAt] : undefined;
  if (!isName(alias) || (alias.kind === "word" && AFTER_SOURCE.has(alias.value))) {
    return { ...common, end: at, alias: ownName, hasAlias: false };
  }
  return { ...common, end: aliasAt + 1, alias: nameOf(alias), hasAlias: true };
}

/** The items of the select list. */
export function itemsOf(nodes: readonly Node[], { items }: Select): readonly (readonly Node[])[] {
  return splitAt(nodes.slice(items.start, items.end), isComma);
}

/** The names that WITH clauses give, anywhere in the list or below. */
export function namesOfCtes(nodes: readonly Node[], names = new Set<string>()): Set<string> {
  for (const [at, node] of nodes.entries()) {
    if (!isGroup(node)) continue;
    namesOfCtes(node.nodes, names);
    let asAt = at - 1;
    if (isWord(nodes[asAt], "materialized")) asAt -= isWord(nodes[asAt - 1], "not") ? 2 : 1;
    if (!isWord(nodes[asAt], "as")) continue;
    const nameAt = isGroup(nodes[asAt - 1]) ? asAt - 2 : asAt - 1;
    const name = nodes[nameAt];
    if (isName(name)) names.add(nameOf(name));
  }
  return names;
}
