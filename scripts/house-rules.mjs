/**
 * Counts what CONTRIBUTING.md asks for (lengths of files and functions, share of comments) and looks for text that has no
 * place in the repository. Prints a table; ends with 1 where a limit is passed.
 */
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import ts from "typescript";
import { countComments, functionsOf, linesWithAny } from "./syntax.mjs";

const LIMITS = { file: 400, fileMedian: 150, function: 60, functionMedian: 12 };
/** Aim for 15 to 20 %; outside of this the build fails. */
const COMMENTS = { least: 10, most: 30 };

/** Each pattern is written so that it does not match itself. */
const FORBIDDEN = [
  {
    // Allowed: the file that test/golden/checkpoints/evil.pth would make.
    name: "a path of one machine",
    pattern: /(?<![\w.~-])\/(?:[w]ork|[t]mp(?!\/scalekv-pwned)|[r]oot|[h]ome\/\w+|[U]sers\/\w+)\//,
  },
  {
    name: "a package registry's host",
    pattern: /[r]egistry\.(?:npmjs|yarnpkg)|[p]roxy\.golang|[p]ypi\.org|[d]eb\.debian/,
  },
  { name: "a note to oneself", pattern: /\b(?:[T]ODO|[F]IXME|[X]XX)\b/ },
  { name: "a silenced check", pattern: /@ts-[i]gnore|@ts-[n]ocheck|eslint-[d]isable/, only: /\.[cm]?[jt]s$/ },
];

/** Not ours to shorten: generated code, recorded data, model files. */
const NOT_OURS = /^(?:package-lock\.json|src\/graph\/gen\/|test\/golden\/|models\/.*\.(?:pth|safetensors|json)$)/;

const files = ourFiles();
const code = files.filter((path) => /\.(?:ts|mjs|cjs|js)$/.test(path)).map(measure);
const library = code.filter(({ path }) => path.startsWith("src/") && !/\.(?:test|case)\.ts$/.test(path));
const problems = [...code.flatMap(problemsOf), ...files.flatMap(forbiddenText), ...printTable(library)];
for (const problem of problems) console.error(problem);
process.exitCode = problems.length > 0 ? 1 : 0;

/** Everything git knows or would add. */
function ourFiles() {
  const list = execFileSync("git", ["ls-files", "--cached", "--others", "--exclude-standard"], { encoding: "utf8" });
  return list.split("\n").filter((path) => path !== "" && !NOT_OURS.test(path) && existsSync(path));
}

function measure(path) {
  const text = readFileSync(path, "utf8");
  const source = ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true);
  const written = text.split("\n").filter((line) => line.trim() !== "").length;
  return {
    path,
    lines: text.replace(/\n$/, "").split("\n").length,
    written,
    comments: countComments(source),
    functions: functionsOf(source),
    any: linesWithAny(source),
  };
}

/** What one file does wrong by itself. */
function problemsOf({ path, lines, functions, any }) {
  const long = functions.filter((one) => one.lines > LIMITS.function);
  return [
    ...(lines > LIMITS.file ? [`${path}: ${lines} lines, more than ${LIMITS.file}`] : []),
    ...long.map((one) => `${path}:${one.line}: ${one.name} has ${one.lines} lines, more than ${LIMITS.function}`),
    ...any.map((line) => `${path}:${line}: the type any`),
  ];
}

/** Text files only: a NUL byte tells the others. */
function forbiddenText(path) {
  const text = readFileSync(path, "utf8");
  if (text.includes("\0")) return [];
  const rules = FORBIDDEN.filter(({ only }) => only === undefined || only.test(path));
  return text
    .split("\n")
    .flatMap((line, index) =>
      rules
        .filter(({ pattern }) => pattern.test(line))
        .map(({ name }) => `${path}:${index + 1}: ${name}: ${line.trim()}`),
    );
}

/** Prints the figures of the library's own source and returns those of the whole that pass a limit. */
function printTable(measured) {
  const lengths = measured.map(({ lines }) => lines);
  const functions = measured.flatMap((file) => file.functions.map(({ lines }) => lines));
  const share = (100 * sum(measured.map(({ comments }) => comments))) / sum(measured.map(({ written }) => written));
  const { least, most } = COMMENTS;
  const rows = [
    { name: "lines of a file, median", value: median(lengths), least: 0, most: LIMITS.fileMedian },
    { name: "lines of a file, longest", value: Math.max(...lengths), least: 0, most: LIMITS.file },
    { name: "lines of a function, median", value: median(functions), least: 0, most: LIMITS.functionMedian },
    { name: "lines of a function, longest", value: Math.max(...functions), least: 0, most: LIMITS.function },
    { name: "lines with a comment, % (15 to 20)", value: Number(share.toFixed(1)), least, most },
  ];
  console.log(`src: ${measured.length} files, ${sum(lengths)} lines, ${functions.length} functions`);
  for (const row of rows) {
    console.log(`  ${row.name.padEnd(36)}${String(row.value).padStart(6)}   allowed ${row.least} to ${row.most}`);
  }
  const outside = rows.filter(({ value, ...allowed }) => value < allowed.least || value > allowed.most);
  return outside.map(({ name, value }) => `src: ${name}: ${value} is not allowed`);
}

function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

function sum(values) {
  return values.reduce((total, value) => total + value, 0);
}
